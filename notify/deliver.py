"""Deliveries: leased, sent, and what came of it written down. waiting → sending → sent | waiting (again, later) | dead.

A sender that dies while sending leaves its lease to run out; the next one sends again under the same key, so that a receiver with
keys takes it once, and says that it may be a repeat where the receiver has none.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from notify.config import Channel
from notify.errors import AddressUnknown, Again, NotFound, Refused, SecretMissing
from notify.match import ConfigOf
from notify.senders import Outgoing, Tools, send
from observe.telemetry import work
from store.database import Database, Queries, run
from store.errors import ConclaveError, DatabaseError
from store.outbox import Message, publish
from store.sections.notify import Notify
from store.settings import Settings

WORKER = uuid.uuid4().hex[:12]
PATIENCE_S = 0.3
ANSWER_CAP = 2000
ToolsOf = Callable[[str, datetime], Tools]
log = structlog.get_logger("notify")


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt: `state` sent, waiting (again `after_s` seconds later), dead or skipped."""

    state: str
    status: int | None = None
    answer: str = ""
    error: str = ""
    after_s: float = 0.0

    @property
    def attempt(self) -> str:
        return {"waiting": "again", "dead": "dead"}.get(self.state, "sent")


class Lanes:
    """The deliveries that this process has under way: `senders` at once, and one for the model; nobody waits for a slow one."""

    def __init__(self, senders: int) -> None:
        self.pool = ThreadPoolExecutor(senders + 1, thread_name_prefix="notify")
        self.under_way: dict[Future[Outcome], bool] = {}  # → whether it is a model's

    def free(self, slow: bool, senders: int) -> int:
        return (1 if slow else senders) - sum(one == slow for one in self.under_way.values())

    def settle(self, patience_s: float) -> int:
        """Wait so long at most; how many ended. Raises what went wrong with writing an outcome down."""
        wait(self.under_way, timeout=patience_s)
        ended = [future for future in self.under_way if future.done()]
        for future in ended:
            del self.under_way[future]
        for future in ended:
            future.result()
        return len(ended)


LANES: WeakKeyDictionary[Database, Lanes] = WeakKeyDictionary()


def deliver_some(database: Database, config_of: ConfigOf, tools_of: ToolsOf, settings: Settings, now: datetime) -> int:
    """Send what is due, a few at once; how many were begun or are under way. Each outcome is a transaction of its own."""
    tuned = settings.notify
    if (lanes := LANES.get(database)) is None:
        lanes = LANES[database] = Lanes(tuned.senders)
    for slow, longest_s in ((False, tuned.timeout_s), (True, settings.model.timeout_s)):
        until = now + timedelta(seconds=max(tuned.lease_s, 2 * longest_s))
        if (free := lanes.free(slow, tuned.senders)) > 0:
            rows = database.fetch("notify_lease_deliveries", now=now, until=until, worker=WORKER, slow=slow, limit=free)
            for row in rows:
                lanes.under_way[lanes.pool.submit(deliver_one, database, row, config_of, tools_of, tuned, now)] = slow
    busy = len(lanes.under_way)
    if busy:
        lanes.settle(PATIENCE_S)
    return busy


def deliver_one(
    queries: Queries, row: Mapping[str, Any], config_of: ConfigOf, tools_of: ToolsOf, settings: Notify, now: datetime
) -> Outcome:
    """Send one leased delivery and write down what came of it."""
    tools, began = tools_of(row["tenant"], now), time.perf_counter()
    with work.delivery(queries, row):
        outcome = _attempt(queries, row, config_of(row["tenant"]).channel(row["channel_id"]), tools, settings)
    latency_ms = (time.perf_counter() - began) * 1000
    work.delivered(row["kind"], outcome.state, latency_ms)
    _finish(queries, row, outcome, tools, now, latency_ms)
    return outcome


def _attempt(queries: Queries, row: Mapping[str, Any], channel: Channel | None, tools: Tools, settings: Notify) -> Outcome:
    if channel is None:
        return Outcome("dead", error=str(NotFound(f"(channel {row['channel_id']})")))
    if not channel.enabled and row["action"] != "test":
        return Outcome("skipped", error="The channel is switched off.")
    try:
        receipt = send(channel.kind, outgoing(queries, row), tools)
    except Exception as error:
        return judged(error, row, settings)
    return Outcome("sent", receipt.status, receipt.answer)


