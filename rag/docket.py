"""The priority queue of cases in Postgres: leases, attempts, backoff and dead letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from rag.errors import CaseBeingHeard, UnknownCase
from rag.triage import Lane
from store import database as store
from store.sections.core import Council

if TYPE_CHECKING:
    from store.database import Connection, Database

CHANNEL = "docket"
LONGEST_BACKOFF_S = 900.0


@dataclass(frozen=True)
class Taken:
    """A case leased to this worker; `attempts` numbers the lease, so a lost one is noticed."""

    case_id: str
    tenant: str
    lane: Lane
    priority: float
    revision: int
    reason: str
    attempts: int
    taken_at: datetime


@dataclass(frozen=True)
class Closed:
    """What a hearing leaves on the docket; `not_before` is when it may be heard again for want of a model."""

    case_id: str
    revision: int
    lane: Lane
    not_before: datetime | None = None


def take(database: "Database", lane: Lane, limit: int, worker: str, council: Council, now: datetime | None = None) -> list[Taken]:
    """Lease up to `limit` cases of a lane, the most severe first; without `now` the database's clock decides."""
    rows = database.fetch(
        "take_cases", lane=lane, limit=limit, worker=worker, now=now, lease_s=council.lease_s, max_attempts=council.max_attempts
    )
    return sorted((Taken(**row) for row in rows), key=lambda case: (-case.priority, case.case_id))


def hold(connection: "Connection", taken: Sequence[Taken], worker: str) -> set[str]:
    """The case ids whose lease is still this worker's, locked to the end of the transaction."""
    rows = store.fetch(
        connection, "hold_leases", worker=worker, case_ids=[c.case_id for c in taken], attempts=[c.attempts for c in taken]
    )
    return {row["case_id"] for row in rows}


def finish(connection: "Connection", heard: Iterable[Closed]) -> int:
    """Close heard cases in the transaction that writes their rulings."""
    cases = sorted(heard, key=lambda case: case.case_id)
    return store.run(
        connection, "finish_cases", case_ids=[c.case_id for c in cases], revisions=[c.revision for c in cases],
        lanes=[c.lane for c in cases], not_before=[c.not_before for c in cases],
    )  # fmt: skip


def fail(
    database: "Database", taken: Sequence[Taken], worker: str, error: str, council: Council, now: datetime | None = None
) -> int:
    """Send cases back with backoff, or to the dead letters after their last attempt."""
    return database.run(
        "fail_cases", worker=worker, now=now, case_ids=[c.case_id for c in taken], attempts=[c.attempts for c in taken],
        dead=[c.attempts >= council.max_attempts for c in taken], errors=[error[:500]] * len(taken),
        delays_s=[delay_s(c.case_id, c.attempts, council.backoff_s) for c in taken],
    )  # fmt: skip


def delay_s(case_id: str, attempt: int, first_s: float) -> float:
    """Seconds to wait after a failed attempt (1, 2, …): doubling, ±50 % jitter that case and attempt decide."""
    share = int.from_bytes(sha256(f"{case_id}/{attempt}".encode()).digest()[:4]) / 2**32
    return min(first_s * 2.0 ** (attempt - 1), LONGEST_BACKOFF_S) * (0.5 + share)


def retry(database: "Database", case_id: str) -> None:
    """Put one case before the council once more: a dead letter, a ruled one, or one that triage filed."""
    if database.run("retry_case", case_id=case_id):
        return
    raise CaseBeingHeard(case_id) if database.fetch("case_on_docket", case_id=case_id) else UnknownCase(case_id)


def dead(database: "Database") -> list[dict[str, Any]]:
    """The dead letters, worst first."""
    return database.fetch("dead_cases")


def put(connection: "Connection", cases: Iterable[dict[str, Any]]) -> int:
    """Write cases and enqueue them, as the detect sink does; returns how many docket rows changed."""
    store.run(connection, "create_incoming_cases")
    for case in cases:
        store.run(connection, "add_incoming_case", **case)
    store.run(connection, "put_cases")
    return store.run(connection, "put_on_docket")
