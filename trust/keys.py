"""API keys `conclave_<id>_<secret>`: made once and shown once; the database keeps a salted hash.

The secret has 192 random bits, so a fast hash is enough: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from store.database import Connection, Database, Queries, fetch, run
from trust import audit
from trust.roles import Caller, Role

PREFIX = "conclave"
ID_BYTES, SECRET_BYTES, SALT_BYTES = 6, 24, 16
LAST_USE_EVERY = timedelta(minutes=1)  # a busy key writes once a minute
GRACE_S = 86_400.0  # how long a rotated key still opens


@dataclass(frozen=True)
class Issued:
    """A new key. `text` is the key itself, known here and never again."""

    key_id: str
    text: str = field(repr=False)


def create(
    connection: Connection, tenant: str, name: str, role: Role, *, actor: str, now: datetime,
    scopes: Iterable[str] = (), expires_at: datetime | None = None,
) -> Issued:  # fmt: skip
    """Make a key inside the caller's transaction, with its audit entry. No `scopes`: all that the role may."""
    kept = {"name": name, "scopes": sorted(scopes), "expires_at": expires_at, "replaces": None}
    issued = _put(connection, tenant, actor, now, role=role, **kept)
    detail = {"name": name, "role": role.name, "scopes": kept["scopes"], "expires_at": _text(expires_at)}
    audit.record(connection, tenant, actor, "key.create", issued.key_id, detail)
    return issued


def rotate(
    connection: Connection, tenant: str, key_id: str, *, actor: str, now: datetime, grace_s: float = GRACE_S
) -> Issued | None:
    """A new key with the old one's name, role and scopes; the old one opens for `grace_s` seconds more. None: no such live key.

    The new key lives as long as the old one was to live.
    """
    found = fetch(connection, "lock_key", tenant=tenant, key_id=key_id, now=now)
    if not found:
        return None
    old = found[0]
    issued = _put(
        connection, tenant, actor, now,
        name=old["name"], role=Role[old["role"]], scopes=old["scopes"], expires_at=old["expires_at"], replaces=key_id,
    )  # fmt: skip
    run(connection, "expire_key", tenant=tenant, key_id=key_id, at=now + timedelta(seconds=grace_s))
    audit.record(connection, tenant, actor, "key.rotate", key_id, {"new": issued.key_id, "grace_s": grace_s})
    return issued


def revoke(connection: Connection, tenant: str, key_id: str, *, actor: str, now: datetime) -> bool:
    """End a key at once; False when there is none that could be ended."""
    if run(connection, "revoke_key", tenant=tenant, key_id=key_id, now=now) == 0:
        return False
    audit.record(connection, tenant, actor, "key.revoke", key_id)
    return True


def listed(queries: Queries, tenant: str) -> list[dict[str, Any]]:
    """Every key of the tenant, oldest first, without secret and hash."""
    return queries.fetch("keys_of_tenant", tenant=tenant)


def verify(database: Database, presented: str, now: datetime) -> Caller | None:
    """Who holds this key; None when it is malformed, unknown, wrong, expired or revoked."""
    parts = split(presented)
    if parts is None:
        return None
    key_id, secret = parts
    found = database.fetch("key_by_id", key_id=key_id)
    if not found or not _opens(found[0], secret, now):
        return None
    key = found[0]
    if key["last_used_at"] is None or now - key["last_used_at"] >= LAST_USE_EVERY:
        database.run("key_used", key_id=key_id, now=now)
    return Caller(key["tenant"], f"key:{key_id}", key["name"], Role[key["role"]], frozenset(key["scopes"]))


def split(presented: str) -> tuple[str, str] | None:
    """The id and the secret of a key.

    >>> split("conclave_0a1b_ff"), split("other_0a1b_ff")
    (('0a1b', 'ff'), None)
    """
    parts = presented.split("_")
    if len(parts) != 3 or parts[0] != PREFIX or not presented.isascii() or not all(part.isalnum() for part in parts):
        return None
    return parts[1], parts[2]


def digest(salt: bytes, secret: str) -> bytes:
    return hashlib.sha256(salt + secret.encode()).digest()


def _opens(key: dict[str, Any], secret: str, now: datetime) -> bool:
    right = hmac.compare_digest(digest(bytes(key["salt"]), secret), bytes(key["digest"]))
    return right and key["revoked_at"] is None and (key["expires_at"] is None or now < key["expires_at"])


def _put(connection: Connection, tenant: str, actor: str, now: datetime, *, role: Role, **kept: Any) -> Issued:
    key_id, secret, salt = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES), secrets.token_bytes(SALT_BYTES)
    run(
        connection, "put_key", key_id=key_id, tenant=tenant, role=role.name, salt=salt, digest=digest(salt, secret),
        created_by=actor, created_at=now, **kept,
    )  # fmt: skip
    return Issued(key_id, f"{PREFIX}_{key_id}_{secret}")


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
