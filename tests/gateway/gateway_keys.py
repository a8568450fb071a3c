"""Keys for tests."""

from datetime import UTC, datetime

from store.database import Database
from trust import keys
from trust.roles import Role


def key_of(database: Database, role: str, tenant: str = "main", scopes: tuple[str, ...] = ()) -> str:
    """A fresh key."""
    with database.connection() as connection:
        issued = keys.create(
            connection, tenant, f"{role} of {tenant}", Role[role], actor="system:test", now=datetime.now(UTC), scopes=scopes
        )
    return issued.text
