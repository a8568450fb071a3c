"""`conclave reveal` and `conclave keys rotate-master`: what tokens stand for, and the key above all others."""

import json
import os
from typing import Annotated

import typer


def reveal(
    tokens: Annotated[list[str], typer.Argument(help="Tokens (`tok_…`), sealed texts, or entities that hold tokens.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit log.")],
    tenant: Annotated[str | None, typer.Option(help="Whose. Default: the tenant of the settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what tokens stand for. Whoever can run this holds the master key; each reveal is in the audit log."""
    from store.database import open_database
    from store.settings import settings
    from trust import reveal as revealing
    from trust.roles import Caller, Role
    from trust.vault import TOKEN, Vault

    chosen = settings()
    owner = tenant or chosen.tenant
    caller = Caller(owner, f"system:cli/{os.getuid()}", "command line", Role.admin)
    wanted = [found for text in tokens for found in ([text] if text.startswith("sealed:") else TOKEN.findall(text) or [text])]
    with open_database(chosen) as database, database.connection() as connection:
        shown = revealing.reveal(connection, Vault.of(chosen, owner), caller, wanted, reason)
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for text in wanted:
        typer.echo(f"{text}  {shown.get(text, '(unknown or erased)')}")


def rotate_master() -> None:
    """Replace the master key: every tenant's keys are wrapped anew. Tokens and sealed texts stay as they are.

    A key in a file is replaced there. One from the environment: set it to `new,old`, run this, then drop the old one. Restart
    what was running, since it holds the old key.
    """
    from store.database import open_database
    from store.settings import settings
    from trust import master

    with open_database(settings()) as database:
        done = master.rotate(settings(), database)
    typer.echo(f"{done} keys are wrapped under the master key {master.ring(settings()).current}.")
