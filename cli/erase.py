"""`conclave erase`: forget an account or a counterparty, everywhere, and say what became of it."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings
    from trust.erase import Line

ACTOR = "system:cli"


def erase(
    subject: Annotated[str | None, typer.Argument(help="`account:ID` or `counterparty:ID`.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose. Default: the tenant of the settings.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was asked for and is not done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Forget a subject: database, Delta tables, dropped files and logs. There is no way back.

    With tokenised identifiers the subject's key is destroyed first, and its rows in Delta lead nowhere from then on. With plain
    ones they are deleted and older versions vacuumed: stop ingest and detect before. Ends with a search that proves absence.
    """
    from store.database import open_database
    from store.settings import settings

    if (subject is None) != resume:
        raise typer.BadParameter("give a subject, or --resume")
    if subject is not None and not yes:
        typer.confirm(f"Forget {subject} for good?", abort=True)
    chosen = settings()
    with open_database(chosen) as database:
        done = _resume(database, chosen) if subject is None else [_whole(database, chosen, tenant or chosen.tenant, subject)]
    if as_json:
        typer.echo(json.dumps({"erasures": done}, default=str))
    else:
        for one in done:
            _show(one)
    raise typer.Exit(1 if any(one["state"] != "done" for one in done) else 0)


def _whole(database: "Database", settings: "Settings", tenant: str, subject: str) -> dict[str, Any]:
    from trust import erase as erasing
    from trust.vault import vault_of

    vault = vault_of(settings, tenant)
    with database.connection() as connection:
        asked = erasing.ask(connection, tenant, ACTOR, subject, vault)
    return _go_on(database, settings, tenant, asked.erasure_id)


def _resume(database: "Database", settings: "Settings") -> list[dict[str, Any]]:
    rows = database.fetch("erasures_unfinished")
    return [_go_on(database, settings, row["tenant"], row["erasure_id"]) for row in rows]


def _go_on(database: "Database", settings: "Settings", tenant: str, erasure_id: str) -> dict[str, Any]:
    from cli.erasing import sealed_traces
    from trust import erase as erasing
    from trust import loop

    erasing.database_part(database, erasure_id, sealed_traces(database, settings))
    loop.finish(database, settings, _delta(database, settings, erasure_id), erasure_id)
    return erasing.shown(database.fetch("erasure", tenant=tenant, erasure_id=erasure_id)[0])


def _delta(database: "Database", settings: "Settings", erasure_id: str) -> "list[Line]":
    from jobs import erase as delta
    from trust import erase as erasing

    with database.connection() as connection:
        taken = erasing.take(connection, ["files", "failed"], erasure_id)
    return [] if taken is None else delta.forget(settings, taken[1])


def _show(one: dict[str, Any]) -> None:
    typer.echo(f"{one['erasure_id']}: {one['state']}{'. ' + one['error'] if one['error'] else ''}")
    for line in one["report"]:
        counts = [f"{line[name]:,} {name}" for name in ("removed", "unlinked", "kept") if line[name]]
        typer.echo(f"  {line['store']}: {', '.join(counts)}{': ' if counts and line['note'] else ''}{line['note']}")
