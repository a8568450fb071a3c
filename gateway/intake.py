"""Taking a posted batch in: what is new goes down the lane, and the answer is kept with the request's key, in one transaction.

A process that dies between the lane and the commit leaves events that were sent and an answer that was not: the sender repeats
the request, the landing folder knows the name, and over Kafka the stream knows the events by their ids.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway.batch import Record
from gateway.errors import KeyReused
from gateway.lanes import Lane
from store.database import Connection, Database, Tenant, fetch, run
from store.sections.gateway import Gateway
from trust.roles import Caller

Outcome = Literal["accepted", "duplicate", "refused"]
CONFLICT = "event_id was used before for an event with another content; the stream will set this one aside as a conflict"
TAKEN = 202


@dataclass(frozen=True)
class Fate:
    """What became of one record; `why` is empty for a plain acceptance."""

    index: int
    outcome: Outcome
    event_id: str | None
    why: str = ""
    field: str = ""


@dataclass(frozen=True)
class Posted:
    """A checked batch; `request_key` is the caller's Idempotency-Key."""

    caller: Caller
    records: Sequence[Record]
    body_hash: str
    now: datetime
    request_key: str | None = None
    topic: str | None = None


def take(store: Tenant, lane: Lane, posted: Posted) -> tuple[list[Fate], bool]:
    """Each record's fate in order, and whether this is the stored answer to the same request.

    Raises KeyReused, NotTaken; then nothing was noted, and the request may be sent again.
    """
    with store.connection() as connection:
        if posted.request_key is not None and (stored := _claim(connection, posted)) is not None:
            return again(posted.records, stored), True
        fates = fates_of(posted.records, _known(connection, posted))
        fresh = [posted.records[fate.index] for fate in fates if fate.outcome == "accepted"]
        if fresh:
            lane.send(name_of(posted), fresh, posted.topic)
        if posted.request_key is not None:
            _keep(connection, posted, fates)
    return fates, False


def name_of(posted: Posted) -> str:
    """The same for the same request; one without a key is a request of its own each time."""
    if posted.request_key is None:
        return secrets.token_hex(16)
    told = "\0".join([posted.caller.tenant, posted.caller.actor, posted.request_key, posted.body_hash])
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def fates_of(records: Sequence[Record], known: dict[int, int]) -> list[Fate]:
    """`known`: id hash → content hash of what was passed on before."""
    seen = dict(known)
    fates = []
    for record in records:
        fates.append(_fate(record, seen))
        if record.refused is None:
            seen.setdefault(record.id_hash, record.content_hash)
    return fates


def _fate(record: Record, seen: dict[int, int]) -> Fate:
    if record.refused is not None:
        return Fate(record.index, "refused", record.event_id, record.refused.reason, record.refused.field)
    before = seen.get(record.id_hash)
    if before is None:
        return Fate(record.index, "accepted", record.event_id)
    if before == record.content_hash:
        return Fate(record.index, "duplicate", record.event_id, "the same event was taken before")
    return Fate(record.index, "accepted", record.event_id, CONFLICT, "event_id")


def again(records: Sequence[Record], stored: dict[str, Any]) -> list[Fate]:
    """A stored answer, told as it was the first time."""
    told = {int(index): (outcome, why, field) for index, outcome, why, field in stored["notable"]}
    return [Fate(r.index, *_reordered(told.get(r.index, ("accepted", "", "")), r.event_id)) for r in records]


def _reordered(told: tuple[Outcome, str, str], event_id: str | None) -> tuple[Outcome, str | None, str, str]:
    return told[0], event_id, told[1], told[2]


def _known(connection: Connection, posted: Posted) -> dict[int, int]:
    """Notes the batch's ids; what was there before, by id."""
    first: dict[int, int] = {}
    for record in posted.records:
        if record.refused is None:
            first.setdefault(record.id_hash, record.content_hash)
    tenant, ids = posted.caller.tenant, list(first)
    if not ids:
        return {}
    put = fetch(connection, "pass_events", tenant=tenant, ids=ids, contents=list(first.values()), now=posted.now)
    old = sorted(set(ids) - {row["id_hash"] for row in put})
    if not old:
        return {}
    return {row["id_hash"]: row["content_hash"] for row in fetch(connection, "passed_contents", tenant=tenant, ids=old)}


def _claim(connection: Connection, posted: Posted) -> dict[str, Any] | None:
    """None when the key is now this request's; else the answer that its first request got."""
    key = {"tenant": posted.caller.tenant, "actor": posted.caller.actor, "request_key": posted.request_key}
    if fetch(connection, "claim_answer", **key, body_hash=posted.body_hash, now=posted.now):
        return None
    stored = fetch(connection, "stored_answer", **key)[0]
    if stored["body_hash"] != posted.body_hash:
        raise KeyReused
    answer: dict[str, Any] = stored["answer"]
    return answer


def _keep(connection: Connection, posted: Posted, fates: Sequence[Fate]) -> None:
    """Only what is not plainly accepted is kept: the rest follows from the body, which must come again to be answered."""
    notable = [[fate.index, fate.outcome, fate.why, fate.field] for fate in fates if fate.outcome != "accepted" or fate.why]
    run(
        connection, "store_answer", tenant=posted.caller.tenant, actor=posted.caller.actor, request_key=posted.request_key,
        status=TAKEN, answer={"notable": notable},
    )  # fmt: skip


def forget(database: Database, settings: Gateway, now: datetime) -> int:
    """Drop ids, answers and changes that are past their time, of all tenants; how many."""
    kept = {
        "forget_passed": settings.known_ids_s, "forget_answers": settings.answers_s, "forget_changes": settings.changes_s,
    }  # fmt: skip
    return sum(database.run(name, before=now - timedelta(seconds=kept_s)) for name, kept_s in kept.items())
