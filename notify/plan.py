"""What leaves now: the notices that wait at one route, put into as few messages as its limits allow, none of them lost.

A limit says how often a key (a group, a subject, an entity, the route itself) may *cause* a message. What is held back is counted
in the next message: when more is due than the route may send, the gravest groups go alone and one further message carries all the
rest. Pure: the state of the limits and `now` are arguments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import groupby

from notify.limits import Limit, charge, free_at, left

ROUTE = "route"
KEY_CAP = 80


@dataclass(frozen=True)
class Waiting:
    """Notices of one group that are alike: the same entity, kind and subject."""

    group: str
    entity: str
    kind: str
    subject: str
    count: int
    severity: float
    due_at: datetime
    first_message: int


@dataclass(frozen=True)
class Limits:
    """How often the route, a group, the same kind about a subject, and an entity may cause a message; None: no limit."""

    route: Limit | None = None
    group: Limit | None = None
    repeat: Limit | None = None
    entity: Limit | None = None


@dataclass
class Plan:
    """`bundles`: groups that leave together; `waits`: group → when to look again; `charged`: key → its new moment."""

    bundles: list[list[str]] = field(default_factory=list)
    waits: dict[str, datetime] = field(default_factory=dict)
    charged: dict[str, datetime] = field(default_factory=dict)


def keys(row: Waiting, limits: Limits) -> list[tuple[str, Limit]]:
    """The limited keys of a row."""
    found = [("g:" + short(row.group), limits.group), ("s:" + short(f"{row.kind} {row.subject}"), limits.repeat)]
    found += [("e:" + short(row.entity), limits.entity)] if row.entity else []
    return [(key, limit) for key, limit in found if limit is not None]


def short(text: str) -> str:
    """A key of bounded length: long ones by their hash."""
    return text if len(text) <= KEY_CAP else sha256(text.encode("utf-8", "replace")).hexdigest()


def plan(waiting: Iterable[Waiting], limits: Limits, tats: Mapping[str, datetime], now: datetime) -> Plan:
    """Decide for every group that has something due. `tats`: the known moments of all keys (`keys`, and ROUTE)."""
    due = [rows for rows in _groups(waiting) if any(row.due_at <= now for row in rows)]
    state, alone, more, held = dict(tats), list[list[Waiting]](), list[list[Waiting]](), list[list[Waiting]]()
    for rows in due:
        if _free(rows, limits, state, now):
            alone.append(rows)
            _charge(rows, limits, state, now)
        else:
            (more if _free(rows, limits, tats, now) else held).append(rows)
    tokens = len(due) if limits.route is None else left(limits.route, tats.get(ROUTE), now)
    if alone and tokens == 0 and limits.route is not None:
        return Plan(waits={rows[0].group: free_at(limits.route, tats.get(ROUTE), now) for rows in due})
    if more or len(alone) > tokens:
        bundles = [[rows] for rows in alone[: tokens - 1]] + [alone[tokens - 1 :] + more + held]
        held = []
    else:
        bundles = [[rows] for rows in alone]
    return _settled(bundles, held, limits, tats, now)


def _settled(
    bundles: list[list[list[Waiting]]], held: list[list[Waiting]], limits: Limits, tats: Mapping[str, datetime], now: datetime
) -> Plan:
    state = dict(tats)
    for bundle in bundles:
        _charge([row for rows in bundle for row in rows], limits, state, now)
        if limits.route is not None:
            state[ROUTE] = charge(limits.route, state.get(ROUTE), now)
    return Plan(
        [[rows[0].group for rows in bundle] for bundle in bundles],
        {rows[0].group: min(max(_free_at(row, limits, state, now), row.due_at) for row in rows) for rows in held},
        {key: tat for key, tat in state.items() if tats.get(key) != tat},
    )


def _groups(waiting: Iterable[Waiting]) -> Sequence[list[Waiting]]:
    """Group by group, the gravest first, then the oldest."""
    rows = sorted(waiting, key=lambda row: (row.group, row.first_message))
    found = [list(group) for _, group in groupby(rows, key=lambda row: row.group)]
    return sorted(found, key=lambda rows: (-max(row.severity for row in rows), min(row.first_message for row in rows)))


def _free_at(row: Waiting, limits: Limits, tats: Mapping[str, datetime], now: datetime) -> datetime:
    return max((free_at(limit, tats.get(key), now) for key, limit in keys(row, limits)), default=now)


def _free(rows: list[Waiting], limits: Limits, tats: Mapping[str, datetime], now: datetime) -> bool:
    """Whether any of the rows that are due may cause a message now."""
    return any(row.due_at <= now and _free_at(row, limits, tats, now) <= now for row in rows)


def _charge(rows: Iterable[Waiting], limits: Limits, tats: dict[str, datetime], now: datetime) -> None:
    """One message was caused: each key in it that was free is charged once; what only rides along is not."""
    spent = {key: limit for row in rows for key, limit in keys(row, limits) if left(limit, tats.get(key), now) > 0}
    tats.update({key: charge(limit, tats.get(key), now) for key, limit in spent.items()})
