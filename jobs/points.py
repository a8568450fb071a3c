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
        """By entity, event time, id, content and bronze row: the order of the fold, whatever order they arrived in."""
        return self.take(np.lexsort((self.row, self.content, self.id, self.time, self.entity)))


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
    late = (points.time < table["last"][rows][group] - policy.lateness_us) & ~new[group]
    duplicate, conflict = _recognise(points, group, starts, late, table, rows)
    return Received(points, duplicate, conflict, late & ~duplicate & ~conflict, rows, new, starts)


def group_starts(keys: Longs) -> Longs:
    """Index of the first of each run of equal keys."""
    if not len(keys):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))


def _recognise(points: Points, group: Longs, starts: Longs, late: Bits, table: Columns, rows: Longs) -> tuple[Bits, Bits]:
    """Points whose id is among the entity's last remembered ones: with the same content, with another.

    Only the few suspects are followed one by one. What is remembered at a point depends on the fresh points before it,
    whatever batch they came in: cutting the stream elsewhere recognises the same ones.
    """
    duplicate, conflict = np.zeros(len(points), bool), np.zeros(len(points), bool)
    suspects = np.flatnonzero(_repeated(points) | _remembered(points, table, rows[group]))
    width, short = table["ids"].shape[1], short_ids(points.id)
    lates: Longs = np.cumsum(late) - late
    entity, memory, gone = -1, dict[int, tuple[int, int]](), 0
    for at in suspects.tolist():
        if group[at] != entity:
            entity, gone = int(group[at]), 0
            start, memory = int(starts[entity]), _memory(table, int(rows[entity]))
        ordinal = at - start - int(lates[at] - lates[start]) - gone
        known, content = memory.get(int(short[at])), int(points.content[at])
        if known is not None and ordinal - known[0] <= width:
            (duplicate if known[1] == content else conflict)[at] = True
            gone += not late[at]
        elif not late[at]:
            memory[int(short[at])] = ordinal, content
    return duplicate, conflict


def _repeated(points: Points) -> Bits:
    """Points whose entity has several of this id in the batch."""
    mixed = points.id ^ (points.entity * np.int64(-7046029254386353131))
    ordered = np.argsort(mixed, kind="stable")
    same = mixed[ordered][1:] == mixed[ordered][:-1]
    repeated = np.zeros(len(points), bool)
    repeated[ordered[1:][same]] = True
    repeated[ordered[:-1][same]] = True
    return repeated


def _remembered(points: Points, table: Columns, rows: Longs) -> Bits:
    """Points whose id the entity remembers from earlier batches."""
    match = table["ids"][rows] == short_ids(points.id)[:, None]
    return np.asarray(match.any(axis=1))


def _memory(table: Columns, row: int) -> dict[int, tuple[int, int]]:
    """Remembered ids: (place among the entity's fresh points, the newest before this batch being -1; content)."""
    ids, contents = table["ids"][row].tolist(), table["contents"][row].tolist()
    return {one: (i - len(ids), content) for i, (one, content) in enumerate(zip(ids, contents, strict=True)) if one}
