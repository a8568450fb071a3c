"""A case on the desk as a value, and how it is read and written."""

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from desk import life, timers
from desk.errors import UnknownCase
from store.database import Connection, fetch, run
from store.sections.desk import Desk


@dataclass(frozen=True)
class File:
    """A row of `case_files`; see store/schema/0006_desk.sql for every column."""

    case_id: str
    tenant: str
    title: str
    entity: str
    kind: str
    pattern: str
    fingerprint: dict[str, Any]
    touches: list[str]
    ruling_id: str | None
    outcome: str
    confidence: float
    severity: float
    own_severity: float
    revision: int
    hits: int
    started_at: datetime
    last_at: datetime
    own_started_at: datetime
    own_last_at: datetime
    opened_at: datetime
    changed_at: datetime
    head: str | None = None
    joined_because: str = ""
    version: int = 1
    status: life.Status = "open"
    apart: tuple[str, ...] = ()
    members: int = 1
    stake: dict[str, Any] | None = None
    expected_loss: float | None = None
    loss_currency: str | None = None
    loss_words: str = ""
    weight: float = 0.0
    assignee: str | None = None
    tags: tuple[str, ...] = ()
    reason: str | None = None
    reason_text: str | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    expires_at: datetime | None = None
    closed_severity: float | None = None
    recurrences: int = 0
    reopened: int = 0
    snoozed_until: datetime | None = None
    snoozed_by: str | None = None
    snooze: dict[str, Any] | None = None
    held_by: int | None = None
    acknowledged_at: datetime | None = None
    ack_due_at: datetime | None = None
    resolve_due_at: datetime | None = None
    breached: tuple[str, ...] = ()
    escalation: int = 0

    @property
    def is_closed(self) -> bool:
        return self.status in life.CLOSED

    @property
    def is_quiet(self) -> bool:
        """Nobody is told of it: held by a maintenance window, snoozed, or dismissed."""
        return self.held_by is not None or self.snoozed_until is not None or self.status == "dismissed"

    def next_version(self, now: datetime, **changed: Any) -> "File":
        return replace(self, version=self.version + 1, changed_at=now, **changed)


COLUMNS = tuple(one.name for one in fields(File))
TUPLES = ("apart", "tags", "breached")


def of_row(row: dict[str, Any]) -> File:
    """The file of a row that has all its columns, and maybe more."""
    given: dict[str, Any] = {name: tuple(row[name]) if name in TUPLES else row[name] for name in COLUMNS}
    return File(**given)


def lock(connection: Connection, tenant: str, case_id: str) -> tuple[File, datetime]:
    """The file, held for this transaction, and the database's clock; raises UnknownCase."""
    rows = fetch(connection, "desk_lock_file", tenant=tenant, case_id=case_id)
    if not rows:
        raise UnknownCase(f"({case_id[:80]})")
    return of_row(rows[0]), rows[0]["now"]


def read(connection: Connection, tenant: str, case_id: str) -> File:
    """The file as it is; raises UnknownCase."""
    rows = fetch(connection, "desk_file", tenant=tenant, case_id=case_id)
    if not rows:
        raise UnknownCase(f"({case_id[:80]})")
    return of_row(rows[0])


def add(connection: Connection, file: File, desk: Desk) -> None:
    """Write a new file."""
    run(connection, "desk_add_file", **_params(file, desk))


def save(connection: Connection, file: File, desk: Desk) -> None:
    """Write all of a file that may change; the members of a head stand as it does, should it ever go before them."""
    run(connection, "desk_save_file", **_params(file, desk))
    if file.members > 1 and file.head is None:
        run(connection, "desk_follow_head", tenant=file.tenant, case_id=file.case_id, status=file.status)


def _params(file: File, desk: Desk) -> dict[str, Any]:
    row = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(file).items()}
    return {**row, "stake": row["stake"] or {}, "next_timer_at": timers.next_at(clock(file), desk)}


def clock(file: File) -> timers.Clock:
    """What the timers look at."""
    return timers.Clock(
        status=file.status, member=file.head is not None, held=file.held_by is not None, ack_due_at=file.ack_due_at,
        resolve_due_at=file.resolve_due_at, breached=frozenset(file.breached), escalation=file.escalation,
        snoozed_until=file.snoozed_until, expires_at=file.expires_at,
    )  # fmt: skip
