"""From notices to deliveries: what is due at a route leaves as few bundles as its limits allow, each to every channel of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from notify.alarms import hashed, settles, thread_of
from notify.config import Channel, Config
from notify.match import ConfigOf
from notify.plan import Limits, Plan, Waiting, plan
from notify.wording import compose, gravest
from store.database import Connection, Database, fetch, run
from store.sections.notify import Notify

ROUTES_AT_ONCE = 50
GONE = "The route or subscription was removed while this waited."
SETTLED = "It was resolved before this could be sent."


def flush_some(database: Database, config_of: ConfigOf, settings: Notify, now: datetime) -> int:
    """Flush the routes that have something due, a transaction each; how many bundles left."""
    due = database.fetch("notify_due_routes", now=now, limit=ROUTES_AT_ONCE)
    return sum(_flush(database, config_of(row["tenant"]), row["tenant"], row["route_id"], settings, now) for row in due)


def _flush(database: Database, config: Config, tenant: str, route_id: str, settings: Notify, now: datetime) -> int:
    with database.connection() as connection:
        if not fetch(connection, "notify_lock_route", tenant=tenant, route_id=route_id)[0]["mine"]:
            return 0
        rule = config.rule(route_id)
        limits = Limits() if rule is None else rule.limits()
        rows = fetch(connection, "notify_waiting_groups", tenant=tenant, route_id=route_id, now=now)
        tats = {
            row["key"]: row["tat"] for row in fetch(connection, "notify_rate_limits", tenant=tenant, route_id=route_id, now=now)
        }
        decided = plan([_waiting(row) for row in rows], limits, tats, now)
        if decided.bundles and any(_holds(config.channel(name)) for name in config.channels_of(route_id)):
            run(connection, "notify_lock_alarms", tenant=tenant)
        first = {row["group_key"]: row["first_message"] for row in rows}
        for groups in decided.bundles:
            bundle_id = hashed(
                tenant, route_id, first[groups[0]]
            )  # a message leaves a route once, so no other bundle is called so
            _bundle(connection, config, tenant, route_id, bundle_id, groups, settings, now)
        _keep(connection, tenant, route_id, decided, settings.rate_keys - len(tats))
    return len(decided.bundles)


def _waiting(row: Mapping[str, Any]) -> Waiting:
    names = ("entity", "kind", "subject", "count", "severity", "due_at", "first_message")
    return Waiting(group=row["group_key"], **{name: row[name] for name in names})


def _holds(channel: Channel | None) -> bool:
    return channel is not None and channel.kind.incidents


def _keep(connection: Connection, tenant: str, route_id: str, decided: Plan, room: int) -> None:
    """Remember what was charged (the route itself first; keys beyond the bound are not limited) and when to look again."""
    charged = sorted(decided.charged.items(), key=lambda item: item[0] != "route")[: max(room, 1)]
    if charged:
        run(connection, "notify_put_rate_limits", tenant=tenant, route_id=route_id, keys=[key for key, _ in charged],
            tats=[tat for _, tat in charged])  # fmt: skip
    if decided.waits:
        run(
            connection,
            "notify_postpone",
            tenant=tenant,
            route_id=route_id,
            groups=list(decided.waits),
            at=list(decided.waits.values()),
        )


def _bundle(
    connection: Connection, config: Config, tenant: str, route_id: str, bundle_id: str, groups: Sequence[str], settings: Notify,
    now: datetime,
) -> None:  # fmt: skip
    """One bundle of these groups' notices, with a delivery to each channel of the route."""
    messages = fetch(
        connection, "notify_bundle_notices", tenant=tenant, route_id=route_id, bundle_id=bundle_id, groups=list(groups)
    )
    on_lines = [alike[-1]["message_id"] for alike in gravest(messages, settings.lines)]
    found = fetch(connection, "notify_payloads", tenant=tenant, ids=on_lines)
    content = compose(messages, {row["message_id"]: row["payload"] for row in found}, settings.public_url, settings.lines)
    run(connection, "notify_put_bundle", tenant=tenant, bundle_id=bundle_id, route_id=route_id, total=len(messages),
        content=content, now=now)  # fmt: skip
    for name in config.channels_of(route_id) or ("",):
        _deliver(connection, tenant, route_id, bundle_id, name, config.channel(name), messages, now)


def _deliver(
    connection: Connection, tenant: str, route_id: str, bundle_id: str, name: str, channel: Channel | None,
    messages: Sequence[Mapping[str, Any]], now: datetime,
) -> None:  # fmt: skip
    subjects = sorted({message["subject"] for message in messages})
    action, thread, state, error = "tell", "", "waiting", ""
    if _holds(channel):
        action, live = "trigger", _live(connection, tenant, messages)
        thread = thread_of(tenant, live or subjects, bundle_id)
        if live:
            run(
                connection,
                "notify_put_alarms",
                tenant=tenant,
                channel_id=name,
                thread=thread,
                subjects=live,
                bundle_id=bundle_id,
                now=now,
            )
        else:
            state, error = "skipped", SETTLED
    if not name:
        state, error = "skipped", GONE
    run(
        connection, "notify_put_delivery", tenant=tenant, delivery_id=hashed(bundle_id, name, action), bundle_id=bundle_id,
        route_id=route_id, channel_id=name, kind=channel.name if channel else "", action=action,
        subject=subjects[0] if len(subjects) == 1 else "", thread=thread, state=state, error=error, now=now,
    )  # fmt: skip


def _live(connection: Connection, tenant: str, messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The subjects that an incident is (still) to be opened for: not those that were resolved meanwhile."""
    newest = {row["subject"]: row["message_id"] for row in messages if settles(row["kind"], row["state"]) is None}
    gone = fetch(connection, "notify_settled_since", tenant=tenant, subjects=list(newest), newest=list(newest.values()))
    return sorted(newest.keys() - {row["subject"] for row in gone})
