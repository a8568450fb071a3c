"""The entries of a case's timeline: written with every change, append only, and read back as one story."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from desk.file import File
from store.database import Connection, Queries, fetch

DESK, DESK_NAME = "system:desk", "the desk"


@dataclass(frozen=True)
class Entry:
    """What happened to a case; `said` is a verb phrase that follows whoever did it."""

    kind: str
    said: str
    actor: str = DESK
    name: str = DESK_NAME
    detail: dict[str, Any] = field(default_factory=dict)


def write(connection: Connection, file: File, entry: Entry, at: datetime) -> None:
    """Append an entry to the head's timeline; whoever listens on `cases` is told at commit."""
    fetch(connection, "desk_add_entry", tenant=file.tenant, case_id=file.head or file.case_id, version=file.version, at=at,
          actor=entry.actor, name=entry.name, kind=entry.kind, said=entry.said, detail=entry.detail)  # fmt: skip


def since(connection: Connection, tenant: str, case_id: str, version: int) -> list[dict[str, Any]]:
    """What happened after a version: `version`, `at`, `who`, `kind`, `what`."""
    rows = fetch(connection, "desk_changes_since", tenant=tenant, case_id=case_id, version=version)
    return [
        {"version": row["version"], "at": row["at"].isoformat(), "who": row["name"] or row["actor"], "kind": row["kind"],
         "what": row["said"]}
        for row in rows
    ]  # fmt: skip


def read(queries: Queries, tenant: str, case_id: str, *, after: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Everything about a case and its members in the order of the clock: what people and the desk did, rulings (superseded
    ones too), model and tool calls, commands and their runs, deliveries, feedback, and when the docket had no room for it.

    Rows: `at`, `source` (entry | ruling | call | command | run | delivery | feedback | receipt), `kind`, `who`, `said`,
    `case_id`, `detail`, `key` (give the last one's as `after` to read on).
    """
    return queries.fetch("desk_timeline", tenant=tenant, case_id=case_id, after=after, limit=limit)
