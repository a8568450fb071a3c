"""Forgetting somebody: what was asked, the database's part, the report. Files are trust/files.py, Delta tables jobs/erase.py.

Asking destroys the subject's key at once: from then on nothing sealed for it opens, wherever it lies. The rest is work of
minutes, done by `conclave erase` or `conclave operate`, and may be broken off and run again.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from store import mentions
from store.database import Connection, Database, Jsonb, fetch, run
from trust import audit
from trust.subject import Subject, parse
from trust.vault import Vault, Within

OWN = ("vault_keys", "vault_subjects", "erasures", "schema_migrations")
CHAIN = ("audit_log",)  # may not change, or its chain breaks
# What one row says is about one thing: a mention takes the whole row. Elsewhere a mark takes the name's place.
WHOLE_ROWS = frozenset([
    "alert_messages", "answer_cache", "answers", "conversation_messages", "list_items", "memories", "messages", "quarantined",
    "rule_hits", "rule_work", "section_proposals", "spans", "tool_audit", "traces",
])  # fmt: skip


Sealed = Callable[[Subject], int]


@dataclass(frozen=True)
class Line:
    """What became of a subject in one store. `kept`: rows that still name it, with the reason in `note`."""

    store: str
    removed: int = 0
    unlinked: int = 0
    kept: int = 0
    note: str = ""


STATE = (
    "its windows' numbers stay in detect's checkpoint under a 64-bit hash of {name} until the entity has been idle for "
    "`detect.idle_s`; `conclave detect --rebuild{how}` removes them at once"
)
TOKENISED = [  # what Delta holds then leads nowhere, so it may stay
    Line("Delta bronze and quarantine", note="rows stay under a token that leads nowhere; no key opens their free text any more"),
    Line("state", note=STATE.format(name="that token", how="")),
]
ELSEWHERE = [
    Line(
        "database files", note="removed rows are overwritten as Postgres vacuums; its WAL and backups keep to their own retention"
    ),
    Line("Kafka", note="what a topic still holds keeps to the topic's retention"),
]


@dataclass(frozen=True)
class Asked:
    """An erasure that was asked for; `destroyed`: its key was there and is gone."""

    erasure_id: str
    destroyed: bool


def ask(connection: Connection, tenant: str, actor: str, entity: str, vault: Vault | None) -> Asked:
    """Note down inside the caller's transaction that `account:ID` is to be forgotten, and destroy its key.

    Raises NoSubject. Asking again for what is not done yet gives the same erasure.
    """
    kind, identifier = parse(entity)
    held = fetch(connection, "open_erasure", tenant=tenant, subject=entity)
    if held:
        return Asked(held[0]["erasure_id"], destroyed=False)
    token = None if vault is None else vault.known(Within(connection), kind, [identifier]).get(identifier)
    destroyed = vault is not None and token is not None and vault.destroy(connection, token)
    erasure_id = f"erasure-{secrets.token_hex(8)}"
    hashed = hashlib.sha256(secrets.token_bytes(16) + entity.encode()).hexdigest()
    mark = f"erased-{secrets.token_hex(6)}"
    fetch(connection, "ask_erasure", tenant=tenant, erasure_id=erasure_id, subject=entity, subject_hash=hashed, mark=mark,
          token=token, asked_by=actor)  # fmt: skip
    audit.record(connection, tenant, actor, "subject.erase", erasure_id, {"kind": kind, "subject_hash": hashed})
    return Asked(erasure_id, destroyed)


def take(connection: Connection, states: Sequence[str], erasure_id: str | None = None) -> tuple[str, Subject, list[Line]] | None:
    """The next erasure in one of these states, held until commit, and what its report says so far."""
    rows = fetch(connection, "take_erasure", states=list(states), erasure_id=erasure_id)
    if not rows:
        return None
    row = rows[0]
    kind, identifier = parse(row["subject"])
    subject = Subject(row["tenant"], kind, identifier, row["mark"], row["token"])
    return row["erasure_id"], subject, [Line(**line) for line in row["report"]]


def put(connection: Connection, erasure_id: str, subject: Subject, state: str, lines: Sequence[Line], error: str = "") -> None:
    report = Jsonb([asdict(line) for line in lines])
    run(connection, "put_erasure", tenant=subject.tenant, erasure_id=erasure_id, state=state, report=report, error=error)


def database_part(database: Database, erasure_id: str | None = None, sealed: Sealed | None = None) -> str | None:
    """Do the database's part of one erasure in one transaction; its id, None when there is none to do.

    `sealed` deletes, before it, what names the subject only in sealed text, and says how much that was.
    """
    hidden = 0
    if sealed is not None:
        with database.connection() as connection:
            taken = take(connection, ["asked"], erasure_id)
        hidden = sealed(taken[1]) if taken is not None else 0
        erasure_id = taken[0] if taken is not None else erasure_id
    with database.connection() as connection:
        taken = take(connection, ["asked"], erasure_id)
        if taken is None:
            return None
        taken_id, subject, _ = taken
        lines = [Line("sealed traces", removed=hidden)] if hidden else []
        put(connection, taken_id, subject, "files", [*lines, *forget(connection, subject)])
    return taken_id


def forget(connection: Connection, subject: Subject) -> list[Line]:
    """Remove or unlink every row that is about the subject or names it; a line per table that had any."""
    tenant, removed = subject.tenant, dict[str, int]()
    found = fetch(connection, "subject_entities", tenant=tenant, names=subject.names)
    names = sorted({row["entity"] for row in found} | set(subject.names))
    cases = [row["case_id"] for row in fetch(connection, "subject_cases", tenant=tenant, entities=names)]
    for column, kind, values in (
        ("case_id", "text", cases),
        ("entity_hash", "bigint", [row["entity_hash"] for row in found]),
        ("entity", "text", names),
    ):
        tables = [table for table in mentions.tables_with(connection, column, kind) if table not in (*OWN, *CHAIN)]
        _add(removed, mentions.remove_where(connection, tables, column, tenant, values) if values else {})
    tables = mentions.tables_with(connection, "case_ids", "text[]")
    _add(removed, {table: mentions.remove_sharing(connection, table, "case_ids", tenant, cases) for table in tables})
    unlinked = _mentions(connection, subject, removed)
    lines = [Line(table, removed.get(table, 0), unlinked.get(table, 0)) for table in sorted({*removed, *unlinked})]
    return [line for line in lines if line.removed or line.unlinked] + left(connection, subject)


def left(connection: Connection, subject: Subject) -> list[Line]:
    """The proof of absence: every table that still names the subject, by identifier or token."""
    lines = []
    for table, held in _by_table(connection, (*OWN,)):
        kept = mentions.count(connection, held, subject.tenant, subject.pattern)
        if kept:
            note = "append only and chained; entries by others that name it" if table in CHAIN else "still there"
            lines.append(Line(table, kept=kept, note=note))
    return lines


def _mentions(connection: Connection, subject: Subject, removed: dict[str, int]) -> dict[str, int]:
    unlinked: dict[str, int] = {}
    for table, held in _by_table(connection, (*OWN, *CHAIN)):
        speaking = [one for one in held if mentions.count(connection, [one], subject.tenant, subject.pattern)]
        if speaking and table in WHOLE_ROWS:
            _add(removed, {table: mentions.remove(connection, speaking, subject.tenant, subject.pattern)})
        elif speaking:
            unlinked[table] = mentions.replace(connection, speaking, subject.tenant, subject.pattern, subject.mark)
    return unlinked


def _by_table(connection: Connection, without: Sequence[str]) -> list[tuple[str, list[mentions.Column]]]:
    return [(table, list(held)) for table, held in groupby(mentions.columns(connection, without), lambda one: one.table)]


def _add(removed: dict[str, int], more: dict[str, int]) -> None:
    for table, rows in more.items():
        removed[table] = removed.get(table, 0) + rows


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An erasure as it may be shown: with the salted hash, without the name."""
    return {name: row[name] for name in ("erasure_id", "state", "asked_by", "asked_at", "finished_at", "report", "error")} | {
        "subject_hash": row["subject_hash"]
    }
