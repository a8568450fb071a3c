"""`conclave operate`: what works beside the stream: cases, deliveries, trace scoring, schedules, documents, slow rules."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings


@dataclass(frozen=True)
class Part:
    """A module with `step(database, settings) -> int`: do a bounded piece of what is due, say how much was done."""

    module: str
    channel: str  # a NOTIFY on it wakes the part
    every_s: float  # it looks by itself this often


PARTS = {
    "desk": Part("desk.loop", "rulings", 2.0),
    "notify": Part("notify.loop", "messages", 1.0),
    "observe": Part("cli.observing", "traces", 2.0),
    "assistant": Part("assistant.loop", "documents", 5.0),
    "pipelines": Part("cli.slow_rules", "rule_work", 2.0),
    "schedule": Part("schedule.loop", "schedules", 5.0),
    "privacy": Part("cli.erasing", "erasures", 10.0),
}


def operate(
    only: Annotated[
        str | None, typer.Option("--only", metavar="PARTS", help=f"Some of {', '.join(PARTS)}; default: all.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
) -> None:
    """Open cases, send alerts, score traces, run schedules, index documents. Any number of these may run side by side."""
    from observe.telemetry.gauges import shown
    from observe.telemetry.process import watched
    from store.database import open_database
    from store.settings import settings

    chosen = _chosen(only)
    with watched(settings(), "operate"), open_database(settings()) as database:
        if once:
            for name, done in drain(database, settings(), chosen).items():
                typer.echo(f"{name}: {done}")
            return
        from cli.council import stopped_by_signals

        stop = Event()
        with stopped_by_signals(stop), shown(database, settings().telemetry):
            threads = [Thread(target=_run, args=(name, database, settings(), stop), name=name) for name in chosen]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def _chosen(only: str | None) -> list[str]:
    names = list(PARTS) if only is None else [name.strip() for name in only.split(",")]
    if unknown := [name for name in names if name not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(PARTS)}", param_hint="--only")
    return names


def drain(database: "Database", settings: "Settings", names: list[str]) -> dict[str, int]:
    """Run the parts until none of them has anything left to do; how much each did."""
    done = dict.fromkeys(names, 0)
    busy = True
    while busy:
        worked = {name: _step(name)(database, settings) for name in names}
        busy = any(worked.values())
        done = {name: done[name] + worked[name] for name in names}
    return done


def _step(name: str) -> Callable[["Database", "Settings"], int]:
    step: Callable[[Any, Any], int] = importlib.import_module(PARTS[name].module).step
    return step


def _run(name: str, database: "Database", settings: "Settings", stop: Event) -> None:
    """One part until `stop`; a fault of it is said and tried again, since it must not take the other parts with it."""
    import structlog

    from observe.telemetry import catalogue, work
    from store.errors import ConclaveError

    step, part, log = _step(name), PARTS[name], structlog.get_logger(name)
    while not stop.is_set():
        try:
            began = perf_counter()
            done = step(database, settings)
            work.stepped(name, done, perf_counter() - began)
            if done == 0:
                database.listen(part.channel, part.every_s)
        except ConclaveError as error:
            catalogue.failed(name, error)
            log.warning("tried again soon", error=str(error))
            stop.wait(part.every_s)
        except Exception as error:
            catalogue.failed(name, error)
            log.exception("tried again soon")
            stop.wait(10 * part.every_s)
