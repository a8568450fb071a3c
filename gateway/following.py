"""Following changes: a place in their order, and what came after it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from store.database import Queries

KINDS = {"anomalies": "anomaly", "rulings": "ruling", "cases": "case"}
PLACE = re.compile(r"(\d{1,19})\.(\d{1,18})\.(\d{1,12})")
PAGE = 200


@dataclass(frozen=True)
class Place:
    """Transaction, number within it, and when; as text it is an event's id."""

    xid: int
    seq: int
    at_s: int

    def __str__(self) -> str:
        return f"{self.xid}.{self.seq}.{self.at_s}"


@dataclass(frozen=True)
class Change:
    """Something changed; `now` is what it is now, None when it is gone."""

    place: Place
    kind: str
    id: str
    at: datetime
    now: dict[str, Any] | None

    def data(self) -> str:
        return msgspec.json.encode({"id": self.id, "at": self.at, "now": self.now}).decode()


def read_place(text: str) -> Place | None:
    """A Last-Event-ID of ours; None for another.

    >>> read_place("812.7.1700000000"), read_place("x")
    (Place(xid=812, seq=7, at_s=1700000000), None)
    """
    found = PLACE.fullmatch(text.strip())
    return Place(*(int(part) for part in found.groups())) if found is not None else None


def beginning(queries: Queries) -> Place:
    """The place from which everything counts that commits from now on."""
    row = queries.fetch("changes_now")[0]
    return Place(int(row["xid"]), 0, int(row["at"].timestamp()))


def forgotten(place: Place, now: datetime, kept_s: float) -> bool:
    """Whether changes after the place may be gone."""
    return datetime.fromtimestamp(place.at_s, UTC) < now - timedelta(seconds=kept_s)


def after(queries: Queries, tenant: str, place: Place, kinds: Sequence[str]) -> list[Change]:
    """The next changes, at most 200, in their order."""
    rows = queries.fetch("read_changes", tenant=tenant, xid=str(place.xid), seq=place.seq, kinds=list(kinds), limit=PAGE)
    return [
        Change(Place(int(row["xid"]), row["seq"], int(row["at"].timestamp())), row["kind"], row["id"], row["at"], row["now"])
        for row in rows
    ]
