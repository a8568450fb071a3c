"""The audit log: what anyone did, each entry chained to the one before it by SHA-256, one chain per tenant.

Whoever changes, removes or inserts an entry breaks every later link; the newest hash, kept elsewhere, also proves that none was
cut off at the end.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from store.database import Connection, Database, fetch, run

PAGE = 2000


@dataclass(frozen=True)
class Verdict:
    """The state of one chain: `entries` hold; `broken` is the number of the first that does not, with why."""

    tenant: str
    entries: int
    head: str
    broken: int | None = None
    why: str = ""


def record(
    connection: Connection, tenant: str, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None
) -> str:
    """Append an entry inside the caller's transaction; its hash.

    Writers of one tenant wait for each other until commit, so let this be the last thing of a transaction.
    `detail`: JSON values, no personal data in the clear.
    """
    fetch(connection, "audit_lock", tenant=tenant)
    last = fetch(connection, "audit_last", tenant=tenant)[0]
    entry = {
        "tenant": tenant, "seq": last["seq"] + 1, "at": last["at"], "actor": actor, "action": action, "subject": subject,
        "detail": detail or {}, "previous": last["hash"],
    }  # fmt: skip
    entry["hash"] = link(entry)
    run(connection, "put_audit", **entry)
    return str(entry["hash"])


def link(entry: dict[str, Any]) -> str:
    """The hash of an entry: SHA-256 over its canonical JSON, which holds the hash before it; `hash` itself is left out."""
    at: datetime = entry["at"]
    kept = {name: value for name, value in entry.items() if name != "hash"} | {"at": at.astimezone(UTC).isoformat()}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def check(tenant: str, entries: Iterable[dict[str, Any]]) -> Verdict:
    """Follow a chain from its first entry and name the first broken link."""
    seq, head = 0, ""
    for entry in entries:
        if entry["seq"] != seq + 1:
            return Verdict(tenant, seq, head, seq + 1, "the entry is missing")
        if entry["previous"] != head:
            return Verdict(tenant, seq, head, entry["seq"], "it does not follow from the entry before it")
        if link(entry) != entry["hash"]:
            return Verdict(tenant, seq, head, entry["seq"], "its content is not what was hashed")
        seq, head = entry["seq"], entry["hash"]
    return Verdict(tenant, seq, head)


def verify(database: Database, tenant: str) -> Verdict:
    """Check one tenant's chain as it is in the database."""
    return check(tenant, _entries(database, tenant))


def verify_all(database: Database) -> list[Verdict]:
    """Check every tenant's chain."""
    return [verify(database, row["tenant"]) for row in database.fetch("audit_tenants")]


def _entries(database: Database, tenant: str) -> Iterator[dict[str, Any]]:
    after = 0
    while page := database.fetch("audit_links", tenant=tenant, after=after, limit=PAGE):
        yield from page
        after = page[-1]["seq"]
