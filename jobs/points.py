"""A batch's points for one shard: sorted, and told apart into fresh, duplicate, conflicting and late."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jobs.columns import Bits, Columns, Longs, Values
from jobs.policy import Policy

UNWATCHED, ACCOUNT, COUNTERPARTY, SERVICE, SERIES = range(5)
KIND_NAMES = ("unwatched", "account", "counterparty", "service", "series")


@dataclass(frozen=True)
class Points:
    """N points as columns: what each entity of the shard receives in this batch.

    entity, id, row: 64-bit hashes and the bronze row; time in µs; content: 8-bit fingerprint of the event;
    value: amount, latency in ms (NaN when not given) or measured value; error: a request's status is 500 or more.
    """

    kind: NDArray[np.int8]
    entity: Longs
    time: Longs
    id: Longs
    content: NDArray[np.uint8]
    value: NDArray[np.float64]
    error: Bits
    row: Longs

    def __len__(self) -> int:
        return len(self.time)

    def take(self, which: Values) -> "Points":
        return Points(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def sorted(self) -> "Points":
        """By entity, event time, id and content: the order of the fold, whatever order they arrived in."""
        return self.take(np.lexsort((self.content, self.id, self.time, self.entity)))


@dataclass(frozen=True)
class Received:
    """Sorted points with the fate of each, and where each entity's group lies.

    starts (T,) first point of each entity; rows (T,) its row in the table; new (T,) first seen in this batch.
    """

    points: Points
    duplicate: Bits
    conflict: Bits
    late: Bits
    rows: Longs
    new: Bits
    starts: Longs

    def after(self, row: int) -> "Received":
        """Only the points of bronze rows after this one; enough for counting, not for folding."""
        which = self.points.row > row
        fates = (self.duplicate[which], self.conflict[which], self.late[which])
        return replace(self, points=self.points.take(which), duplicate=fates[0], conflict=fates[1], late=fates[2])

    @property
    def fresh(self) -> Bits:
        return ~(self.duplicate | self.conflict | self.late)


def short_ids(ids: Longs) -> NDArray[np.uint32]:
    """32 bits of each id hash; 0 is kept for an empty place."""
    return np.maximum(ids.astype(np.uint64).astype(np.uint32), 1)


def receive(points: Points, table: Columns, policy: Policy) -> Received:
    """Sort the points, admit their entities and find duplicates, conflicts and late ones.

    A remembered id is 32 bits and its content 8: among 32 remembered ids a foreign event is taken for a known one
    with probability 7.5e-9, and a conflict for a duplicate in one of 256.
    """
    points = points.sorted()
    starts = group_starts(points.entity)
    rows, new = table.admit(points.entity[starts])
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(points)))
    repeated, other = _seen_in_batch(points)
    known, changed = _seen_before(points, table, rows[group])
    late = points.time < table["last"][rows][group] - policy.lateness_us
    late &= ~new[group]
    conflict = other | changed
    duplicate = (repeated | known) & ~conflict
    return Received(points, duplicate, conflict, late & ~duplicate & ~conflict, rows, new, starts)


def group_starts(keys: Longs) -> Longs:
    """Index of the first of each run of equal keys."""
    if not len(keys):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))


def _seen_in_batch(points: Points) -> tuple[Bits, Bits]:
    """Points whose id came earlier in the order for the same entity: with the same content, with another."""
    repeated, other = np.zeros(len(points), bool), np.zeros(len(points), bool)
    mixed = points.id ^ (points.entity * np.int64(-7046029254386353131))
    ordered = np.argsort(mixed, kind="stable")
    again = mixed[ordered][1:] == mixed[ordered][:-1]
    if again.any():
        heads = group_starts(mixed[ordered])
        first = ordered[np.repeat(heads, np.diff(heads, append=len(points)))]
        later = ordered != first
        same = points.content[ordered] == points.content[first]
        repeated[ordered[later & same]] = True
        other[ordered[later & ~same]] = True
    return repeated, other


def _seen_before(points: Points, table: Columns, rows: Longs) -> tuple[Bits, Bits]:
    """Points whose id the entity remembers from earlier batches: with the same content, with another."""
    if table["ids"].shape[1] == 0:
        return np.zeros(len(points), bool), np.zeros(len(points), bool)
    match = table["ids"][rows] == short_ids(points.id)[:, None]
    hit = np.flatnonzero(match.any(axis=1))
    known, changed = np.zeros(len(points), bool), np.zeros(len(points), bool)
    content = table["contents"][rows[hit], match[hit].argmax(axis=1)]
    same = content == points.content[hit]
    known[hit[same]], changed[hit[~same]] = True, True
    return known, changed
