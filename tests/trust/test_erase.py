"""Forgetting somebody in the database: all that is about them, every mention, nothing of anybody else."""

from typing import Any

import pytest

from store.database import Database, Jsonb
from trust import audit, erase
from trust.errors import NoSubject
from trust.master import Ring
from trust.subject import Subject
from trust.vault import Vault

RING = Ring((b"k" * 32,))
MARK = "erased-0123456789ab"
SEED = (
    "insert into entities values (%(hash)s, %(tenant)s, %(entity)s, 'account', %(account)s, 'EUR', now())",
    """insert into metrics_hour (bucket, tenant, entity_hash, count, sum, sum_squares, min, max, anomalies, late, duplicates)
       values (date_trunc('hour', now()), %(tenant)s, %(hash)s, 1, 1, 1, 1, 1, 0, 0, 0)""",
    """insert into episodes (episode_id, tenant, entity_hash, entity, kind, revision, started_at, last_at, first_event_id,
         last_event_id, worst, severity, detectors, settings_hash, arrived_at, detected_at)
       values (%(n)s, %(tenant)s, %(hash)s, %(entity)s, 'account', 1, now(), now(), 'e', 'e', %(event)s, 0.9, '{amount_z}', 's',
         now(), now())""",
    """insert into anomalies (anomaly_id, tenant, episode_id, ordinal, entity_hash, entity, detector, event_id, event_time, value,
         expected, low, high, unit, window_size, severity, scores, context, event, arrived_at, detected_at, query_id, batch_id)
       values (%(n)s, %(tenant)s, %(n)s, 1, %(hash)s, %(entity)s, 'amount_z', 'e', now(), 1, 1, 1, 1, 'amount', 1, 0.9, '{}',
         '{}', %(event)s, now(), now(), 'q', 0)""",
    """insert into cases (case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
       values (%(case)s, %(tenant)s, %(n)s, %(entity)s, 'account', 1, 0.9, 'immediate', now(), now())""",
    """insert into rulings (ruling_id, tenant, case_id, revision, council, outcome, action, confidence, root_cause, next_steps,
         citations, opinions, checks, brief, brief_hash, in_force, latency_ms)
       values ('r' || %(case)s, %(tenant)s, %(case)s, 1, 'rules', 'confirmed', 'watch', 1, 'odd', '[]', '[]', '[]', '[]',
         %(brief)s, 'h', true, 1)""",
    """insert into tool_audit (tenant, kind, name, case_ids, latency_ms, outcome, response)
       values (%(tenant)s, 'model', 'm', array[%(case)s], 1, 'ok', 'block it')""",
    """insert into messages (tenant, topic, kind, subject, entity, severity, title, payload, dedupe_key)
       values (%(tenant)s, 'cases', 'case.opened', %(case)s, %(entity)s, 1, 'Case of ' || %(entity)s, '{}', %(case)s)""",
)


def seed(database: Database, account: str, number: int, tenant: str = "main", mention: str = "") -> str:
    """An account with metrics, an anomaly, a case and a ruling whose brief names `mention`; its case id."""
    entity, case_id = f"account:{account}/EUR", f"case-{tenant}-{number}"
    values = {
        "tenant": tenant, "entity": entity, "hash": 7_000 + number, "case": case_id, "account": account, "n": f"n{number}",
        "event": Jsonb({"account_id": account}), "brief": Jsonb({"items": [f"near account:{mention}/EUR"]}),
    }  # fmt: skip
    with database.connection() as connection:
        for statement in SEED:
            connection.execute(statement.encode(), values)
    return case_id


def forget(database: Database, subject: Subject) -> dict[str, erase.Line]:
    with database.connection() as connection:
        return {line.store: line for line in erase.forget(connection, subject)}


