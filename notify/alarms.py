"""Incidents that we opened elsewhere: acknowledged and resolved there when their cases are here.

A thread is an incident's key (PagerDuty's dedup_key, Opsgenie's alias): the case's own when a message is about one case, the
bundle's when it is about many; such an incident is resolved when the last of its cases is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from notify.config import Config
from notify.plan import short
from notify.wording import compose
from store.database import Connection, fetch, run

Settling = Literal["acknowledge", "resolve"]
ENDINGS: dict[str, Settling] = {
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "dismissed": "resolve",
    "recovered": "resolve",
}
STATES = {"acknowledge": "acknowledged", "resolve": "closed"}


def settles(kind: str, state: object = None) -> Settling | None:
    """What a message does to the incidents of its subject; an `llm.alert` says so by its payload's `state`.

    >>> settles("case.resolved"), settles("case.acknowledged"), settles("case.opened"), settles("llm.alert", "resolved")
    ('resolve', 'acknowledge', None, 'resolve')
    """
    return ENDINGS.get(str(state) if kind == "llm.alert" else kind.rpartition(".")[2])


def thread_of(tenant: str, subjects: Sequence[str], bundle_id: str) -> str:
    """The incident's key.

    >>> thread_of("main", ["case-1"], "b7"), thread_of("main", ["case-1", "case-2"], "b7")
    ('conclave/main/case-1', 'conclave/main/bundle/b7')
    """
    return f"conclave/{tenant}/" + (short(subjects[0]) if len(subjects) == 1 and subjects[0] else f"bundle/{bundle_id}")


def hashed(*parts: object) -> str:
    """An id made of what it is about; the same parts give the same id."""
    return sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:24]


def settle(connection: Connection, tenant: str, config: Config, messages: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Acknowledge or resolve, at the channels that hold incidents of the messages' subjects."""
    run(connection, "notify_lock_alarms", tenant=tenant)
    for message in messages:
        action = settles(message["kind"], message["payload"].get("state"))
        if action is not None and message["subject"]:
            kept = fetch(
                connection, "notify_settle_alarms", tenant=tenant, subject=message["subject"], state=STATES[action], now=now
            )
            for alarm in kept:
                _tell(connection, tenant, config, message, alarm, action, now)


def _tell(
    connection: Connection, tenant: str, config: Config, message: Mapping[str, Any], alarm: Mapping[str, Any],
    action: Settling, now: datetime,
) -> None:  # fmt: skip
    """The incident changes only when nothing else keeps it as it was."""
    if alarm["open"] or (action == "resolve" and alarm["acknowledged"]):
        return
    channel = config.channel(alarm["channel_id"])
    bundle_id = hashed("closing", tenant, alarm["channel_id"], alarm["thread"], message["message_id"])
    content = compose([message], {message["message_id"]: message["payload"]}, "", 1)
    run(
        connection, "notify_put_bundle", tenant=tenant, bundle_id=bundle_id, route_id="closing", total=1, content=content, now=now
    )
    run(
        connection, "notify_put_delivery", tenant=tenant, delivery_id=hashed(bundle_id, alarm["channel_id"], action),
        bundle_id=bundle_id, route_id="closing", channel_id=alarm["channel_id"], kind=channel.name if channel else "",
        action=action, subject=message["subject"], thread=alarm["thread"], state="waiting", error="", now=now,
    )  # fmt: skip
