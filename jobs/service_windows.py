"""Windows of services: closed buckets of requests as the baseline, and the open bucket that is judged against them.

A bucket opens with a request and closes at the first minute's end at which it holds `min_count` requests, or after
LONGEST_BUCKET minutes; so a busy service is judged within seconds and a quiet one over enough requests. Latencies
are counted in 64 logarithmic buckets, four to the octave from 1 ms. Everything is a count: cutting the stream changes nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.columns import Bits, Columns, Floats, Longs, Shape, Values
from jobs.points import Points, Received, group_starts
from jobs.policy import Policy
from jobs.windows import remember, since_newest

MINUTE_US = 60_000_000
LONGEST_BUCKET = 15
LEVELS = 64
UNTIMED = 255  # the latency was not given
LONGEST_PART = 8192  # requests counted at once: 12 MB; cutting them elsewhere changes nothing
SLOWER = 2  # levels over the baseline's p95 that make a request slow: 1.4 to 1.7 times


def shape(policy: Policy) -> Shape:
    """The open bucket lies at the end of the ring."""
    places = policy.service_buckets + 1
    return {
        "last": ("int64", ()),
        "opened": ("int64", ()),  # minute of the open bucket's first request
        "minute": ("int64", ()),  # newest minute of the open bucket
        "requests": ("uint32", (places,)),
        "errors": ("uint32", (places,)),
        "levels": ("uint32", (places, LEVELS)),
        "ids": ("uint32", (policy.recent_ids,)),
        "contents": ("uint8", (policy.recent_ids,)),
    }


def level_of(latency_ms: Floats) -> NDArray[np.uint8]:
    """The logarithmic bucket (N,) of each latency; UNTIMED where there is none."""
    known = np.nan_to_num(latency_ms, nan=1.0)
    levels = np.clip(np.floor(4 * np.log2(np.maximum(known, 1.0))), 0, LEVELS - 1)
    return np.where(np.isnan(latency_ms), UNTIMED, levels).astype(np.uint8)


def upper_ms(level: int) -> float:
    """The latency at which a level ends."""
    return float(2 ** ((level + 1) / 4))


@dataclass(frozen=True)
class ServicePast:
    """For each of N requests: its open bucket's counts up to and with it, and the closed buckets' counts (its baseline).

    base_p95 is a level, -1 when nothing was timed; `slow` counts requests more than SLOWER levels above it.
    """

    n: Longs
    errors: Longs
    timed: Longs
    slow: Longs
    base_n: Longs
    base_errors: Longs
    base_timed: Longs
    base_slow: Longs
    base_p95: Longs
    p95: Longs
    buckets: Longs


def advance(table: Columns, received: Received, points: Points, group: Longs, policy: Policy) -> ServicePast:
    """Take the requests in, minute by minute: each is judged against closed buckets only, then counted."""
    idle = since_newest(table, received, points.time, group) > policy.idle_us
    level, minute = level_of(points.value), points.time // MINUTE_US
    views = np.zeros((11, len(points)), np.int64)
    cuts = group_starts(group * np.int64(1 << 40) + minute)
    restarts = np.flatnonzero(idle)
    cuts = np.unique(np.concatenate((cuts, restarts, np.arange(0, len(points), LONGEST_PART))))
    for start, end in zip(cuts, np.append(cuts, len(points))[1:], strict=True):
        row = received.rows[group[start]]
        turn(table, row, int(minute[start]), bool(idle[start]), policy)
        part = slice(start, end)
        views[:, part] = judge_and_count(table, row, points.error[part], level[part])
    remember(table, received, points, group, policy)
    return ServicePast(*views)


def turn(table: Columns, row: int, minute: int, idle: bool, policy: Policy) -> None:
    """Close the open bucket when it is time; an idle service begins anew."""
    held = table["requests"][row, -1]
    if idle:
        for name in ("requests", "errors", "levels"):
            table[name][row] = 0
        table["opened"][row] = table["minute"][row] = minute
    elif minute > table["minute"][row]:
        if held >= policy.min_count or minute - table["opened"][row] >= LONGEST_BUCKET:
            for name in ("requests", "errors", "levels"):
                table[name][row, :-1] = table[name][row, 1:].copy()
                table[name][row, -1] = 0
            table["opened"][row] = minute
        table["minute"][row] = minute


def judge_and_count(table: Columns, row: int, error: Bits, level: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The view (11, k) of k requests of one service and minute; then they are in the open bucket."""
    requests, errors, levels = table["requests"][row], table["errors"][row], table["levels"][row]
    base = levels[:-1].sum(axis=0, dtype=np.int64)
    p95 = quantile_level(base, 0.95)
    limit = p95 + SLOWER
    timed = level != UNTIMED
    slow = timed & (level > limit) if p95 >= 0 else np.zeros(len(level), bool)
    before_slow = int(levels[-1, min(limit + 1, LEVELS) :].sum()) if p95 >= 0 else 0
    before_timed = int(levels[-1].sum())
    counts = np.bincount(level[timed], minlength=LEVELS)
    k = len(level)
    view = np.empty((11, k), np.int64)
    view[0] = int(requests[-1]) + np.arange(1, k + 1)
    view[1] = int(errors[-1]) + np.cumsum(error)
    view[2] = before_timed + np.cumsum(timed)
    view[3] = before_slow + np.cumsum(slow)
    view[4], view[5], view[6] = requests[:-1].sum(dtype=np.int64), errors[:-1].sum(dtype=np.int64), base.sum()
    view[7], view[8] = base[min(limit + 1, LEVELS) :].sum() if p95 >= 0 else 0, p95
    requests[-1] += k
    errors[-1] += np.count_nonzero(error)
    levels[-1] += counts.astype(np.uint32)
    view[9], view[10] = open_p95(levels[-1], counts, level, timed), np.count_nonzero(requests[:-1])
    return view


def open_p95(after: NDArray[np.uint32], counts: Values, level: NDArray[np.uint8], timed: Bits) -> Longs:
    """The open bucket's p95 level (k,) after each request."""
    before = after.astype(np.int64) - counts
    steps = np.zeros((len(level), LEVELS), np.int64)
    steps[np.flatnonzero(timed), level[timed]] = 1
    running = np.cumsum(steps, axis=0) + before
    upto = np.cumsum(running, axis=1)
    total = upto[:, -1]
    return np.where(total > 0, np.argmax(upto >= 0.95 * total[:, None], axis=1), -1)


def quantile_level(counts: Longs, q: float) -> int:
    """The level in which the q-quantile lies; -1 when there are no counts."""
    total = int(counts.sum())
    return int(np.argmax(np.cumsum(counts) >= q * total)) if total else -1
