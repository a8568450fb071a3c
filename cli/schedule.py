"""`conclave schedule …` and `conclave nightly`: jobs by cron or interval, and each of them by hand."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.database import Database

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Arguments = Annotated[
    list[str] | None, typer.Option("--argument", "-a", metavar="NAME=VALUE", help="For the job; may be repeated.")
]
Name = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name.")]
ACTOR = "system:cli"


@contextmanager
def _opened() -> Iterator[tuple["Database", str]]:
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        yield database, settings().tenant


def list_schedules(as_json: Json = False) -> None:
    """List the schedules with their next moment and how the last run ended."""
    from schedule import schedules
    from store.settings import settings

    with _opened() as (database, tenant):
        schedules.install(database, tenant, settings().schedule, datetime.now(UTC))
        rows = schedules.every(database, tenant)
    if as_json:
        typer.echo(json.dumps({"schedules": rows}, default=str))
        return
    for row in rows:
        when = row["cron"] or f"every {row['every_s']:g} s"
        following = f"next {row['next_at']:%Y-%m-%d %H:%M} UTC" if row["enabled"] else "paused"
        last = f"last {row['last_state']} {row['last_at']:%Y-%m-%d %H:%M}" if row["last_state"] else "never ran"
        typer.echo(f"{row['schedule_id']:<20} {row['job']:<10} {when:<14} {row['zone']:<14} {following:<28} {last}")


def add(
    name: Name,
    job: Annotated[str, typer.Option("--job", help="See `conclave schedule jobs`.")],
    cron: Annotated[str | None, typer.Option("--cron", help='Five fields, as "30 2 * * *".')] = None,
    every: Annotated[float | None, typer.Option("--every", metavar="SECONDS", min=1.0, help="Instead of --cron.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Time zone of --cron, as Europe/Berlin.")] = "UTC",
    misfire: Annotated[
        str, typer.Option("--misfire", help="once: missed runs are made up for by one; skip: not at all.")
    ] = "once",
    fresh: Annotated[bool, typer.Option("--fresh", help="Run even if nothing is new since the last run.")] = False,
    argument: Arguments = None,
) -> None:
    """Make a schedule, or change the one of this name."""
    from schedule import schedules
    from schedule.errors import BadSchedule
    from schedule.plan import Timing

    if misfire not in ("once", "skip"):
        raise BadSchedule(f"(misfire: {misfire!r}; say once or skip)")
    timing = Timing(cron, every, zone, "skip" if misfire == "skip" else "once")
    wanted = schedules.Definition(name, job, timing, _arguments(argument), cached=not fresh)
    with _opened() as (database, tenant), database.connection() as connection:
        made = schedules.put(connection, tenant, ACTOR, wanted, datetime.now(UTC))
    typer.echo(f"{name}: {job}, next {made['next_at']:%Y-%m-%d %H:%M} UTC. `conclave operate` runs it.")


def run_now(name: Name) -> None:
    """Ask for a run at once; a running `conclave operate` takes it."""
    from schedule import schedules

    with _opened() as (database, tenant), database.connection() as connection:
        schedules.run_now(connection, tenant, ACTOR, name, datetime.now(UTC))
    typer.echo(f"{name} will run next. See `conclave schedule runs {name}`.")


def runs(
    name: Annotated[str | None, typer.Argument(metavar="[SCHEDULE]", help="Of this one only.")] = None, as_json: Json = False
) -> None:
    """List runs, the newest first, with how each ended."""
    from schedule import schedules

    with _opened() as (database, tenant):
        rows = schedules.runs(database, tenant, name)
    if as_json:
        typer.echo(json.dumps({"runs": rows}, default=str))
        return
    for row in rows:
        said = row["error"] or (row["result"] or {}).get("cached") or ""
        typer.echo(f"{row['run_id']:>6} {row['started_at']:%Y-%m-%d %H:%M:%S} {row['schedule_id']:<20} {row['state']:<8} {said}")


def pause(name: Name) -> None:
    """Pause a schedule; moments that pass meanwhile are not made up for."""
    _enable(name, enabled=False)


def resume(name: Name) -> None:
    """Let a paused schedule go on from its next moment."""
    _enable(name, enabled=True)


def _enable(name: str, *, enabled: bool) -> None:
    from schedule import schedules

    with _opened() as (database, tenant), database.connection() as connection:
        schedules.pause(connection, tenant, ACTOR, name, datetime.now(UTC), enabled=enabled)
    typer.echo(f"{name} {'goes on' if enabled else 'is paused'}.")


def remove(name: Name) -> None:
    """Remove a schedule with its history."""
    from schedule import schedules

    with _opened() as (database, tenant), database.connection() as connection:
        schedules.remove(connection, tenant, ACTOR, name)
    typer.echo(f"{name} is removed.")


def jobs() -> None:
    """List the jobs that can be scheduled."""
    from schedule.registry import SUMMARIES, job

    for name, summary in SUMMARIES.items():
        accepts = job(name).accepts
        typer.echo(f"{name:<10} {summary}{' Arguments: ' + ', '.join(accepts) + '.' if accepts else ''}")


def nightly(
    job: Annotated[str, typer.Argument(metavar="JOB", help="See `conclave schedule jobs`.")],
    argument: Arguments = None,
    as_json: Json = False,
) -> None:
    """Run one of the scheduled jobs now, here, and print its answer; for cron, Airflow and people."""
    from schedule import runs as made
    from store.settings import settings

    with _opened() as (database, tenant):
        result = made.at_once(database, settings(), tenant, job, _arguments(argument), datetime.now(UTC))
    typer.echo(json.dumps(result, default=str) if as_json else result["text"])


def compact() -> None:
    """Merge the small files of the Delta tables. Time travel stays; the streams may run meanwhile."""
    from jobs.compact import compact as merge
    from store.settings import settings

    for one in merge(settings()):
        typer.echo(f"{one.table}: {one.before:,} files became {one.after:,}")


def _arguments(given: list[str] | None) -> dict[str, Any]:
    pairs = [text.partition("=") for text in given or ()]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise typer.BadParameter(f"{', '.join(wrong)}: say NAME=VALUE", param_hint="--argument")
    return {name: value for name, _, value in pairs}
