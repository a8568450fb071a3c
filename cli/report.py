"""`conclave report` and `conclave export`: a case on paper, a table as a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from desk.reports.kinds import Kind

Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: standard output.")]


def report(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The id of a case, as case-….")],
    kind: Annotated[str, typer.Option("--kind", help="case, post-mortem or suspicious-activity.")] = "case",
    pdf: Annotated[bool, typer.Option("--pdf", help="PDF instead of Markdown.")] = False,
    output: Output = None,
) -> None:
    """Write a report of a case; personal data in it is masked."""
    from desk.reports import kinds
    from store.database import open_database
    from store.settings import settings

    chosen = _kind(kind)
    with open_database(settings()) as database:
        _write(
            kinds.report(database.of(settings().tenant), settings().tenant, case, chosen, "pdf" if pdf else "markdown"), output
        )


def export(
    view: Annotated[str, typer.Argument(metavar="TABLE", help="cases, anomalies, rulings, commands, entities, feedback …")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet instead of CSV.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 10_000,
    output: Output = None,
) -> None:
    """Write the newest rows of a table; personal data in text is masked."""
    from desk.reports import sheets
    from store.database import open_database
    from store.settings import settings

    if view not in sheets.VIEWS:
        raise typer.BadParameter(f"{view}: there are {', '.join(sheets.VIEWS)}", param_hint="TABLE")
    with open_database(settings()) as database:
        rows = sheets.rows(database.of(settings().tenant), settings().tenant, view, None, limit)
    _write(sheets.as_parquet(rows) if parquet else sheets.as_csv(rows), output)


def _kind(given: str) -> "Kind":
    from desk.reports.kinds import WRITERS

    if given not in WRITERS:
        raise typer.BadParameter(f"{given}: there are {', '.join(WRITERS)}", param_hint="--kind")
    return given  # type: ignore[return-value]


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
