"""Channels, routes, alert topics and subscriptions in force for a tenant: those of the file first, then those of the database.

What the file names wins over the same name in the database and cannot be changed by page or API.
"""

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notify.addresses import Reach, reach_of
from notify.errors import BadChannel, BadFile, BadRoute
from notify.kinds import Kind, read_kind
from notify.routes import AlertTopic, Conditions, Route, Subscription, read_rule
from store.database import Connection, Queries
from store.errors import ConclaveError
from store.settings import Settings

SECTIONS = ("channels", "routes", "alert_topics", "subscriptions")
OF_CHANNEL = {"id", "kind", "enabled", "tenant"}
SUBSCRIPTION = "subscription:"


@dataclass(frozen=True)
class Channel:
    """A channel as it is sent to."""

    channel_id: str
    name: str
    kind: Kind
    enabled: bool = True


@dataclass
class Config:
    """Everything in force for one tenant. `faults`: what of the database cannot be used, in words."""

    channels: dict[str, Channel] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)  # in the order in which they are asked
    topics: dict[str, AlertTopic] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    from_file: set[tuple[str, str]] = field(default_factory=set)  # (section, id)
    faults: list[str] = field(default_factory=list)

    def rule(self, route_id: str) -> Route | Subscription | None:
        """The route, or the subscription of `subscription:NAME`."""
        if route_id.startswith(SUBSCRIPTION):
            return self.subscriptions.get(route_id.removeprefix(SUBSCRIPTION))
        return self.routes.get(route_id)

    def channels_of(self, route_id: str) -> Sequence[str]:
        """Where a route or subscription sends to."""
        rule = self.rule(route_id)
        if isinstance(rule, Subscription):
            return (rule.target.name,) if rule.target.kind == "channel" else (route_id,)
        return rule.channels if rule is not None else ()

    def channel(self, channel_id: str) -> Channel | None:
        """The channel; that of a subscription without one is made of its target."""
        rule = self.rule(channel_id) if channel_id.startswith(SUBSCRIPTION) else None
        if isinstance(rule, Subscription):
            kind, config = rule.target.channel()
            return Channel(channel_id, kind, read_kind(kind, config), rule.enabled)
        return self.channels.get(channel_id)

    def dangling(self) -> list[str]:
        """Names that routes and subscriptions use and that do not exist."""
        found = [f"route `{name}`: there is no channel `{channel}`" for name, route in self.routes.items()
                 for channel in route.channels if channel not in self.channels]  # fmt: skip
        for name, subscription in self.subscriptions.items():
            if subscription.topic not in self.topics:
                found.append(f"subscription `{name}`: there is no alert topic `{subscription.topic}`")
            if subscription.target.kind == "channel" and subscription.target.name not in self.channels:
                found.append(f"subscription `{name}`: there is no channel `{subscription.target.name}`")
        return found


class Held(Queries):
    """Queries over a connection that is already open, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self.held = connection

    def connection(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.held)


def load(queries: Queries, tenant: str, settings: Settings) -> Config:
    """What is in force for a tenant now. Raises BadFile; an unusable row of the database is only said in `faults`."""
    config = read_file(settings.notify.file, tenant, settings)
    rows = {section: queries.fetch(f"notify_{name}", tenant=tenant) for section, name in zip(SECTIONS, NAMES, strict=True)}
    for section, found in rows.items():
        for row in found:
            if (section, row["id"]) not in config.from_file:
                try:
                    _add(config, section, row["id"], _entry(section, row), None)
                except ConclaveError as error:
                    config.faults.append(f"{section} `{row['id']}`: {error}")
    return config


NAMES = ("channels", "routes", "topics", "subscriptions")


def read_file(file: Path | None, tenant: str, settings: Settings) -> Config:
    """A tenant's part of the file. Raises BadFile that names the entry and the field."""
    config = Config()
    for section, entries in _sections(file).items():
        for place, entry in enumerate(entries, start=1):
            if entry.get("tenant", settings.tenant) == tenant:
                _add_checked(config, section, place, entry, reach_of(settings.notify))
    return config


def check_file(file: Path, settings: Settings) -> list[str]:
    """Everything wrong with a file, in words; empty when it can be used."""
    try:
        tenants = {str(entry.get("tenant", settings.tenant)) for entries in _sections(file).values() for entry in entries}
        configs = {tenant: read_file(file, tenant, settings) for tenant in sorted(tenants)}
    except BadFile as error:
        return [str(error)]
    return [fault for config in configs.values() for fault in config.dangling()]


def _sections(file: Path | None) -> Mapping[str, list[dict[str, Any]]]:
    if file is None:
        return {}
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"({file.name}: {error})") from None
    if unknown := sorted(set(found) - set(SECTIONS)):
        raise BadFile(f"`{unknown[0]}`: the tables are [[{']], [['.join(SECTIONS)}]].")
    if wrong := [name for name, entries in found.items() if not _is_table(entries)]:
        raise BadFile(f"`{wrong[0]}` is written [[{wrong[0]}]], once for each.")
    return found


def _is_table(entries: Any) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _add_checked(config: Config, section: str, place: int, entry: Mapping[str, Any], reach: Reach) -> None:
    name = entry.get("id")
    where = f"[[{section}]] number {place}" + (f", `{name}`" if isinstance(name, str) else "")
    if not isinstance(name, str) or not is_id(name):
        raise BadFile(f"{where}: `id` is a name of small letters, digits, - and _.")
    if (section, name) in config.from_file:
        raise BadFile(f"{where}: the name is used twice.")
    try:
        _add(config, section, name, entry, reach)
    except ConclaveError as error:
        raise BadFile(f"{where}: {error}") from None
    config.from_file.add((section, name))


def is_id(name: str) -> bool:
    """Whether a channel, route, topic or subscription may be called so.

    >>> is_id("desk-slack"), is_id("Desk Slack"), is_id("")
    (True, False, False)
    """
    return 0 < len(name) <= 63 and name[0].isalnum() and all(char in "abcdefghijklmnopqrstuvwxyz0123456789_-." for char in name)


def _entry(section: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the database as the file would write it."""
    enabled = {"enabled": row["enabled"]}
    if section == "channels":
        return {**row["config"], **enabled, "kind": row["kind"]}
    if section == "alert_topics":
        return enabled | {name: row[name] for name in ("description", "matchers", "retention_days")}
    return {**row["rule"], **enabled, **({"topic": row["topic_id"]} if section == "subscriptions" else {})}


def _add(config: Config, section: str, name: str, entry: Mapping[str, Any], reach: Reach | None) -> None:
    if section == "channels":
        config.channels[name] = read_channel(name, entry, reach)
        return
    kinds: dict[str, type[Conditions]] = {"routes": Route, "alert_topics": AlertTopic, "subscriptions": Subscription}
    found = read_rule(kinds[section], {key: value for key, value in entry.items() if key not in ("id", "tenant")})
    {"routes": config.routes, "alert_topics": config.topics, "subscriptions": config.subscriptions}[section][name] = found  # type: ignore[index]


def read_channel(name: str, entry: Mapping[str, Any], reach: Reach | None) -> Channel:
    kind, enabled = entry.get("kind"), entry.get("enabled", True)
    if not isinstance(kind, str):
        raise BadChannel("`kind` is missing.")
    if not isinstance(enabled, bool):
        raise BadRoute("`enabled` is true or false.")
    given = {key: value for key, value in entry.items() if key not in OF_CHANNEL}
    return Channel(name, kind, read_kind(kind, given, reach), enabled)
