"""`conclave simulate`, `produce`, `evaluate` and `topology`: labelled data, its replay, what was found of it, who calls whom."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jobs.evaluation import Evaluation
    from jobs.produce import Target
    from store.settings import Settings

BUNDLED = Path(__file__).parents[1] / "data"
DATASETS = ("transactions", "requests", "measurements")
NAMES_HELP = "Files (JSON lines, plain or gzip) or bundled names; all bundled ones by default."
SHIFT_HELP = "Move all times so that the newest event is now."
COUNTED_UP_TO = 200_000_000  # bytes of files that are counted first, so that the progress bar has an end


class To(StrEnum):
    folder = "folder"
    kafka = "kafka"


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the files; made when missing.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.", min=0)] = 7,
    days: Annotated[int, typer.Option(help="Days of transactions; the first 30 hours stay clean.", min=2, max=60)] = 3,
    accounts: Annotated[int, typer.Option(help="Accounts on the map; each buys about 33 times a day.", min=160)] = 480,
    measured: Annotated[bool, typer.Option(help="Add the bundled measured series.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Make a labelled data set: card purchases with fraud in them, a shop's requests with outages, measured series.

    Writes transactions, requests and measurements (JSON lines, gzip), topology.csv and labels.json.
    """
    from jobs.simulate import bundle

    made = bundle.simulate(seed, days, BUNDLED / "nab" if measured else None, accounts)
    bundle.write(made, out)
    refused = sum(made.labels.quarantined.values())
    counts = {"events": made.labels.events, "incidents": len(made.labels.incidents), "refused": refused}
    if as_json:
        typer.echo(json.dumps(counts))
        return
    lines = ", ".join(f"{count:,} {name}" for name, count in made.labels.events.items())
    typer.echo(f"{lines}; {counts['incidents']} labelled incidents, {refused} broken records. Written to {out}.")


def produce(
    datasets: Annotated[list[str] | None, typer.Argument(help=NAMES_HELP)] = None,
    to: Annotated[To, typer.Option(help="The landing folder, or the Kafka topic of the settings.")] = To.folder,
    folder: Annotated[Path | None, typer.Option(help="Another folder than the settings' landing folder.")] = None,
    rate: Annotated[float | None, typer.Option(help="Events per second.", min=0.001)] = None,
    speed: Annotated[float | None, typer.Option(help="Event time per wall time: 60 makes an hour a minute.", min=0.001)] = None,
    shift_to_now: Annotated[bool, typer.Option("--shift-to-now/--original-times", help=SHIFT_HELP)] = False,
    limit: Annotated[int | None, typer.Option(help="Stop after so many events.", min=1)] = None,
    file_events: Annotated[int, typer.Option(help="Events per file at most.", min=1)] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Replay data sets as one stream, merged by event time, as fast as they are taken or at a pace.

    Broken records go along as they are. Ctrl-C ends it after what is already sent.
    """
    from jobs.produce import produce as send
    from jobs.produce import shift_to
    from store.settings import settings

    paths = dataset_paths(datasets or list(DATASETS), BUNDLED)
    shift_s = shift_to(paths, datetime.now(UTC)) if shift_to_now else None
    target = _target(settings(), to, folder, file_events)
    with _until_interrupted() as stop, _progress(_total(paths, limit)) as seen:
        sent = send(paths, target, rate=rate, speed=speed, shift_s=shift_s, limit=limit, on_progress=seen, stop=stop)
    if as_json:
        typer.echo(json.dumps(asdict(sent) | {"events_per_s": round(sent.per_second, 1)}))
        return
    moved = f", times moved by {sent.shift_s:+.3f} s" if shift_s is not None else ""
    early = ", stopped early" if sent.stopped else ""
    typer.echo(f"{sent.events:,} events in {sent.seconds:.1f} s: {sent.per_second:,.0f} events/s{moved}{early}.")


def evaluate(
    labels: Annotated[Path, typer.Option(help="A labels file of `conclave simulate`.", show_default="the bundled one")] = BUNDLED
    / "labels.json",
    shift_s: Annotated[float, typer.Option(help="Seconds that produce added to the times (it prints them).")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Compare cases and rulings with the labels of injected incidents."""
    from jobs.evaluation import evaluate as judge
    from store.database import open_database
    from store.settings import settings
    from trust.vault import vault_of

    with open_database(settings()) as database:
        judged = judge(database, labels, shift_s=shift_s, tenant=settings().tenant, vault=vault_of(settings()))
    if as_json:
        typer.echo(json.dumps(asdict(judged)))
        return
    _print(judged)


def topology(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns caller and callee.", exists=True, dir_okay=False)],
) -> None:
    """Load who calls whom, so that the council finds the root of an outage. It replaces what was loaded before."""
    from jobs.topology import load
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        count = load(database, file, settings().tenant)
    typer.echo(f"{count} calls between services loaded.")


def dataset_paths(names: list[str], bundled: Path) -> list[Path]:
    """Files as given, or bundled data sets by name. Raises UnknownDataset."""
    from jobs.errors import UnknownDataset

    paths = [bundled / f"{name}.jsonl.gz" if name in DATASETS else Path(name) for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
    if missing:
        raise UnknownDataset(f"{', '.join(missing)} (bundled: {', '.join(DATASETS)})")
    return paths


def _target(settings: "Settings", to: To, folder: Path | None, file_events: int) -> "Target":
    from jobs.targets import Folder, Topic, client_options

    if to is To.folder:
        return Folder(folder or settings.dropping(), file_events)
    topic = settings.source.kafka_topics.split(",")[0].strip()
    return Topic(settings.source.kafka_servers, topic, client_options(settings.source.kafka_options))


def _total(paths: list[Path], limit: int | None) -> int | None:
    from jobs.produce import lines

    if not sys.stderr.isatty() or sum(path.stat().st_size for path in paths) > COUNTED_UP_TO:
        return limit
    count = sum(1 for path in paths for _ in lines(path))
    return min(count, limit) if limit is not None else count


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("produce"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, pace="")
        yield lambda sent: bar.update(task, completed=sent, pace=_pace(bar.tasks[0].speed))


def _pace(events_per_s: float | None) -> str:
    return "" if events_per_s is None else f"{events_per_s:,.0f} events/s"


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event instead of ending the process in the middle of a file."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(judged: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("scenario", "injected", "found", "confirmed")
    for tally in judged.scenarios:
        table.add_row(tally.scenario, str(tally.injected), str(tally.found), str(tally.confirmed))
    table.add_section()
    table.add_row("all", str(judged.injected), str(judged.found), str(judged.confirmed))
    console = Console()
    console.print(table)
    console.print(f"Confirmed cases: {judged.confirmed_cases}, of which injected {judged.confirmed_injected}.")
    console.print(f"Anomalies: {judged.anomalies}, of which not injected {judged.anomalies_not_injected}.")
    if judged.missed:
        console.print(f"Not confirmed: {', '.join(judged.missed)}")
