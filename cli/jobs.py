"""`conclave ingest`, `detect`, `quarantine list`, `quarantine retry` and `jars`."""

import json
import signal
import sys
import threading
from typing import Annotated, Any

import typer

from store.settings import settings

Once = Annotated[bool, typer.Option("--once", help="Take what is there now, then stop.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")]


def ingest(once: Once = False, as_json: AsJson = False) -> None:
    """Take events in: check every record, keep the good ones in bronze and the others, with the reason, in quarantine.

    Reads the folder or the Kafka topics named in the settings ([bold]source[/]). Runs until Ctrl-C; what it had taken is never
    taken twice.
    """
    from jobs.run import run

    run("ingest", settings(), once=once, stop=stopping(), on_progress=teller(as_json))


def detect(
    once: Once = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Set the checkpoint aside and build windows anew from bronze, into any number of shards."),
    ] = False,
    days: Annotated[float, typer.Option(help="With --rebuild: how many days of bronze to start from.", min=0.0)] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Watch every entity: keep its window, score each event before learning it, and write metrics, anomalies and cases.

    Reads bronze, wherever ingest writes it. Runs until Ctrl-C; a batch that was cut off is done again and changes nothing
    twice.

    With [bold]--rebuild[/] a new checkpoint is made from the last days of bronze, with the number of shards that is set now: it
    finds the same anomalies under the same ids and adds nothing to the metrics that were counted. The old checkpoint is kept
    beside it until you remove it. Days that are not folded again are missing in the windows, so give as many as an entity's
    window reaches back.
    """
    from jobs import rebuild as rebuilding
    from jobs.run import run

    expected = 0
    if rebuild:
        aside = rebuilding.set_aside(settings(), days)
        start = rebuilding.begun(settings()) if aside else None
        typer.echo(rebuilt(aside, start, settings().detect.shards), err=True)
        expected = start.rows if start is not None else 0
    run("detect", settings(), once=once, stop=stopping(), on_progress=teller(as_json, expected))


def rebuilt(aside: str | None, start: Any, shards: int) -> str:
    """What was set aside and what follows."""
    if aside is None:
        return "there was no checkpoint yet"
    said = f"the old checkpoint is kept in {aside}; remove it once the new one has caught up"
    begins = f"; from bronze version {start.version} on, about {start.rows:,} rows, into {shards} shards" if start else ""
    return said + begins


def quarantine_list(
    state: Annotated[str, typer.Option(help="new, retried, or all")] = "new",
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show refused records, newest first: where they were, why they were refused, and how they begin."""
    from store.database import open_database

    if state not in ("new", "retried", "all"):
        raise typer.BadParameter("say new, retried or all", param_hint="--state")
    with open_database(settings()) as database:
        rows = database.fetch("list_quarantined", tenant=settings().tenant, state=None if state == "all" else state, limit=limit)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str))
        return
    show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo("No refused records.")
        return
    table = Table("id", "where", "why", "record", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row["record_id"], Text(row["position"]), Text(row["reason"]), Text(row["excerpt"][:80]))
    Console().print(table)


def quarantine_retry(
    record_ids: Annotated[list[str] | None, typer.Argument(help="Ids from `quarantine list`.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every record that was not retried yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send refused records round again, byte for byte, through the source that the settings name.

    Useful after a rule was mended (a size limit, a CSV column). A record that is still wrong comes back here.
    """
    from jobs import retry

    if not record_ids and not every:
        raise typer.BadParameter("name records by id, or say --all")
    sent = retry.send_again(settings(), None if every else list(record_ids or []))
    typer.echo(json.dumps({"sent": sent}) if as_json else f"{sent} record{'s' if sent != 1 else ''} sent round again")


def jars(
    store: Annotated[
        list[str] | None, typer.Option("--store", metavar="SCHEME", help="An object store's too: s3a, abfss or gs; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the jars that Spark needs, once, each checked against its pinned sha256: six (19 MB), and those of the object store
    that the settings name.
    """
    from jobs import jars as pinned
    from store.sections.storage import SCHEMES

    if unknown := sorted(set(store or []) - set(SCHEMES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(SCHEMES)}", param_hint="--store")
    paths = pinned.ensure(lambda said: typer.echo(said, err=True), store or [settings().storage.scheme])
    typer.echo(json.dumps([path.name for path in paths]) if as_json else "\n".join(path.name for path in paths))


def stopping() -> threading.Event:
    """Set by Ctrl-C and SIGTERM: the running batch is let go, nothing is lost by it."""
    event = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event


def teller(as_json: bool, expected: int = 0) -> Any:
    """Says each batch on standard error: a line for a person, or JSON; `expected` rows of a rebuild, to say how far it is."""
    done = 0

    def tell(job: str, row: dict[str, Any]) -> None:
        nonlocal done
        done += row["input_rows"]
        if as_json:
            typer.echo(json.dumps(row, default=str))
        elif row["input_rows"]:
            took = row["duration_ms"].get("triggerExecution", 0) / 1000
            share = f", {done:,} of about {expected:,} ({done / expected:.0%})" if 0 < done <= expected else ""
            print(f"{job} batch {row['batch_id']}: {row['input_rows']:,} rows in {took:.1f} s{share}", file=sys.stderr)

    return tell
