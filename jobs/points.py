"""A batch's points for one shard: sorted, and told apart into fresh, duplicate, conflicting and late."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from jobs.columns import Bits, Columns, Longs, Values
from jobs.policy import Policy

UNWATCHED, ACCOUNT, COUNTERPARTY, SERVICE, SERIES = range(5)
NEVER = np.iinfo(np.int64).min // 2
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
        if which.dtype == bool and which.all():
            return self
        return Points(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def sorted(self) -> "Points":
        """By entity, event time, id, content and bronze row: the order of the fold, whatever order they arrived in."""
        order = in_order(self.time)
        order = order[in_order(self.entity[order])]
        out = self.take(order)
        tied = np.flatnonzero((out.entity[1:] == out.entity[:-1]) & (out.time[1:] == out.time[:-1]))
        if len(tied):
            which = np.union1d(tied, tied + 1)
            order[which] = order[which][out.take(which)._ranks()]
            out = self.take(order)
        return out

    def _ranks(self) -> Longs:
        return np.lexsort((self.row, self.content, self.id, self.time, self.entity))


@dataclass(frozen=True)
class Received:
    """Sorted points with the fate of each, and where each entity's group lies.

    starts (T,) first point of each entity; rows (T,) its row in the table; new (T,) first seen in this batch; group (N,) which of
    the T entities a point belongs to.
    """

    points: Points
    duplicate: Bits
    conflict: Bits
    late: Bits
    rows: Longs
    new: Bits
    starts: Longs
    group: Longs

    def after(self, row: int) -> "Received":
        """Only the points of bronze rows after this one; enough for counting, not for folding."""
        which = self.points.row > row
        fates = (self.duplicate[which], self.conflict[which], self.late[which])
        points, group = self.points.take(which), self.group[which]
        return replace(self, points=points, group=group, duplicate=fates[0], conflict=fates[1], late=fates[2])

    @property
    def fresh(self) -> Bits:
        return ~(self.duplicate | self.conflict | self.late)


def among(kind: NDArray[np.int8], kinds: tuple[int, ...]) -> Bits:
    """Which points (N,) are of one of these kinds."""
    wanted = np.zeros(len(KIND_NAMES), bool)
    wanted[list(kinds)] = True
    return np.asarray(wanted[kind])


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
    oldest = np.where(new, NEVER, table["last"][rows] - policy.lateness_us)
    late = points.time < oldest[group]
    duplicate, conflict = _recognise(points, group, starts, late, table, rows)
    return Received(points, duplicate, conflict, late & ~duplicate & ~conflict, rows, new, starts, group)


def in_order(values: Longs) -> Longs:
    """The indices that sort the values, equal ones in the order in which they are.

    Each value's place rides in the lowest bits of its key, so that one plain sort does it: several times faster than an argsort.
    """
    n = len(values)
    if n < 2 or (values[1:] >= values[:-1]).all():
        return np.arange(n)
    bits = n.bit_length()
    least, room = int(values.min()), 63 - bits
    if (int(values.max()) - least) >> room == 0:
        keys = np.sort((values - least) << bits | np.arange(n))
        return keys & ((1 << bits) - 1)
    keys = np.sort(values >> bits << bits | np.arange(n))
    order: Longs = keys & ((1 << bits) - 1)
    found = values[order]
    if (found[1:] < found[:-1]).any():  # two that agree in all but their lowest bits
        return np.argsort(values, kind="stable")
    return order


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
    width, short = table["ids"].shape[1], short_ids(points.id)
    suspects = np.flatnonzero(_repeated(points) | _remembered(short, table.of("ids", rows), group))
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
    repeated = np.zeros(len(points), bool)
    alone = np.sort(mixed)
    if not (alone[1:] == alone[:-1]).any():
        return repeated
    ordered = np.argsort(mixed, kind="stable")
    same = mixed[ordered][1:] == mixed[ordered][:-1]
    repeated[ordered[1:][same]] = True
    repeated[ordered[:-1][same]] = True
    return repeated


def _remembered(short: NDArray[np.uint32], ids: Values, group: Longs) -> Bits:
    """Points (N,) whose id is among those (T, K) that their entity remembers from earlier batches.

    A filter of one bit a remembered id, 1 in 16 to 1 in 32 set, leaves few points to be compared one by one.
    """
    remembered = np.zeros(len(short), bool)
    mask = np.uint32((16 << ids.size.bit_length()) - 1)
    salt = np.arange(len(ids), dtype=np.uint32) * np.uint32(2_654_435_769)
    marked = np.zeros(int(mask) + 1, bool)
    marked[(ids ^ salt[:, None]) & mask] = True
    maybe = np.flatnonzero(marked[(short ^ salt[group]) & mask])
    remembered[maybe] = (ids[group[maybe]] == short[maybe][:, None]).any(axis=1)
    return remembered


def _memory(table: Columns, row: int) -> dict[int, tuple[int, int]]:
    """Remembered ids: (place among the entity's fresh points, the newest before this batch being -1; content)."""
    ids, contents = table["ids"][row].tolist(), table["contents"][row].tolist()
    return {one: (i - len(ids), content) for i, (one, content) in enumerate(zip(ids, contents, strict=True)) if one}