def outgoing(queries: Queries, row: Mapping[str, Any]) -> Outgoing:
    """A leased row as the senders take it; a replay has a key of its own, since the first sending was finished."""
    tenant, replays = row["tenant"], row["replays"]
    return Outgoing(
        tenant, row["delivery_id"], f"{row['delivery_id']}{f'-r{replays}' if replays else ''}", row["action"], row["thread"],
        row["content"], row["unsure"],
        lambda: queries.fetch("notify_bundle_messages", tenant=tenant, bundle_id=row["bundle_id"]),
    )  # fmt: skip


def judged(error: Exception, row: Mapping[str, Any], settings: Notify) -> Outcome:
    """Whether to try again. What only we can mend (a missing secret, a forbidden address) is not tried for ever either."""
    if not isinstance(error, ConclaveError):
        log.error("a sender broke", delivery=row["delivery_id"], kind=row["kind"], fault=type(error).__name__)
    again = isinstance(error, Again | AddressUnknown | SecretMissing | DatabaseError) or not isinstance(error, ConclaveError)
    said = str(error) if isinstance(error, ConclaveError) else f"A fault of ours ({type(error).__name__})."
    status = error.status if isinstance(error, Again | Refused) else None
    if not again or row["attempts"] >= settings.attempts * (row["replays"] + 1) or row["action"] == "test":
        return Outcome("dead", status, error=said)
    wanted = error.after_s if isinstance(error, Again) else None
    return Outcome("waiting", status, error=said, after_s=pause(row["delivery_id"], row["attempts"], settings, wanted))


def pause(delivery_id: str, attempt: int, settings: Notify, wanted_s: float | None = None) -> float:
    """Seconds until the next attempt: doubling, with a jitter that the id decides; at least what the receiver asked for."""
    doubled = min(settings.backoff_s * 2.0 ** min(attempt - 1, 40), settings.backoff_max_s)
    chance = int.from_bytes(sha256(f"{delivery_id} {attempt}".encode()).digest()[:4], "big") / 2**32
    return max(doubled * (0.8 + 0.4 * chance), min(wanted_s or 0.0, settings.backoff_max_s))


def _finish(queries: Queries, row: Mapping[str, Any], outcome: Outcome, tools: Tools, now: datetime, latency_ms: float) -> None:
    clean, at = tools.vault.without_secrets, now + timedelta(milliseconds=latency_ms)
    error, answer = clean(outcome.error), clean(outcome.answer, ANSWER_CAP)
    with queries.connection() as connection:
        ours = run(
            connection, "notify_finish_delivery", tenant=row["tenant"], delivery_id=row["delivery_id"], worker=WORKER,
            attempt=row["attempts"], state=outcome.state, status=outcome.status, answer=answer, error=error,
            not_before=at + timedelta(seconds=outcome.after_s), finished_at=None if outcome.state == "waiting" else at,
        )  # fmt: skip
        run(
            connection, "notify_put_attempt", tenant=row["tenant"], delivery_id=row["delivery_id"], attempt=row["attempts"],
            now=now, latency_ms=latency_ms, outcome=outcome.attempt, status=outcome.status, detail=error or answer[:500],
        )  # fmt: skip
        if ours and outcome.state == "dead" and row["action"] != "test":
            tell_of_dead(connection, row, error, at)


def tell_of_dead(connection: Any, row: Mapping[str, Any], error: str, at: datetime) -> None:
    """Somebody should know, once an hour and channel; news of undelivered news is not told of again."""
    if any(one["kind"] == "delivery.dead" for one in row["content"]["kinds"]):
        return
    publish(
        connection,
        Message(
            row["tenant"], "system", "delivery.dead", f"channel/{row['channel_id']}", 0.7,
            f"Messages could not be delivered to channel {row['channel_id']}", f"dead {row['channel_id']} {at:%Y-%m-%dT%H}",
            payload={"detail": error, "delivery_id": row["delivery_id"]},
        ),
    )  # fmt: skip
