"""From messages to notices: each undispatched message is shown to its tenant's alert topics, subscriptions and routes, once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from notify.alarms import settle, settles
from notify.config import SUBSCRIPTION, Config
from notify.routes import Rule, chosen, topics_of
from store.database import Connection, Database, fetch, run
from store.outbox import Message


class ConfigOf(Protocol):
    """What is in force for a tenant, read over the connection that is given."""

    def __call__(self, tenant: str, connection: Connection | None = None) -> Config: ...


@dataclass
class Matched:
    """What one tenant's messages set off: rows of `notices`, and which messages each alert topic takes."""

    notices: list[tuple[str, int, str, datetime]] = field(default_factory=list)  # route, message, group, due
    published: dict[str, list[int]] = field(default_factory=dict)


def match(config: Config, messages: Iterable[tuple[int, Message]], now: datetime) -> Matched:
    """Decide for each message which topics keep it and which routes and subscriptions take it. Pure."""
    found, routes = Matched(), list(config.routes.items())
    for message_id, message in messages:
        reached = topics_of(config.topics.items(), message)
        for topic_id in reached:
            found.published.setdefault(topic_id, []).append(message_id)
        taken: list[tuple[str, Rule]] = [(name, config.routes[name]) for name in chosen(routes, message)]
        taken += [
            (SUBSCRIPTION + name, subscription)
            for name, subscription in config.subscriptions.items()
            if subscription.topic in reached and subscription.takes(message)
        ]
        found.notices += [
            (name, message_id, rule.group_of(message), now + timedelta(seconds=rule.group_wait_s)) for name, rule in taken
        ]
    return found


def match_some(database: Database, config_of: ConfigOf, limit: int, now: datetime) -> int:
    """Match up to `limit` messages that nobody has dispatched, in one transaction; how many."""
    with database.connection() as connection:
        rows = fetch(connection, "notify_waiting_messages", limit=limit)
        for tenant in sorted({row["tenant"] for row in rows}):
            own = [row for row in rows if row["tenant"] == tenant]
            config = config_of(tenant, connection)
            _write(connection, tenant, config, match(config, ((row["message_id"], message_of(row)) for row in own), now), now)
            if closing := [row for row in own if settles(row["kind"], row["payload"].get("state")) is not None]:
                settle(connection, tenant, config, closing, now)
        if rows:
            run(connection, "notify_mark_dispatched", ids=[row["message_id"] for row in rows], now=now)
    return len(rows)


def message_of(row: Mapping[str, Any]) -> Message:
    """A row of `messages` as it was published."""
    fields = ("tenant", "topic", "kind", "subject", "severity", "title", "dedupe_key", "entity", "payload")
    return Message(**{name: row[name] for name in fields})


def _write(connection: Connection, tenant: str, config: Config, matched: Matched, now: datetime) -> None:
    if matched.notices:
        routes, messages, groups, due = (list(column) for column in zip(*matched.notices, strict=True))
        run(connection, "notify_put_notices", tenant=tenant, routes=routes, messages=messages, groups=groups, due=due, now=now)
    for topic_id, messages in sorted(matched.published.items()):
        _publish(connection, tenant, config, topic_id, messages, now)


def _publish(connection: Connection, tenant: str, config: Config, topic_id: str, messages: Sequence[int], now: datetime) -> None:
    if ("alert_topics", topic_id) in config.from_file:
        topic = config.topics[topic_id]
        run(connection, "notify_ensure_topic", tenant=tenant, id=topic_id, description=topic.description,
            matchers=list(topic.matchers), retention_days=topic.retention_days, now=now)  # fmt: skip
    offsets = fetch(connection, "notify_take_offsets", tenant=tenant, id=topic_id, count=len(messages))
    if offsets:  # none: the topic was deleted since it was read
        run(connection, "notify_publish_alerts", tenant=tenant, id=topic_id, first=offsets[0]["first"], messages=list(messages),
            now=now)  # fmt: skip
