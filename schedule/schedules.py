"""Schedules as data: the defaults, and what people make, change, pause and remove."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from schedule import plan
from schedule.errors import BadSchedule, UnknownSchedule
from schedule.plan import Timing
from schedule.registry import job
from store.database import Connection, Database, Queries, fetch, run
from store.sections.schedule import Schedule as Options
from trust import audit

Row = dict[str, Any]
DEFAULTS = Path(__file__).parent / "defaults.toml"


@dataclass(frozen=True)
class Definition:
    """A schedule as somebody wants it. `cached`: while nothing new came, the last answer is given again, marked."""

    schedule_id: str
    job: str
    timing: Timing
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = True


@cache
def defaults() -> dict[str, Row]:
    """The bundled schedules by name."""
    return tomllib.loads(DEFAULTS.read_text())


def install(database: Database, tenant: str, options: Options, now: datetime) -> int:
    """Make the default schedules that are missing, first due after `now`; how many were made."""
    if not options.install_defaults:
        return 0
    known = {row["schedule_id"] for row in database.fetch("schedule_names", tenant=tenant)}
    with database.connection() as connection:
        missing = [Definition(name, row["job"], Timing(row["cron"], None, options.zone)) for name, row in defaults().items()
                   if name not in known]  # fmt: skip
        return sum(_put(connection, tenant, one, "default", now) for one in missing)


def put(connection: Connection, tenant: str, actor: str, wanted: Definition, now: datetime) -> Row:
    """Make a schedule or change it; it is due next after `now`. Raises BadSchedule, UnknownJob."""
    accepted = job(wanted.job).accepts
    if unknown := sorted(set(wanted.arguments) - set(accepted)):
        raise BadSchedule(f"({', '.join(unknown)}: the job {wanted.job} takes {', '.join(accepted) or 'no arguments'})")
    plan.checked(wanted.timing)
    _put(connection, tenant, wanted, "person", now)
    made = one(connection, tenant, wanted.schedule_id)
    audit.record(connection, tenant, actor, "schedule.put", wanted.schedule_id, {"job": wanted.job, **asdict(wanted.timing)})
    return made


def _put(connection: Connection, tenant: str, wanted: Definition, origin: str, now: datetime) -> int:
    row = {"schedule_id": wanted.schedule_id, "job": wanted.job, "arguments": dict(wanted.arguments), "cached": wanted.cached}
    following = plan.next_after(wanted.timing, now)
    return run(
        connection, "put_schedule", tenant=tenant, origin=origin, next_at=following, now=now, **row, **asdict(wanted.timing)
    )


def one(connection: Connection, tenant: str, schedule_id: str) -> Row:
    """A schedule with its newest run. Raises UnknownSchedule."""
    rows = fetch(connection, "schedules", tenant=tenant, schedule_id=schedule_id)
    if not rows:
        raise UnknownSchedule(f"({schedule_id!r})")
    return rows[0]


def every(queries: Queries, tenant: str) -> list[Row]:
    """All schedules by name, each with its newest run as last_state, last_at, last_error."""
    return queries.fetch("schedules", tenant=tenant, schedule_id=None)


def runs(
    queries: Queries, tenant: str, schedule_id: str | None = None, *, before: int | None = None, limit: int = 50
) -> list[Row]:
    """Runs, the newest first; `before` is the run_id that a page ended with."""
    return queries.fetch("schedule_runs", tenant=tenant, schedule_id=schedule_id, before=before, limit=limit)


def run_now(connection: Connection, tenant: str, actor: str, schedule_id: str, now: datetime) -> None:
    """Ask for a run at once; a worker takes it. Asking again before it began changes nothing."""
    one(connection, tenant, schedule_id)
    run(connection, "ask_schedule", tenant=tenant, schedule_id=schedule_id, now=now, actor=actor)
    audit.record(connection, tenant, actor, "schedule.run_now", schedule_id)


def pause(connection: Connection, tenant: str, actor: str, schedule_id: str, now: datetime, *, enabled: bool) -> None:
    """Pause a schedule or let it go on; moments that passed meanwhile are not made up for."""
    row = one(connection, tenant, schedule_id)
    following = plan.next_after(plan.timing_of(row), now)
    run(connection, "enable_schedule", tenant=tenant, schedule_id=schedule_id, enabled=enabled, next_at=following)
    audit.record(connection, tenant, actor, "schedule.resume" if enabled else "schedule.pause", schedule_id)


def remove(connection: Connection, tenant: str, actor: str, schedule_id: str) -> None:
    """Remove a person's schedule with its history; a default one can only be paused, since it would come back."""
    if one(connection, tenant, schedule_id)["origin"] == "default":
        raise BadSchedule(f"({schedule_id} is one of the defaults: pause it)")
    run(connection, "drop_schedule", tenant=tenant, schedule_id=schedule_id)
    audit.record(connection, tenant, actor, "schedule.remove", schedule_id)
