"""The dispatcher: one bounded piece of matching, flushing, sending and clearing away. Any number of these work side by side."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from notify.addresses import reach_of
from notify.config import Config, Held, load
from notify.credentials import vault_of
from notify.deliver import ToolsOf, deliver_some
from notify.flush import flush_some
from notify.match import ConfigOf, match_some
from notify.senders import Tools
from notify.targets import Targets, built_in
from store.database import Connection, Database
from store.settings import Settings

PURGED = 2000
PURGE_EVERY = timedelta(hours=1)
MOMENTS = ("deliveries", "notices", "messages")


def step(
    database: Database,
    settings: Settings,
    targets: Targets | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Do a bounded piece of what is due: match messages, bundle notices, send deliveries; when nothing is, remove old rows.

    How much was done; 0: nothing is left now. `targets`: what processors and model calls reach; default: this installation's.
    Raises BadFile: nothing is dispatched without the file that the settings name.
    """
    now, tuned = clock(), settings.notify
    config_of = configs(database, settings)
    tools_of = tools(settings, targets or built_in(database, settings))
    done = match_some(database, config_of, tuned.batch, now)
    done += flush_some(database, config_of, tuned, now)
    done += deliver_some(database, config_of, tools_of, settings, now)
    return done or purge_if_due(database, settings, now)


def configs(database: Database, settings: Settings) -> ConfigOf:
    """What is in force, read once per tenant for this step."""

    found: dict[str, Config] = {}

    def config_of(tenant: str, connection: Connection | None = None) -> Config:
        if tenant not in found:
            found[tenant] = load(database if connection is None else Held(connection), tenant, settings)
        return found[tenant]

    return config_of


def tools(settings: Settings, targets: Targets) -> ToolsOf:
    def tools_of(tenant: str, now: datetime) -> Tools:
        vault = vault_of(tenant, settings, os.environ)
        return Tools(settings, vault, reach_of(settings.notify), now, targets.processor, targets.model)

    return tools_of


PURGED_AT: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()


def purge_if_due(database: Database, settings: Settings, now: datetime) -> int:
    """Once an hour in this process, and then until nothing is left to remove."""
    if database in PURGED_AT and now - PURGED_AT[database] < PURGE_EVERY:
        return 0
    removed = purge(database, settings, now)
    if removed == 0:
        PURGED_AT[database] = now
    return removed


def purge(database: Database, settings: Settings, now: datetime) -> int:
    """Remove a bounded number of rows past their time; how many. Rate limits that are past and closed incidents go, too."""
    before = now - timedelta(days=settings.notify.keep_days)
    removed = sum(database.run(f"notify_purge_{name}", before=before, limit=PURGED) for name in MOMENTS)
    removed += database.run("notify_purge_alert_messages", now=now, limit=PURGED)
    database.run("notify_purge_alarms", before=before)
    return removed + database.run("notify_purge_rate_limits", now=now - timedelta(seconds=1), limit=PURGED)
