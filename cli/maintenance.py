"""`conclave maintenance` and `conclave migrate`: the database, looked after by hand."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer


def maintenance(as_json: Annotated[bool, typer.Option("--json", help="Print what was removed as JSON.")] = False) -> None:
    """Remove the rows that are past their retention (settings: retention). The council does the same every hour."""
    from store import retention
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        removed = retention.run(database, settings().retention, datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps({"done": removed is not None, "removed": removed or {}}))
    elif removed is None:
        typer.echo("Another process is doing maintenance right now; nothing was left to do here.")
    else:
        gone = {table: rows for table, rows in removed.items() if rows}
        typer.echo(
            "Removed " + ", ".join(f"{rows:,} {table}" for table, rows in gone.items()) if gone else "Nothing was past its time."
        )


def migrate() -> None:
    """Bring the database to this version, and use TimescaleDB where the server has it. Safe to repeat.

    The jobs do this themselves when they start; run it by hand after changing the retention settings on TimescaleDB.
    """
    from store import database, migrations, timescale
    from store.settings import settings

    address = database.url(settings())
    with database.connect(address) as connection:
        done = migrations.migrate(connection)
        adopted = timescale.adopt(connection, settings().retention, again=True)
        licence = timescale.licence(connection) if adopted else None
    typer.echo(f"{database.place_of(address)}: " + (f"applied {', '.join(done)}" if done else "nothing to apply"))
    if adopted:
        typer.echo(f"TimescaleDB ({licence} licence): metric tables are hypertables")
