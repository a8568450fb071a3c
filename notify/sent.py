"""The delivery log: what went where and what came back, dead letters and sending again, and the test of a channel."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from notify.alarms import hashed
from notify.config import load
from notify.deliver import WORKER, Outcome, ToolsOf, deliver_one
from notify.errors import NotFound, NotReplayable
from notify.wording import compose, sentence
from store.database import Connection, Queries, fetch, run
from store.settings import Settings
from trust import audit
from trust.roles import Caller

LATELY = timedelta(days=7)


def deliveries(
    queries: Queries, tenant: str, *, before: int | None = None, limit: int = 50, state: str | None = None,
    channel_id: str | None = None, route_id: str | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Newest first; `before`: the `seq` of the last one seen. `state`: waiting, sending, sent, dead (letters), skipped."""
    return queries.fetch(
        "notify_deliveries", tenant=tenant, before=before, limit=limit, state=state, channel_id=channel_id, route_id=route_id
    )


def delivery(queries: Queries, tenant: str, delivery_id: str) -> dict[str, Any]:
    """One delivery with its `content` and all `tries`; raises NotFound."""
    found = queries.fetch("notify_delivery", tenant=tenant, delivery_id=delivery_id)
    if not found:
        raise NotFound(f"(delivery {delivery_id[:64]})")
    return found[0] | {"tries": queries.fetch("notify_attempts", tenant=tenant, delivery_id=delivery_id)}


def about(queries: Queries, tenant: str, subject: str) -> list[dict[str, Any]]:
    """What was sent about a case (or another subject), oldest first, for its timeline."""
    return queries.fetch("notify_subject_deliveries", tenant=tenant, subject=subject)


def health(queries: Queries, tenant: str, now: datetime) -> dict[str, dict[str, Any]]:
    """How each channel has done in the last week: `sent`, `waiting`, `dead`, `last_sent_at`, `last_error`."""
    return {row.pop("channel_id"): row for row in queries.fetch("notify_channel_state", tenant=tenant, since=now - LATELY)}


def replay(connection: Connection, caller: Caller, delivery_id: str, now: datetime) -> None:
    """Send a finished delivery again, with a key of its own. Raises NotFound, NotReplayable."""
    if not fetch(connection, "notify_delivery", tenant=caller.tenant, delivery_id=delivery_id):
        raise NotFound(f"(delivery {delivery_id[:64]})")
    if not fetch(connection, "notify_replay", tenant=caller.tenant, delivery_id=delivery_id, channel_id=None, now=now):
        raise NotReplayable(f"(delivery {delivery_id})")
    audit.record(connection, caller.tenant, caller.actor, "delivery.replay", f"delivery/{delivery_id}")


def replay_dead(connection: Connection, caller: Caller, channel_id: str, now: datetime) -> int:
    """Send all dead letters of a channel again; how many there were."""
    gone = fetch(connection, "notify_replay", tenant=caller.tenant, delivery_id=None, channel_id=channel_id, now=now)
    audit.record(connection, caller.tenant, caller.actor, "delivery.replay", f"channel/{channel_id}", {"count": len(gone)})
    return len(gone)


def try_channel(
    queries: Queries, caller: Caller, channel_id: str, settings: Settings, tools_of: ToolsOf, now: datetime
) -> Outcome:
    """The test button: send a test message at once and say what came of it; an incident it opens is resolved again.

    Raises NotFound.
    """
    config = load(queries, caller.tenant, settings)
    channel = config.channel(channel_id)
    if channel is None:
        raise NotFound(f"(channel {channel_id[:64]})")
    content = trial_content(channel_id, settings.notify.public_url, now)
    thread = f"conclave/{caller.tenant}/test/{hashed(channel_id, now.isoformat())}" if channel.kind.incidents else ""

    def attempt(action: str) -> Outcome:
        row = _prepared(queries, caller, channel_id, channel.name, action, thread, content, settings, now)
        return deliver_one(queries, row, lambda tenant, connection=None: config, tools_of, settings.notify, now)

    outcome = attempt("test")
    if outcome.state == "sent" and channel.kind.incidents:
        attempt("resolve")
    return outcome


def trial_content(channel_id: str, public_url: str, now: datetime) -> dict[str, Any]:
    """What a test says."""
    message = {
        "message_id": 0, "kind": "test", "subject": "", "entity": "", "severity": 0.1, "created_at": now,
        "title": sentence("test_title", channel=channel_id),
    }  # fmt: skip
    return compose([message], {0: {"detail": sentence("test_detail")}}, public_url, 1)


def _prepared(
    queries: Queries, caller: Caller, channel_id: str, kind: str, action: str, thread: str, content: Mapping[str, Any],
    settings: Settings, now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The delivery's row, already leased by us."""
    tenant, bundle_id = caller.tenant, hashed("test", caller.tenant, channel_id, action, now.isoformat())
    delivery_id = hashed(bundle_id, channel_id, action)
    with queries.connection() as connection:
        run(
            connection,
            "notify_put_bundle",
            tenant=tenant,
            bundle_id=bundle_id,
            route_id="test",
            total=1,
            content=content,
            now=now,
        )
        run(connection, "notify_put_delivery", tenant=tenant, delivery_id=delivery_id, bundle_id=bundle_id, route_id="test",
            channel_id=channel_id, kind=kind, action=action, subject="", thread=thread, state="waiting", error="",
            now=now)  # fmt: skip
        until = now + timedelta(seconds=settings.notify.lease_s)
        row = fetch(connection, "notify_lease_one", tenant=tenant, delivery_id=delivery_id, worker=WORKER, until=until)[0]
        audit.record(connection, tenant, caller.actor, "channel.test", f"channel/{channel_id}", {"delivery": delivery_id})
    return row
