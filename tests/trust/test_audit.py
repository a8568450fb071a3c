"""The audit chain: what is appended holds, and whatever is done to it afterwards is named."""

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.database import Database
from store.errors import DatabaseForbidden
from trust import audit

ENTRIES = 6


def record(database: Database, tenant: str = "main", number: int = 0) -> str:
    with database.connection() as connection:
        return audit.record(
            connection, tenant, "key:a1", "case.resolve", f"case-{number}", {"reason": "fraud", "n": number, "é": None}
        )


def tamper(database: Database, statement: str) -> None:
    """As somebody who owns the database and lifts the trigger."""
    with database.connection() as connection:
        connection.execute("alter table audit_log disable trigger user")
        connection.execute(statement.encode())
        connection.execute("alter table audit_log enable trigger user")


@pytest.fixture
def chained(database: Database) -> Database:
    for number in range(1, ENTRIES + 1):
        record(database, number=number)
    record(database, "other")
    return database


def test_what_is_appended_holds(chained: Database) -> None:
    verdict = audit.verify(chained, "main")
    assert (verdict.entries, verdict.broken, verdict.why) == (ENTRIES, None, "")
    head = record(chained)
    assert audit.verify(chained, "main").head == head
    assert [(one.tenant, one.entries, one.broken) for one in audit.verify_all(chained)] == [("main", 7, None), ("other", 1, None)]


def test_an_empty_chain_holds(database: Database) -> None:
    assert audit.verify(database, "nobody") == audit.Verdict("nobody", 0, "")


@pytest.mark.parametrize("change", [
    "at = at + interval '1 microsecond'", "actor = 'key:b2'", "action = 'case.dismiss'", "subject = 'case-9'",
    "detail = detail || '{\"n\": 4}'", "detail = detail - 'reason'", "previous = repeat('0', 64)", "hash = repeat('0', 64)",
])  # fmt: skip
def test_a_changed_column_breaks_its_link(chained: Database, change: str) -> None:
    tamper(chained, f"update audit_log set {change} where tenant = 'main' and seq = 3")
    verdict = audit.verify(chained, "main")
    assert (verdict.broken, verdict.entries) == (3, 2)
    assert verdict.why
    assert audit.verify(chained, "other").broken is None


def test_a_change_with_its_hash_mended_breaks_the_next(chained: Database) -> None:
    with chained.connection() as connection:
        entry = connection.execute("select * from audit_log where tenant = 'main' and seq = 3").fetchall()[0]
    forged = audit.link(entry | {"actor": "key:b2"})
    tamper(chained, f"update audit_log set actor = 'key:b2', hash = '{forged}' where tenant = 'main' and seq = 3")
    assert audit.verify(chained, "main").broken == 4


@pytest.mark.parametrize(("seq", "broken"), [(1, 1), (4, 4)])
def test_a_removed_entry_is_missed(chained: Database, seq: int, broken: int) -> None:
    tamper(chained, f"delete from audit_log where tenant = 'main' and seq = {seq}")
    verdict = audit.verify(chained, "main")
    assert (verdict.broken, verdict.why) == (broken, "the entry is missing")


def test_what_is_cut_off_at_the_end_shows_by_the_head(chained: Database) -> None:
    head = audit.verify(chained, "main").head
    tamper(chained, f"delete from audit_log where tenant = 'main' and seq = {ENTRIES}")
    cut = audit.verify(chained, "main")
    assert cut.broken is None, "a chain cannot know its own end"
    assert cut.head != head


def test_an_entry_put_in_between_or_moved_breaks_it(chained: Database) -> None:
    tamper(chained, "update audit_log set seq = seq + 100 where tenant = 'main' and seq > 3")
    tamper(chained, "update audit_log set seq = seq - 99 where tenant = 'main' and seq > 100")
    tamper(chained, "insert into audit_log select tenant, 4, at, actor, action, subject, detail, previous, hash "
                    "from audit_log where tenant = 'main' and seq = 3")  # fmt: skip
    assert audit.verify(chained, "main").broken == 4


def test_an_entry_of_another_tenant_does_not_fit(chained: Database) -> None:
    tamper(chained, "update audit_log set tenant = 'main', seq = 7 where tenant = 'other'")
    assert audit.verify(chained, "main").broken == 7


@pytest.mark.parametrize("statement", ["update audit_log set actor = ''", "delete from audit_log", "truncate audit_log"])
def test_it_is_append_only(chained: Database, statement: str) -> None:
    with pytest.raises(DatabaseForbidden, match="append only"), chained.connection() as connection:
        connection.execute(statement.encode())
    with pytest.raises(DatabaseForbidden), chained.of("main").connection() as connection:
        connection.execute(statement.encode())
    assert audit.verify(chained, "main").entries == ENTRIES


def test_the_application_appends_for_its_own_tenant_only(chained: Database) -> None:
    with chained.of("main").connection() as connection:
        audit.record(connection, "main", "key:a1", "case.resolve", "case-1")
    with pytest.raises(DatabaseForbidden), chained.of("main").connection() as connection:
        audit.record(connection, "other", "key:a1", "case.resolve", "case-1")
    assert [one.entries for one in audit.verify_all(chained)] == [7, 1]


def test_what_is_undone_leaves_no_gap(chained: Database) -> None:
    with chained.connection() as connection:
        audit.record(connection, "main", "key:a1", "case.resolve", "case-1")
        connection.rollback()
    record(chained)
    assert audit.verify(chained, "main") == audit.Verdict("main", ENTRIES + 1, audit.verify(chained, "main").head)


def test_writers_at_once_make_one_chain(database: Database) -> None:
    def write() -> None:
        for number in range(8):
            record(database, number=number)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = audit.verify(database, "main")
    assert (verdict.entries, verdict.broken) == (32, None)


TEXT = st.text(max_size=5)
VALUES = st.none() | st.booleans() | st.integers() | TEXT
ENTRY = st.fixed_dictionaries(
    {"tenant": TEXT, "seq": st.integers(1), "at": st.datetimes(timezones=st.timezones()), "actor": TEXT,
     "action": TEXT, "subject": TEXT, "detail": st.dictionaries(TEXT, VALUES), "previous": TEXT}
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(ENTRY, ENTRY)
def test_different_entries_have_different_links(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = one | {"at": one["at"].timestamp()} == other | {"at": other["at"].timestamp()}
    assert (audit.link(one) == audit.link(other)) == same
    assert audit.link(one | {"hash": "x"}) == audit.link(one)
