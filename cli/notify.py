"""`conclave notify`: check a file of channels and routes, look at deliveries, send dead letters again, try a channel."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trust.roles import Caller

ACTOR = "system:cli"
Tenant = Annotated[str | None, typer.Option(help="Default: the tenant of the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def check(file: Annotated[Path, typer.Argument(help="A TOML file of channels, routes, alert_topics and subscriptions.")]) -> None:
    """Check a file of channels and routes before the settings name it (notify.file). Exit code 1 when it cannot be used."""
    from notify.config import check_file
    from store.settings import settings

    faults = check_file(file, settings())
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo(f"{file.name} can be used.")


def deliveries(
    state: Annotated[str | None, typer.Option(help="waiting, sending, sent, dead or skipped.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only those to this channel.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 20,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """List the newest deliveries; `--state dead` are the dead letters."""
    from notify import sent
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        found = sent.deliveries(database, tenant or settings().tenant, limit=limit, state=state, channel_id=channel)
    if as_json:
        typer.echo(json.dumps({"deliveries": found}, default=str))
        return
    for row in found:
        said = row["error"] or row["title"]
        typer.echo(f"{row['created_at']:%Y-%m-%d %H:%M:%S}  {row['state']:8} {row['channel_id']:20} {row['delivery_id']}  {said}")
    if not found:
        typer.echo("Nothing was sent yet.")


def replay(
    channel: Annotated[str, typer.Argument(help="The channel whose dead letters are sent again.")], tenant: Tenant = None
) -> None:
    """Send a channel's dead letters again."""
    from notify import sent
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database, database.connection() as connection:
        count = sent.replay_dead(connection, _caller(tenant or settings().tenant), channel, datetime.now(UTC))
    typer.echo(f"{count} {'go' if count != 1 else 'goes'} round again.")


def try_one(channel: Annotated[str, typer.Argument(help="The channel to try.")], tenant: Tenant = None) -> None:
    """Send a test to a channel and say what came back. Exit code 1 when it did not arrive."""
    from notify import sent
    from notify.loop import tools
    from notify.targets import Targets
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        caller = _caller(tenant or settings().tenant)
        outcome = sent.try_channel(database, caller, channel, settings(), tools(settings(), Targets()), datetime.now(UTC))
    typer.echo(outcome.error or f"It arrived. {outcome.answer}".strip())
    if outcome.state != "sent":
        raise typer.Exit(1)


def _caller(tenant: str) -> "Caller":
    from trust.roles import Caller, Role

    return Caller(tenant, ACTOR, "conclave notify", Role.admin)
