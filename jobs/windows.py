"""Rolling windows of accounts and counterparties: log amounts and gaps as small integers, summed exactly.

An amount is kept as round(1024 · ln amount) in 16 bits (0.1 % steps), the gap before it as 8 bits of log2 (9 % steps). Sums over
integers are exact, so cutting the stream into other batches changes no score, bit for bit.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jobs.columns import Bits, Columns, Floats, Longs, Shape, Values
from jobs.flat import Flat
from jobs.points import NEVER, Points, Received, short_ids
from jobs.policy import Policy

NATS = 1024  # units of a log amount
LEAST_AMOUNT = 1e-3
GAP_UNIT_US = 62_500  # gaps are summed in sixteenths of a second
GAPS = np.round(2 ** (np.arange(256) / 8) - 1).astype(np.int64)  # code → sixteenths of a second


def shape(policy: Policy) -> Shape:
    """One entity's row: about 3 bytes a point, 5 a remembered id, and 20."""
    return {
        "last": ("int64", ()),
        "count": ("uint8", ()),
        "amounts": ("int16", (policy.window,)),
        "gaps": ("uint8", (policy.window,)),
        "ids": ("uint32", (policy.recent_ids,)),
        "contents": ("uint8", (policy.recent_ids,)),
    }


def encode_amounts(amounts: Floats) -> NDArray[np.int16]:
    """Log amounts in 1/1024 nats; the sign is dropped (a refund is as large as a payment)."""
    logs = np.log(np.maximum(np.abs(amounts), LEAST_AMOUNT))
    codes: NDArray[np.int16] = np.clip(np.rint(logs * NATS), -32_767, 32_766).astype(np.int16)
    return codes


def decode_amounts(codes: Values) -> Floats:
    amounts: Floats = np.exp(codes / NATS)
    return amounts


def encode_gaps(gaps_us: Longs) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.clip(np.rint(8 * np.log2(1 + np.maximum(gaps_us, 0) / GAP_UNIT_US)), 0, 255).astype(np.uint8)
    return codes


@dataclass(frozen=True)
class Past:
    """For each of N new points, the window before it, which never holds the point itself.

    Point i lies at `flat.at[i]` of the flat arrays, its window at `low[i]:at[i]`; `n` (N,) is the window's size.
    """

    flat: Flat
    codes: NDArray[np.int16]  # flat, of amounts
    gap_codes: NDArray[np.uint8]
    low: Longs
    since_us: Longs  # since the entity's newest event before the point
    restart: Bits  # points that start a fresh window

    @property
    def n(self) -> Longs:
        return self.flat.at - self.low

    @cached_property
    def amounts(self) -> Longs:
        return self.codes.astype(np.int64)

    @cached_property
    def code(self) -> Longs:
        """The new points' own codes."""
        return self.amounts[self.flat.at]

    @cached_property
    def sum1(self) -> Longs:
        """Exact sums (N,) of the window's codes."""
        return window_sums(self.amounts, self.low, self.flat.at)

    @cached_property
    def sum2(self) -> Longs:
        """Exact sums (N,) of the window's squared codes."""
        return window_sums(self.amounts**2, self.low, self.flat.at)

    @cached_property
    def gaps(self) -> Longs:
        """Flat gaps in sixteenths of a second: before each point, the time since the entity's one before."""
        return GAPS[self.gap_codes]

    def matrix(self, which: Longs) -> NDArray[np.int16]:
        """The windows of the points `which` as rows (K, W), right-aligned; absent places hold 32767."""
        width, at = self.flat.width, self.flat.at[which]
        rows = sliding_window_view(self.codes, width)[at - width]
        absent = np.flatnonzero(self.low[which] > at - width)
        places = np.arange(-width, 0)
        rows[absent] = np.where(places >= (self.low[which] - at)[absent][:, None], rows[absent], 32_767)
        return rows


def window_sums(flat: Longs, low: Longs, high: Longs) -> Longs:
    """Sums of flat[low:high], exact modulo 2^64 as integers are."""
    totals = np.concatenate((np.zeros(1, np.int64), np.cumsum(flat)))
    return totals[high] - totals[low]


def open_windows(table: Columns, received: Received, points: Points, group: Longs, policy: Policy) -> Past:
    """Lay carried windows and fresh points out flat; a gap longer than `policy.idle_us` starts a fresh window.

    `group` (N,) is each point's place among `received.rows`. Nothing in `table` changes until `learn`.
    """
    flat = Flat.of(group, len(received.rows), policy.window)
    gaps_us = since_newest(table, received, points.time, group)
    restart = gaps_us > policy.idle_us
    gap_codes = np.where(restart, 0, encode_gaps(np.where(restart, 0, gaps_us)))
    carried = table["count"][received.rows].astype(np.int64)
    run = np.where(restart, flat.at, (flat.ends - flat.arriving - carried)[group])
    if len(run):
        run = np.maximum.accumulate(run)
    codes = flat.lay(table.of("amounts", received.rows), encode_amounts(points.value))
    gaps = flat.lay(table.of("gaps", received.rows), gap_codes.astype(np.uint8))
    return Past(flat, codes, gaps, np.maximum(run, flat.at - policy.window), gaps_us, restart)


def since_newest(table: Columns, received: Received, time: Longs, group: Longs) -> Longs:
    """µs (N,) since the entity's newest event before each point; very long for an entity's first."""
    newest = np.where(received.new, NEVER, table["last"][received.rows])[group]
    previous = np.concatenate((np.zeros(1, np.int64), time[:-1]))[: len(time)]
    first = np.concatenate(([True], group[1:] != group[:-1]))[: len(time)]
    return time - np.maximum(newest, np.where(first, NEVER, previous))


def learn(table: Columns, received: Received, points: Points, group: Longs, past: Past, policy: Policy) -> None:
    """Write the windows as they are after the batch."""
    since = past.flat.since(past.restart, group)
    table.put("amounts", received.rows, past.flat.newest(past.codes, since))
    table.put("gaps", received.rows, past.flat.newest(past.gap_codes, since))
    touched = np.flatnonzero(past.flat.arriving)
    final = np.cumsum(past.flat.arriving)[touched] - 1
    rows = received.rows[touched]
    table["count"][rows] = np.minimum(past.n[final] + 1, past.flat.width)
    remember(table, received, points, group, policy, past.since_us)


def remember(
    table: Columns, received: Received, points: Points, group: Longs, policy: Policy, since_us: Longs | None = None
) -> None:
    """Move each entity's newest event time on, and add the ids to those it knows.

    After a gap over idle time and lateness the older ids are dropped, since the entity may have been evicted in between.
    """
    since_us = since_newest(table, received, points.time, group) if since_us is None else since_us
    forgotten = since_us > policy.idle_us + policy.lateness_us
    table["last"][received.rows[received.new]] = NEVER
    np.maximum.at(table["last"], received.rows[group], points.time)
    width = table["ids"].shape[1]
    if width:
        flat = Flat.of(group, len(received.rows), width)
        since = flat.since(forgotten, group)
        for name, values in (("ids", short_ids(points.id)), ("contents", points.content)):
            table.put(name, received.rows, flat.newest(flat.lay(table.of(name, received.rows), values), since))
