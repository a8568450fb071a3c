"""`conclave keys create|list|rotate|revoke`."""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from cli.errors import NoSuchKey

ACTOR = "system:cli"
Tenant = Annotated[str | None, typer.Option(help="Whose key. Default: the tenant of the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class RoleName(StrEnum):
    viewer = "viewer"
    analyst = "analyst"
    admin = "admin"


def create(
    name: Annotated[str, typer.Argument(help="What it is for, as `shop backend`.")],
    role: Annotated[RoleName, typer.Option(help="viewer reads, analyst works, admin configures.")] = RoleName.viewer,
    scope: Annotated[list[str] | None, typer.Option(help="Limit it to a group of routes, as `events`; may be repeated.")] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="Days until it ends. Default: until revoked.")] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it, once: only a hash of it is kept.

    With --scope it opens only the routes of those groups, whatever its role may else.
    """
    from store.database import open_database
    from store.settings import settings
    from trust import keys
    from trust.roles import Role

    now = datetime.now(UTC)
    expires_at = now + timedelta(days=days) if days is not None else None
    with open_database(settings()) as database, database.connection() as connection:
        issued = keys.create(
            connection, tenant or settings().tenant, name, Role[role.value], actor=ACTOR, now=now, scopes=scope or (),
            expires_at=expires_at,
        )  # fmt: skip
    _show(issued.key_id, issued.text, as_json)


def list_keys(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the tenant's keys: role, scopes, when they were made, used and end. The keys themselves are not known."""
    from store.database import open_database
    from store.settings import settings
    from trust import keys

    with open_database(settings()) as database:
        found = keys.listed(database, tenant or settings().tenant)
    if as_json:
        typer.echo(json.dumps({"keys": found}, default=str))
        return
    now = datetime.now(UTC)
    for key in found:
        scopes = f" ({', '.join(key['scopes'])})" if key["scopes"] else ""
        used = f"last used {key['last_used_at']:%Y-%m-%d %H:%M}" if key["last_used_at"] is not None else "never used"
        ended = key["revoked_at"] or (key["expires_at"] if key["expires_at"] is not None and key["expires_at"] <= now else None)
        state = f"ended {ended:%Y-%m-%d %H:%M}" if ended is not None else used
        typer.echo(f"{key['key_id']}  {key['role']:<7}  {key['name']}{scopes}, {state}")
    if not found:
        typer.echo("No keys yet; `conclave keys create NAME --role analyst` makes one.")


def rotate(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `conclave keys list` shows it.")],
    grace_hours: Annotated[float, typer.Option(min=0, help="How long the old key still opens.")] = 24,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one with the same name, role and scopes; the old one opens a while longer."""
    from store.database import open_database
    from store.settings import settings
    from trust import keys

    with open_database(settings()) as database, database.connection() as connection:
        issued = keys.rotate(
            connection, tenant or settings().tenant, key_id, actor=ACTOR, now=datetime.now(UTC), grace_s=grace_hours * 3600
        )
    if issued is None:
        raise NoSuchKey(key_id)
    _show(issued.key_id, issued.text, as_json)


def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `conclave keys list` shows it.")], tenant: Tenant = None
) -> None:
    """End a key at once: from the next request on it opens nothing."""
    from store.database import open_database
    from store.settings import settings
    from trust import keys

    with open_database(settings()) as database, database.connection() as connection:
        ended = keys.revoke(connection, tenant or settings().tenant, key_id, actor=ACTOR, now=datetime.now(UTC))
    if not ended:
        raise NoSuchKey(key_id)
    typer.echo(f"{key_id} opens nothing any more.")


def _show(key_id: str, text: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"key_id": key_id, "key": text}))
        return
    typer.echo(text)
    typer.echo(f"Keep it: it is shown this once. Its id is {key_id}; send it as `Authorization: Bearer KEY`.", err=True)
