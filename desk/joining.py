"""Which case a newly ruled one belongs to. Pure: candidates are given, nothing is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from desk.fingerprint import Bond, Fingerprint, bond, restored
from desk.life import CLOSED
from rag.topology import Topology
from store.sections.desk import Desk

SAME = 0  # the rank of two cases about the very same thing


@dataclass(frozen=True)
class Join:
    """A head that a case belongs to, through which of its members, and why."""

    head_id: str
    through: str
    bond: Bond
    closed: bool
    alike: bool = True  # the same pattern


def joins(one: Fingerprint, candidates: Iterable[dict[str, Any]], topology: Topology, desk: Desk) -> list[Join]:
    """Every head that the case could join, the best first: the strongest bond, then the nearest, then the oldest head.

    `candidates`: files with `head_id`, `head_status`, `head_started_at`, `head_last_at`. A group does not stretch over more than
    `same_subject_within_s`, unless by the very same subject: or one busy place would chain everything into one case.
    """
    best: dict[str, tuple[Any, Join]] = {}
    for row in candidates:
        found = bond(one, restored(row), topology, desk)
        if found is None or (found.rank != SAME and _stretched(one, row) > timedelta(seconds=desk.same_subject_within_s)):
            continue
        join = Join(row["head_id"], row["case_id"], found, row["head_status"] in CLOSED, row["pattern"] == one.pattern)
        order = (found.rank, found.gap_s, row["head_started_at"], row["case_id"])
        if join.head_id not in best or order < best[join.head_id][0]:
            best[join.head_id] = order, join
    return [join for _, join in sorted(best.values(), key=lambda pair: (pair[0], pair[1].head_id))]


def _stretched(one: Fingerprint, row: dict[str, Any]) -> timedelta:
    last, first = max(one.last_at, row["head_last_at"]), min(one.started_at, row["head_started_at"])
    return timedelta(seconds=(last - first).total_seconds())


def choose(found: Sequence[Join]) -> Join | None:
    """The head to join by itself: an open one if there is one, else a closed one about the same thing and of the same pattern,
    which is a recurrence: a dismissal of one pattern says nothing about another."""
    again = (join for join in found if join.closed and join.bond.rank == SAME and join.alike)
    return next((join for join in found if not join.closed), next(again, None))


def kept_apart(group: Iterable[dict[str, Any]], other: Iterable[dict[str, Any]]) -> bool:
    """Whether a person split any of the one group from any of the other (`case_id`, `apart` of each member)."""
    ones, others = list(group), list(other)
    return _split(ones, {row["case_id"] for row in others}) or _split(others, {row["case_id"] for row in ones})


def _split(rows: Iterable[dict[str, Any]], ids: set[str]) -> bool:
    return any(ids & set(row["apart"]) for row in rows)
