"""Each thing the gateway depends on, by name: whether it is well, and whether it can do without."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import httpx

from gateway.lag import Watch
from store import migrations
from store.database import Database
from store.errors import ConclaveError
from store.settings import Settings

MODEL_TIMEOUT_S = 1.0
KEPT_S = 3.0
State = Literal["ok", "fail", "off"]


@dataclass(frozen=True)
class Dependency:
    """`optional`: the gateway serves without it; `said` is for people who are signed in."""

    name: str
    state: State
    optional: bool
    said: str


Check = Callable[[], Dependency]


class Readiness:
    """The dependencies as of at most three seconds ago, so that asking often costs nothing; safe to share between threads."""

    def __init__(self, checks: Iterable[Check], clock: Callable[[], float] = time.monotonic) -> None:
        self._checks, self._clock, self._lock = tuple(checks), clock, threading.Lock()
        self._seen: list[Dependency] = []
        self._until = float("-inf")

    def look(self) -> list[Dependency]:
        with self._lock:
            if self._clock() >= self._until:
                self._seen = [check() for check in self._checks]
                self._until = self._clock() + KEPT_S
            return self._seen


def ready(found: Iterable[Dependency]) -> bool:
    return all(one.state != "fail" or one.optional for one in found)


def checks(settings: Settings, database: Database, watch: Watch) -> list[Check]:
    """What these settings depend on."""
    lane: Check = (lambda: landing(settings)) if settings.source.kind == "files" else (lambda: kafka(settings))
    return [
        lambda: reached(database), lambda: migrated(database), lane, lambda: ingest(settings, watch), lambda: model(settings),
    ]  # fmt: skip


def reached(database: Database) -> Dependency:
    try:
        version = database.fetch("status_server")[0]["version"]
    except ConclaveError as error:
        return Dependency("database", "fail", False, str(error))
    return Dependency("database", "ok", False, f"Postgres {version}")


def migrated(database: Database) -> Dependency:
    try:
        with database.connection() as connection:
            left = migrations.pending(migrations.known(), migrations.applied(connection))
    except ConclaveError as error:
        return Dependency("migrations", "fail", False, str(error))
    if left:
        return Dependency("migrations", "fail", False, f"{len(left)} to apply: run `conclave migrate`")
    return Dependency("migrations", "ok", False, f"at {migrations.known()[-1].name}")


def landing(settings: Settings) -> Dependency:
    folder = settings.landing.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    well = there.is_dir() and os.access(there, os.W_OK)
    return Dependency("landing folder", "ok" if well else "fail", False, "can be written" if well else "cannot be written")


def kafka(settings: Settings) -> Dependency:
    from gateway.lag import broker_ends

    try:
        partitions = len(broker_ends(settings))
    except ConclaveError as error:
        return Dependency("kafka", "fail", False, str(error))
    return Dependency("kafka", "ok", False, f"{partitions} partitions of {settings.source.kafka_topics}")


def ingest(settings: Settings, watch: Watch) -> Dependency:
    """Behind is no fault of the gateway's: it answers 429 to events and everything else as always."""
    try:
        lag = watch.lag()
    except ConclaveError as error:
        return Dependency("ingest lag", "fail", True, str(error))
    behind = lag.too_much(settings.gateway.max_lag_s, settings.gateway.max_lag_events)
    return Dependency("ingest lag", "fail" if behind else "ok", True, lag.words())


def model(settings: Settings) -> Dependency:
    """Without one the council rules by rules, and answers come from the evidence's own words."""
    if not settings.model.enabled:
        return Dependency("model", "off", True, "switched off")
    try:
        httpx.get(f"{settings.model.base_url.rstrip('/')}/api/tags", timeout=MODEL_TIMEOUT_S).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Dependency("model", "fail", True, f"does not answer ({type(error).__name__}); rules rule until it does")
    return Dependency("model", "ok", True, settings.model.name)
