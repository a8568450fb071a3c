"""`conclave demo`: the main job on the bundled data, as processes of its own in a home of its own."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import bundled, demo_home
from cli.children import Children
from cli.errors import DemoFailed

if TYPE_CHECKING:
    from cli.stages import Stages
    from store.database import Database
    from store.settings import Settings

LOOK_S = 0.5


def demo(
    once: Annotated[bool, typer.Option("--once", help="Process all bundled data, print a summary and end.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on from what the last run left instead of starting afresh.")] = False,
    rate: Annotated[float, typer.Option(help="Events per second to replay (without --once).", min=1)] = 1500,
    home: Annotated[Path | None, typer.Option(help="Folder for everything it writes. Default: HOME/demo.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary of --once as JSON.")] = False,
) -> None:
    """Replay the bundled data as a stream, detect, convene the council and serve the dashboard, until Ctrl-C.

    Nothing has to be prepared: jars, an embedded database and the runbook are set up first. The demo has a folder of its own and
    an embedded database of its own there; a database of yours is never touched. With --once there is no dashboard.
    """
    from store.settings import settings

    started = time.monotonic()
    with interruptible(), demo_home.opened((home or settings().home / "demo").absolute(), keep=keep) as folder:
        chosen = demo_home.own_settings(folder)
        children = Children(folder / "logs", folder / "children.json")
        try:
            with _database(chosen, children) as database:
                if once:
                    _once(chosen, database, children, started, as_json=as_json)
                else:
                    _live(chosen, database, children, rate)
        except KeyboardInterrupt:
            say("\nStopping …")
            raise typer.Exit(130 if once else 0) from None
        finally:
            _deaf()
            children.stop()


def say(words: str) -> None:
    typer.echo(words, err=True)


def _once(settings: "Settings", database: "Database", children: Children, started: float, *, as_json: bool) -> None:
    from cli import summary
    from cli.stages import Stages

    sent = bundled.land(settings)
    children.start("streams", [sys.executable, "-m", "cli.streams"], dict(os.environ))
    bundled.teach(database)
    children.start("council", conclave("council"), dict(os.environ))
    with Stages(sent) as stages:
        _watch(database, children, stages, until_streams_end=True)
    figures = summary.figures(database, sent, bundled.LABELS, time.monotonic() - started)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
    else:
        summary.show(figures)
    if faults := summary.faults(figures):
        raise DemoFailed(" ".join(faults))


def _live(settings: "Settings", database: "Database", children: Children, rate: float) -> None:
    from cli.stages import Stages

    pages, gateway = free_port(settings.dashboard.port), free_port(settings.gateway.port)
    bundled.teach(database)
    key = first_key(database, settings.tenant)
    for name, command in {
        "ingest": conclave("ingest"),
        "council": conclave("council"),
        "operate": conclave("operate"),
        "gateway": conclave("gateway", "--host", "127.0.0.1", "--port", str(gateway)),
        "dashboard": conclave("dashboard", "--host", "127.0.0.1", "--port", str(pages)),
        "produce": conclave("produce", "--rate", str(rate), "--shift-to-now"),
    }.items():
        if name != "produce" or not any(settings.landing.glob("*.jsonl")):
            children.start(name, command, dict(os.environ))
    say(f"Dashboard: http://127.0.0.1:{pages}   (Ctrl-C stops everything; logs are in {settings.home / 'logs'})")
    say(f"Gateway:   http://127.0.0.1:{gateway}/docs")
    say(f"First key: {key}   (an administrator's; it is not shown again)" if key else "Keys:      `conclave keys list`")
    _await_tables(settings, children)
    children.start("detect", conclave("detect"), dict(os.environ))
    with Stages(bundled.events()) as stages:
        _watch(database, children, stages, until_streams_end=False)


def first_key(database: "Database", tenant: str) -> str | None:
    """An administrator's key when there is none yet; only its hash is kept, so this is the only time to show it."""
    from trust import keys
    from trust.roles import Role

    if keys.listed(database, tenant):
        return None
    with database.connection() as connection:
        made = keys.create(connection, tenant, "first key", Role.admin, actor="system:demo", now=datetime.now(UTC))
    return made.text


def _await_tables(settings: "Settings", children: Children) -> None:
    """Ingest makes the Delta tables, the quarantine last; a second job that makes them at the same moment would disturb it."""
    made = Path(settings.quarantine, "_delta_log", f"{0:020d}.json")
    while not made.exists():
        _check(children)
        time.sleep(LOOK_S)


def _check(children: Children) -> None:
    """Raise DemoFailed with the last words of a child that ended although it should not have."""
    if (dead := children.dead(may_end=("jars", "streams", "produce"))) is not None:
        raise DemoFailed(f"{dead.name} ended with code {dead.code}. The end of {dead.log}:\n{dead.last_words()}")


def _watch(database: "Database", children: Children, stages: "Stages", *, until_streams_end: bool) -> None:
    """Show how far it is; end when the streams are through and the docket is empty, or with DemoFailed when a child dies."""
    while True:
        ended = children.ended("streams")
        row = database.fetch("demo_progress")[0]
        stages.update(row)
        _check(children)
        if until_streams_end and ended and row["open"] == 0:
            return
        time.sleep(LOOK_S)


def conclave(*words: str) -> list[str]:
    return [sys.executable, "-m", "cli.app", *words]


@contextmanager
def _database(settings: "Settings", children: Children) -> Iterator["Database"]:
    from store.database import open_database

    fetch_jars(children)
    with open_database(settings) as database:
        yield database


def fetch_jars(children: Children) -> None:
    """In a process of its own: the resolver's Java has much to say, and all of it belongs into a log."""
    from jobs import jars

    if jars.missing():
        say("Fetching the jars that Spark needs (19 MB, once) …")
        fetching = children.start("jars", conclave("jars"), dict(os.environ))
        if fetching.process.wait() != 0:
            raise DemoFailed(f"the jars could not be had. The end of {fetching.log}:\n{fetching.last_words()}")


def free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port.")


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    yield


def _deaf() -> None:
    """A second Ctrl-C must not leave half of the processes running."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