def everything(database: Database, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    with database.connection() as connection:
        tables = connection.execute("select tablename as t from pg_tables where schemaname = 'public' order by 1").fetchall()
        return {
            row["t"]: sorted(r["x"] for r in connection.execute(f'select t::text as x from "{row["t"]}" t'.encode()))
            for row in tables if row["t"] not in without
        }  # fmt: skip


def test_all_that_is_about_them_goes_and_others_stay_as_they_are(database: Database) -> None:
    seed(database, "A12", 1)
    seed(database, "A12", 2, tenant="other")
    seed(database, "A123", 3)
    seed(database, "A12-4", 4)
    before = everything(database, without=("changes",))  # ids only, for those who listen
    lines = forget(database, Subject("main", "account", "A12", MARK))
    after = everything(database)
    for table, rows in before.items():
        assert after[table] == [row for row in rows if not any(own in row for own in ("7001", "case-main-1", "n1"))], table
    removed = {name for name, line in lines.items() if line.removed}
    assert removed >= {"entities", "metrics_hour", "anomalies", "episodes", "cases", "tool_audit", "messages"}
    assert not any(line.kept for line in lines.values())


def test_a_mention_in_anothers_brief_becomes_a_mark(database: Database) -> None:
    seed(database, "A12", 1)
    seed(database, "B7", 2, mention="A12")
    lines = forget(database, Subject("main", "account", "A12", MARK))
    assert lines["rulings"].unlinked == 1
    with database.connection() as connection:
        brief = connection.execute("select brief from rulings").fetchall()[0]["brief"]
    assert brief == {"items": [f"near account:{MARK}/EUR"]}


def test_append_only_tables_that_come_later_are_unlinked_too_but_the_chain_stays(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("create table keepsakes (tenant text, note text, touches text[], held jsonb)")
        connection.execute("create trigger kept before update or delete on keepsakes execute function refuse_change()")
        connection.execute(
            "insert into keepsakes values ('main', 'ask A12', '{account:A12,account:B7}', '{\"a\": [\"A12\", 12]}')"
        )
        connection.execute("insert into keepsakes values ('main', null, null, null), ('other', 'ask A12', null, null)")
        audit.record(connection, "main", "key:x", "list.edit", "deny", {"added": "A12"})
    lines = forget(database, Subject("main", "account", "A12", MARK))
    with database.connection() as connection:
        rows = connection.execute("select note, touches, held from keepsakes order by tenant, note").fetchall()
        with pytest.raises(Exception, match="append only"), connection.transaction():
            connection.execute("update keepsakes set note = ''")
    assert [row["note"] for row in rows] == [f"ask {MARK}", None, "ask A12"]
    assert (rows[0]["touches"], rows[0]["held"]) == ([f"account:{MARK}", "account:B7"], {"a": [MARK, 12]})
    assert lines["audit_log"].kept == 1
    assert audit.verify(database, "main").broken is None


@pytest.mark.parametrize("identifier", ["main", "1", "open", 'we"ird\\id', "Ä.1", "a+b(c"])
def test_a_name_that_is_also_a_word_or_needs_escaping(database: Database, identifier: str) -> None:
    seed(database, identifier, 1)
    seed(database, "B7", 2)
    before = everything(database)
    forget(database, Subject("main", "account", identifier, MARK))
    after = everything(database)
    assert len(after["cases"]) == len(after["anomalies"]) == 1
    assert set(after["rulings"]) <= set(before["rulings"])
    assert not any(f"account:{identifier}/" in row for rows in after.values() for row in rows)


def test_asking_destroys_the_key_at_once_and_the_work_may_wait(database: Database) -> None:
    vault = Vault("main", RING)
    token = vault.tokens(database, "account", ["A12"])["A12"].token
    seed(database, token, 1)
    with database.connection() as connection:
        asked = erase.ask(connection, "main", "key:x", "account:A12", vault)
    assert asked.destroyed
    assert Vault("main", RING).resolve(database, [token]) == {}
    with database.connection() as connection:
        assert erase.ask(connection, "main", "key:x", "account:A12", vault) == erase.Asked(asked.erasure_id, destroyed=False)
    assert erase.database_part(database) == asked.erasure_id
    assert erase.database_part(database) is None
    row = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]
    assert row["state"] == "files"
    assert {line["store"] for line in row["report"]} >= {"cases", "anomalies", "entities"}
    kept = everything(database, without=("vault_subjects", "erasures"))
    assert not [row for rows in kept.values() for row in rows if token in row or "A12" in row]


@pytest.mark.parametrize("wrong", ["A12", "service:x", "account:", "account:tok_" + "a" * 26])
def test_what_cannot_be_forgotten(database: Database, wrong: str) -> None:
    with database.connection() as connection, pytest.raises(NoSubject):
        erase.ask(connection, "main", "key:x", wrong, None)


def test_patterns_know_whole_names() -> None:
    def marked(identifier: str, text: str, **more: Any) -> str:
        return Subject("main", "account", identifier, "X", **more).forget(text)

    assert marked("A12", "A12, A123 A12/EUR xA12 A12-3 (A12)") == "X, A123 X/EUR xA12 A12-3 (X)"
    assert marked("1234", "1234 events, account:1234/EUR") == "1234 events, account:X/EUR"
    assert marked("A1", "tok_zz or A1", token="tok_zz") == "X or X"
