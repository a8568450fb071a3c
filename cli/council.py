"""`conclave council`: rule on the flagged cases, and look after the dead letters."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rag.worker import Summary
    from store.settings import Settings


def council(
    once: Annotated[bool, typer.Option("--once", help="Hear what is on the docket, then end.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that hear cases side by side.")] = 1,
    dead: Annotated[bool, typer.Option("--dead", help="List the dead letters: cases whose every hearing failed.")] = False,
    retry: Annotated[
        str | None, typer.Option("--retry", metavar="CASE", help="Put this case before the council once more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rule on the flagged cases: two of three members, bound to numbered evidence.

    With a model (settings: model) the members speak through it; while none can be reached, rules decide, every ruling says
    so, and the case is heard again once the model is back. Stop with Ctrl-C: the current batch is finished first.
    """
    from store.settings import settings

    if dead:
        return _list_dead(settings(), as_json)
    if retry is not None:
        return _retry(settings(), retry, as_json)
    stop = Event()
    with stopped_by_signals(stop), _helpers(workers, once, stop) as helpers, _progress(once and not as_json) as tell:
        from rag.worker import run

        summary = run(_share(settings(), workers), once=once, stop=stop, on_progress=tell)
    for helped in helpers.summaries:
        summary.add(helped)
    _report(summary, as_json)
    if helpers.failed:
        typer.echo(f"{helpers.failed} of {workers} workers ended with an error; see above.", err=True)
        raise typer.Exit(1)


def _list_dead(settings: "Settings", as_json: bool) -> None:
    from rag import docket
    from store.database import open_database

    with open_database(settings) as database:
        letters = docket.dead(database)
    if as_json:
        typer.echo(json.dumps({"dead": letters}, default=str))
        return
    for row in letters:
        typer.echo(
            f"{row['case_id']}  {row['entity']}  severity {row['severity']:.2f}, {row['attempts']} attempts: {row['last_error']}"
        )
    typer.echo(
        f"{len(letters)} dead letters. Hear one again with `conclave council --retry CASE`." if letters else "No dead letters."
    )


def _retry(settings: "Settings", case_id: str, as_json: bool) -> None:
    from rag import docket
    from store.database import open_database

    with open_database(settings) as database:
        docket.retry(database, case_id)
    typer.echo(json.dumps({"retried": case_id}) if as_json else f"{case_id} is on the docket again.")


def _share(settings: "Settings", workers: int) -> "Settings":
    """Each process's part of the model's calls per minute."""
    calls = max(1, settings.model.calls_per_minute // workers)
    return settings.model_copy(update={"model": settings.model.model_copy(update={"calls_per_minute": calls})})


@contextmanager
def stopped_by_signals(stop: Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for an orderly end, the second ends at once."""

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Helpers:
    """What the further processes did, known when they have ended."""

    summaries: list["Summary"]
    failed: int = 0


@contextmanager
def _helpers(workers: int, once: bool, stop: Event) -> Iterator[_Helpers]:
    """The further worker processes; they end with this one."""
    from multiprocessing import get_context

    context = get_context("spawn")
    told = [context.Pipe(duplex=False) for _ in range(workers - 1)]
    children = [context.Process(target=_help, args=(workers, once, sender)) for _, sender in told]
    for child in children:
        child.start()
    helpers = _Helpers([])
    try:
        yield helpers
    finally:
        for child in children:
            if not once or stop.is_set():
                child.terminate()
            child.join()
        helpers.summaries += [receiver.recv() for receiver, _ in told if receiver.poll()]
        helpers.failed = sum(child.exitcode != 0 for child in children)


def _help(workers: int, once: bool, sender: Any) -> None:
    """A further worker process; it also ends when its parent is gone, however that came about."""
    from multiprocessing import connection, parent_process

    from cli import logs
    from rag.worker import run
    from store.settings import settings

    logs.configure(settings().log_level, human=sys.stderr.isatty())
    stop = Event()
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            stop.set()

    with stopped_by_signals(stop):
        Thread(target=watch, daemon=True).start()
        sender.send(run(_share(settings(), workers), once=once, stop=stop))


@contextmanager
def _progress(wanted: bool) -> Iterator["Callable[[Summary, int], None] | None"]:
    """A bar on a terminal, nothing elsewhere."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Hearing cases"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda summary, waiting: bar.update(task, completed=summary.cases, total=summary.cases + waiting)


def _report(summary: "Summary", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**vars(summary), "seconds": round(summary.seconds, 3)}))
        return
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(summary.outcomes.items())) or "no case was waiting"
    benches = " and ".join(
        f"{count:,} by {'a model' if bench == 'model' else 'rules'}" for bench, count in sorted(summary.councils.items())
    )
    typer.echo(f"{summary.cases:,} rulings in {summary.seconds:.1f} s: {outcomes}" + (f" ({benches})." if benches else "."))
    if summary.failed:
        typer.echo(f"{summary.failed:,} hearings failed; see `conclave council --dead`.", err=True)
