"""`conclave status`: what is happening, read from the database."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from store.database import Database

COUNTS = ("job", "batches", "events", "quarantined", "late", "duplicates", "anomalies")
BEHIND = {"numFilesOutstanding": "files", "numBytesOutstanding": "bytes", "maxOffsetsBehindLatest": "offsets"}
ALIVE_S = 60.0  # a worker silent for longer is shown as gone
NOTHING = """Nothing has come in yet. Either run `conclave demo`, or start `conclave ingest`, `conclave detect` and
`conclave council` in three terminals and feed them: put files into {landing}, or run `conclave produce`."""


def status(as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False) -> None:
    """Show batches, lag, the docket, rulings, workers, quarantine and table sizes."""
    from observe.telemetry.serving import targets
    from store import embedded
    from store.database import is_embedded, open_database
    from store.settings import settings

    if is_embedded(settings()) and not embedded.exists(settings().home):
        found: dict[str, Any] = {"jobs": [], "empty": True}
    else:
        with open_database(settings()) as database:
            found = read(database) | {"metrics": [asdict(target) for target in targets(settings().home)]}
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
    elif found["empty"]:
        typer.echo(NOTHING.format(landing=settings().landing))
    else:
        show(found)


def read(database: "Database") -> dict[str, Any]:
    """Everything that status shows, as plain values; times are datetimes, ages are seconds."""
    from store import retention

    server = database.fetch("status_server")[0]
    jobs, docket = database.fetch("status_jobs"), database.fetch("status_docket")
    return {
        "at": server["now"],
        "server": {"version": server["version"], "extensions": server["extensions"]},
        "jobs": jobs,
        "progress": database.fetch("status_progress"),
        "lag": database.fetch("stream_lags"),
        "filed_for_room": database.fetch("receipt_totals")[0],
        "docket": docket,
        "oldest_waiting_s": oldest_waiting_s(docket, server["now"]),
        "rulings": database.fetch("status_rulings"),
        "commands": database.fetch("status_commands"),
        "workers": [row | {"alive": row["silent_s"] < ALIVE_S} for row in database.fetch("status_workers")],
        **database.fetch("status_counts")[0],
        "last_maintenance": database.fetch("last_maintenance")[0]["at"],
        "tables": retention.sizes(database),
        "empty": not jobs,
    }


def oldest_waiting_s(docket: list[dict[str, Any]], now: datetime) -> float | None:
    """Seconds since the oldest waiting case was put on the docket; None when none waits."""
    waiting = [row["oldest"] for row in docket if row["state"] == "waiting"]
    return (now - min(waiting)).total_seconds() if waiting else None


def show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from cli.docket import filed_words

    console = Console() if sys.stdout.isatty() else Console(width=160)  # a file or a pipe has no edge to wrap at
    console.print(
        f"Postgres {escape(found['server']['version'])} · {found['entities']:,} entities · {found['sections']:,} runbook sections"
    )
    for table in tables(found):
        console.print(table)
    if words := filed_words(found["filed_for_room"]):
        console.print(f"[yellow]{escape(words)}[/]: see `conclave docket show`")
    if found["quarantined"]:
        console.print(f"[yellow]{found['quarantined']:,} refused records[/]: see `conclave quarantine list`")
    if not any(worker["alive"] for worker in found["workers"]):
        console.print("[yellow]No worker is alive[/]: start `conclave ingest`, `conclave detect` and `conclave council`")


def tables(found: dict[str, Any]) -> list["Table"]:
    """The tables that have something to say."""
    waits = "" if found["oldest_waiting_s"] is None else f", oldest waiting {age(found['oldest_waiting_s'])}"
    docket = f"Docket ({found['cases']:,} cases, {found['filed']:,} filed{waits})"
    made = [
        table("Jobs", (*COUNTS, "rows/s", "behind", "last commit"), job_rows(found)),
        table(docket, ("lane", "state", "cases"), [tuple(row.values())[:3] for row in found["docket"]]),
        table("Rulings in force", ("outcome", "council", "rulings"), [tuple(row.values()) for row in found["rulings"]]),
        table("Commands", ("action", "state", "commands"), [tuple(row.values()) for row in found["commands"]]),
        table("Workers", ("worker", "job", "seen", ""), worker_rows(found["workers"])),
        table("Metrics", ("process", "/metrics at", "pid"), metrics_rows(found.get("metrics", []))),
        table(
            "Tables",
            ("table", "rows, about", "size"),
            [(t["name"], t["rows"], size(t["bytes"])) for t in found["tables"] if t["rows"]],
        ),
    ]
    return [one for one in made if one.row_count]


def job_rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    newest, waits = ({row["job"]: row for row in found[name]} for name in ("progress", "lag"))
    return [
        (*(row[name] for name in COUNTS), rate(newest.get(row["job"])),
         behind(waits.get(row["job"])) or lag(newest.get(row["job"])),
         age((found["at"] - row["committed_at"]).total_seconds()) + " ago")
        for row in found["jobs"]
    ]  # fmt: skip


def worker_rows(workers: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(w["worker_id"], w["job"], age(w["silent_s"]) + " ago", "alive" if w["alive"] else "gone") for w in workers]


def metrics_rows(targets: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["process"], f"http://{one['address']}/metrics", str(one["pid"])) for one in targets]


def table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name, example in zip(columns, rows[0] if rows else columns, strict=True):
        made.add_column(name, justify="right" if isinstance(example, int | float) else "left")
    for row in rows:
        made.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    return made


def rate(progress: dict[str, Any] | None) -> str:
    return "" if progress is None or progress["rows_per_s"] is None else f"{progress['rows_per_s']:,.0f}"


def behind(waiting: dict[str, Any] | None) -> str:
    """What waits for a job; empty when nobody can tell, since ingest itself must be asked about its source.

    >>> behind({"waiting": 1200, "unit": "rows", "oldest_s": 3.2})
    '1,200 rows, oldest 3 s'
    """
    if waiting is None:
        return ""
    oldest = f", oldest {age(waiting['oldest_s'])}" if waiting["waiting"] and waiting["oldest_s"] else ""
    return f"{waiting['waiting']:,} {waiting['unit']}{oldest}"


def lag(progress: dict[str, Any] | None) -> str:
    """How far a job is behind, as its source counts it (offsets, files, bytes).

    >>> lag({"lag": {"DeltaSource[…]": {"numFilesOutstanding": "3", "numBytesOutstanding": "7000"}}})
    '3 files, 7000 bytes'
    """
    behind = {} if progress is None else {name: value for source in progress["lag"].values() for name, value in source.items()}
    return ", ".join(f"{behind[name]} {words}" for name, words in BEHIND.items() if name in behind)


def age(seconds: float) -> str:
    """Seconds as a person says them.

    >>> age(5), age(125), age(7500), age(200000)
    ('5 s', '2 min', '2 h', '2 d')
    """
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def size(count: int) -> str:
    """Bytes as a person says them.

    >>> size(900), size(81_920), size(5_000_000)
    ('900 B', '82 kB', '5 MB')
    """
    for unit, length in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if count >= length:
            return f"{count / length:.0f} {unit}"
    return f"{count} B"
