"""Rolling windows of measured series: the values themselves, summed afresh in a fixed order for every point."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jobs.columns import Bits, Columns, Floats, Longs, Shape
from jobs.flat import Flat
from jobs.points import Points, Received
from jobs.policy import Policy
from jobs.windows import remember, since_newest

CHUNK = 20_000  # windows laid out at once: 16 MB


def shape(policy: Policy) -> Shape:
    return {
        "last": ("int64", ()),
        "count": ("uint8", ()),
        "values": ("float64", (policy.window,)),
        "ids": ("uint32", (policy.recent_ids,)),
        "contents": ("uint8", (policy.recent_ids,)),
    }


@dataclass(frozen=True)
class SeriesPast:
    """For each of N new points the values before it; see jobs.windows.Past for `flat` and `low`."""

    flat: Flat
    values: Floats
    low: Longs
    restart: Bits

    @property
    def n(self) -> Longs:
        return self.flat.at - self.low

    @property
    def value(self) -> Floats:
        return self.values[self.flat.at]

    @cached_property
    def steps(self) -> Floats:
        """Flat differences to the place before; the first place of a window has none that counts."""
        return np.diff(self.values, prepend=0.0)

    def moments(self, flat: Floats, low: Longs) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N,) of flat[low:at], two passes over each window's own values."""
        means, deviations = np.zeros(len(low)), np.zeros(len(low))
        for start in range(0, len(low), CHUNK):
            part = slice(start, start + CHUNK)
            rows, inside = self.rows(flat, low, np.arange(len(low))[part])
            n = np.maximum(inside.sum(axis=1), 1)
            means[part] = rows.sum(axis=1) / n
            apart = np.where(inside, rows - means[part][:, None], 0.0)
            deviations[part] = np.sqrt((apart * apart).sum(axis=1) / n)
        return means, deviations

    def rows(self, flat: Floats, low: Longs, which: Longs) -> tuple[Floats, Bits]:
        """Windows (K, W) right-aligned with zeros where absent, and the mask of present places."""
        places = self.flat.at[which][:, None] + np.arange(-self.flat.width, 0)
        inside = places >= low[which][:, None]
        return np.where(inside, flat[places], 0.0), inside


def open_windows(table: Columns, received: Received, points: Points, group: Longs, policy: Policy) -> SeriesPast:
    """Lay carried and new values out flat; a gap longer than `policy.idle_us` starts a fresh window."""
    flat = Flat.of(group, len(received.rows), policy.window)
    restart = since_newest(table, received, points.time, group) > policy.idle_us
    carried = table["count"][received.rows].astype(np.int64)
    run = np.where(restart, flat.at, (flat.ends - flat.arriving - carried)[group])
    if len(run):
        run = np.maximum.accumulate(run)
    values = flat.lay(table["values"][received.rows], points.value)
    return SeriesPast(flat, values, np.maximum(run, flat.at - policy.window), restart)


def learn(table: Columns, received: Received, points: Points, group: Longs, past: SeriesPast, policy: Policy) -> None:
    """Write the windows as they are after the batch."""
    table["values"][received.rows] = past.flat.newest(past.values, past.flat.since(past.restart, group))
    touched = np.flatnonzero(past.flat.arriving)
    final = np.cumsum(past.flat.arriving)[touched] - 1
    table["count"][received.rows[touched]] = np.minimum(past.n[final] + 1, past.flat.width)
    remember(table, received, points, group, policy)
