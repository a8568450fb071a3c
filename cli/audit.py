"""`conclave audit verify`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def verify(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's chain. Default: every tenant's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Follow the audit log from its first entry and name the first broken link; exit code 1 when there is one.

    The head is the newest entry's hash: kept elsewhere, it also proves that nothing was cut off at the end.
    """
    from store.database import open_database
    from store.settings import settings
    from trust import audit

    with open_database(settings()) as database:
        verdicts = audit.verify_all(database) if tenant is None else [audit.verify(database, tenant)]
    if as_json:
        typer.echo(json.dumps({"chains": [asdict(verdict) for verdict in verdicts]}))
    for verdict in verdicts if not as_json else ():
        if verdict.broken is None:
            typer.echo(f"{verdict.tenant}: {verdict.entries:,} entries hold; head {verdict.head or '(none)'}")
        else:
            typer.echo(
                f"{verdict.tenant}: broken at entry {verdict.broken:,}: {verdict.why}. The {verdict.entries:,} before hold."
            )
    if not verdicts and not as_json:
        typer.echo("The audit log is empty.")
    raise typer.Exit(1 if any(verdict.broken is not None for verdict in verdicts) else 0)
