"""`conclave docket`: what waits for the council, what was filed for want of room, and putting it back."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Limit = Annotated[int, typer.Option(min=1, help="At most this many.")]


def show(limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show what waits on the docket by lane, and which cases were filed for want of room, those with the most to lose first."""
    from rag import filing
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        found: dict[str, Any] = {
            "lanes": database.fetch("status_docket"), "totals": filing.totals(database), "filed": filing.filed(database, limit)
        }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    for row in found["lanes"]:
        typer.echo(f"{row['lane']} lane: {row['cases']:,} {row['state']}")
    typer.echo(filed_words(found["totals"]) or "Nothing is filed for want of room.")
    for row in found["filed"]:
        place = f"{row['rank']:,} of {row['of_all']:,}, filed {row['at']:%Y-%m-%d %H:%M}"
        typer.echo(f"{row['case_id']}  {row['entity']}  {row['loss_words']}; {place}")


def receipts(case_id: Annotated[str, typer.Argument(help="The case's id.")], as_json: AsJson = False) -> None:
    """Show a case's receipts: when it was filed for want of room, why, what it may cost, its rank, and when it went back."""
    from rag import filing
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        rows = filing.receipts(database, case_id)
    if as_json:
        typer.echo(json.dumps({"receipts": rows}, default=str))
        return
    for row in rows:
        typer.echo(receipt_words(row))
    if not rows:
        typer.echo(f"{case_id} has no receipt: it was never filed for want of room.")


def receipt_words(row: dict[str, Any]) -> str:
    """One receipt as a line."""
    gone = row["returned_at"]
    back = "not back yet" if gone is None else f"back since {gone:%Y-%m-%d %H:%M:%S} ({row['returned_because']})"
    place = f"{row['rank']:,} of {row['of_all']:,}"
    return f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['kind']}: {row['why']}; {place}, {row['loss_words']}; {back}"


def unshed(
    case_ids: Annotated[list[str] | None, typer.Argument(help="Cases to be heard, room or not.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="As many of the filed cases as the docket has room for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put filed cases on the docket again; the council's workers do it by themselves once the docket is empty.

    A case that is named is heard even when the docket is full; with --all those with the most to lose go first.
    """
    from store.database import open_database
    from store.settings import settings

    if not case_ids and not every:
        raise typer.BadParameter("name cases, or say --all")
    with open_database(settings()) as database:
        said = _put_back(database, settings(), list(case_ids or []), every)
    words = f"{said['back']:,} put on the docket again, {said['left']:,} still filed"
    typer.echo(json.dumps(said) if as_json else words)


def _put_back(database: "Database", settings: "Settings", case_ids: list[str], every: bool) -> dict[str, int]:
    from rag import docket, filing

    for case_id in case_ids:
        docket.retry(database, case_id)
    back = filing.put_back(database, filing.room(database, settings)) if every else 0
    return {"back": back + len(case_ids), "left": int(filing.totals(database)["filed"])}


def filed_words(totals: dict[str, Any]) -> str:
    """What is filed for want of room, in a sentence; empty when nothing is."""
    if not totals["filed"]:
        return ""
    known = totals["expected_loss"] is not None
    loss = f", {totals['expected_loss']:,.2f} {totals['currency']} at stake as far as known" if known else ""
    return f"{totals['filed']:,} cases are filed for want of room since {totals['since']:%Y-%m-%d %H:%M}{loss}"
