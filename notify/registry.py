"""Channels, routes, alert topics and subscriptions as admins see and change them. What stands in the file is shown, not changed.

Every change takes the `version` that was seen (None: whatever it is now) and writes an audit entry in the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from notify.addresses import reach_of
from notify.config import Channel, Config, Held, is_id, load, read_channel
from notify.errors import BadRoute, Changed, InFile, InUse, NotFound
from notify.match import match
from notify.routes import AlertTopic, Conditions, Route, Subscription, chosen, read_rule, topics_of
from store.database import Connection, Queries, fetch, run
from store.outbox import Message
from store.settings import Settings
from trust import audit
from trust.roles import Caller

Section = Literal["channels", "routes", "alert_topics", "subscriptions"]
QUERY: dict[Section, str] = {
    "channels": "channel", "routes": "route", "alert_topics": "topic", "subscriptions": "subscription",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """Where and as whom something is changed: one transaction of one tenant."""

    connection: Connection
    caller: Caller
    settings: Settings
    now: datetime

    @property
    def config(self) -> Config:
        return load(Held(self.connection), self.caller.tenant, self.settings)


def listed(queries: Queries, tenant: str, settings: Settings, section: Section) -> list[dict[str, Any]]:
    """What is in force, in order: `id`, `origin` (file or database), `version` (None in the file) and what it says.

    Rows of the database that cannot be used any longer are listed, too, with why in `fault`.
    """
    config = load(queries, tenant, settings)
    rows = {row["id"]: row for row in queries.fetch(f"notify_{QUERY[section]}s", tenant=tenant)}
    found = [_shown(section, name, one, config, rows.get(name, {})) for name, one in _of(config, section).items()]
    broken = [row for name, row in rows.items() if name not in _of(config, section)]
    return found + [_broken(section, row, config) for row in broken]


def _of(config: Config, section: Section) -> Mapping[str, Channel | Conditions]:
    of: dict[Section, Mapping[str, Channel | Conditions]] = {
        "channels": config.channels, "routes": config.routes, "alert_topics": config.topics,
        "subscriptions": config.subscriptions,
    }  # fmt: skip
    return of[section]


def _shown(section: Section, name: str, one: Channel | Conditions, config: Config, row: Mapping[str, Any]) -> dict[str, Any]:
    in_file = (section, name) in config.from_file
    head = {
        "id": name,
        "origin": "file" if in_file else "database",
        "version": None if in_file else row.get("version"),
        "fault": None,
    }
    if isinstance(one, Channel):
        return head | {"kind": one.name, "enabled": one.enabled, "config": one.kind.model_dump(mode="json")}
    more = {"position": None if in_file else row.get("position")} if section == "routes" else {}
    if section == "alert_topics":
        more = {"first_offset": row.get("first_offset"), "next_offset": row.get("next_offset", 0)}
    return head | one.model_dump(mode="json") | more


def _broken(section: Section, row: Mapping[str, Any], config: Config) -> dict[str, Any]:
    fault = next((fault for fault in config.faults if fault.startswith(f"{section} `{row['id']}`")), "It cannot be read.")
    said = row.get("config") if section == "channels" else row.get("rule")
    return {"id": row["id"], "origin": "database", "version": row["version"], "enabled": row["enabled"], "fault": fault,
            "kind": row.get("kind", ""), "config": said or {}}  # fmt: skip


def put_channel(change: Change, name: str, entry: Mapping[str, Any], version: int | None = None) -> int:
    """Make or change a channel: `kind`, `enabled` and what the kind asks; its version. Raises BadChannel, AddressForbidden."""
    channel = read_channel(name, entry, reach_of(change.settings.notify))
    config = channel.kind.model_dump(mode="json")
    return _put(
        change,
        "channels",
        name,
        version,
        {"kind": channel.name, "config": config, "enabled": channel.enabled},
        {"kind": channel.name},
    )


def put_route(
    change: Change, name: str, entry: Mapping[str, Any], version: int | None = None, position: int | None = None
) -> int:
    """Make or change a route; without a position a new one is asked last. Raises BadRoute, also for an unknown channel."""
    route = read_rule(Route, dict(entry))
    if unknown := [channel for channel in route.channels if channel not in change.config.channels]:
        raise BadRoute(f"`channels`: there is no channel `{unknown[0]}`.")
    return _put(change, "routes", name, version, _row(route) | {"position": position}, {"channels": list(route.channels)})


def put_topic(change: Change, name: str, entry: Mapping[str, Any], version: int | None = None) -> int:
    """Make or change an alert topic. Messages that came before are not added to it."""
    topic = read_rule(AlertTopic, dict(entry))
    row = {"description": topic.description, "matchers": list(topic.matchers), "retention_days": topic.retention_days}
    return _put(change, "alert_topics", name, version, row | {"enabled": topic.enabled}, {"matchers": list(topic.matchers)})


def put_subscription(change: Change, name: str, entry: Mapping[str, Any], version: int | None = None) -> int:
    """Make or change a subscription. Raises BadRoute, also for a topic or channel that is not there."""
    subscription, config = read_rule(Subscription, dict(entry)), change.config
    target = subscription.target
    if subscription.topic not in config.topics:
        raise BadRoute(f"`topic`: there is no alert topic `{subscription.topic}`.")
    if target.kind == "channel" and target.name not in config.channels:
        raise BadRoute(f"`target`: there is no channel `{target.name}`.")
    _ensure_topic(change, subscription.topic, config)
    row = _row(subscription) | {"topic_id": subscription.topic}
    return _put(change, "subscriptions", name, version, row, {"topic": subscription.topic, "target": target.kind})


def _row(rule: Route | Subscription) -> dict[str, Any]:
    return {"rule": rule.model_dump(mode="json", exclude={"enabled", "topic"}), "enabled": rule.enabled}


def _ensure_topic(change: Change, topic_id: str, config: Config) -> None:
    """A topic of the file has a row, too."""
    topic = config.topics[topic_id]
    run(change.connection, "notify_ensure_topic", tenant=change.caller.tenant, id=topic_id, description=topic.description,
        matchers=list(topic.matchers), retention_days=topic.retention_days, now=change.now)  # fmt: skip


def _put(change: Change, section: Section, name: str, version: int | None, row: dict[str, Any], detail: dict[str, Any]) -> int:
    if not is_id(name) or ("." in name and section != "alert_topics"):
        raise BadRoute("`id`: a name of small letters, digits, - and _, at most 63 of them.")
    if (section, name) in change.config.from_file:
        raise InFile(f"({QUERY[section]} {name})")
    put = fetch(
        change.connection,
        f"notify_put_{QUERY[section]}",
        tenant=change.caller.tenant,
        id=name,
        version=version,
        now=change.now,
        **row,
    )
    if not put:
        raise Changed(f"({QUERY[section]} {name})")
    now_is = int(put[0]["version"])
    _record(change, f"{QUERY[section]}.put", name, detail | {"version": now_is})
    return now_is


def remove(change: Change, section: Section, name: str, *, with_dependents: bool = False) -> list[str]:
    """Remove it; what depended on it, in words. Raises InUse while anything does, unless that goes too; NotFound, InFile."""
    config = change.config
    if (section, name) in config.from_file:
        raise InFile(f"({QUERY[section]} {name})")
    dependents = list(depends_on(config, section, name))
    if dependents and not with_dependents:
        raise InUse(f"({', '.join(f'{QUERY[kind]} {other}' for kind, other in dependents)})")
    for kind, other in dependents:
        remove(change, kind, other)
    if run(change.connection, f"notify_remove_{QUERY[section]}", tenant=change.caller.tenant, id=name) == 0:
        raise NotFound(f"({QUERY[section]} {name})")
    _record(change, f"{QUERY[section]}.remove", name, {})
    return [f"{QUERY[kind]} {other}" for kind, other in dependents]


def depends_on(config: Config, section: Section, name: str) -> Iterable[tuple[Section, str]]:
    """What would point to nothing without it."""
    if section == "channels":
        for route_id, route in config.routes.items():
            if name in route.channels:
                yield "routes", route_id
    for subscription_id, subscription in config.subscriptions.items():
        target = subscription.target
        if (section == "alert_topics" and subscription.topic == name) or (
            section == "channels" and target.kind == "channel" and target.name == name
        ):
            yield "subscriptions", subscription_id


def _record(change: Change, action: str, name: str, detail: dict[str, Any]) -> None:
    audit.record(
        change.connection, change.caller.tenant, change.caller.actor, action, f"{action.partition('.')[0]}/{name}", detail
    )


def would_go(config: Config, message: Message, now: datetime) -> dict[str, list[str]]:
    """Where a message would go now: routes, their channels, alert topics and subscriptions. Nothing is sent."""
    routes = chosen(list(config.routes.items()), message)
    taken = match(config, [(0, message)], now).notices
    return {
        "routes": routes, "channels": sorted({channel for name in routes for channel in config.routes[name].channels}),
        "topics": topics_of(config.topics.items(), message),
        "subscriptions": [name.partition(":")[2] for name, *_ in taken if ":" in name],
    }  # fmt: skip


def in_force(queries: Queries, tenant: str, settings: Settings) -> Config:
    """Everything in force for a tenant."""
    return load(queries, tenant, settings)


def messages_of(queries: Queries, tenant: str, topic_id: str, first: int, limit: int) -> list[dict[str, Any]]:
    """An alert topic's messages from offset `first` on, at most `limit`. Raises NotFound."""
    if all(row["id"] != topic_id for row in queries.fetch("notify_topics", tenant=tenant)):
        raise NotFound(f"(alert topic {topic_id})")
    return queries.fetch("notify_read_topic", tenant=tenant, id=topic_id, limit=limit, **{"from": first})
