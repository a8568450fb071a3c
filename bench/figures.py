"""Percentiles, slopes and small pictures of measurements: pure, numbers in and numbers or text out."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BARS = "▁▂▃▄▅▆▇█"
BLOCK_S = 10.0
EDGES_S = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 30, 60)


def percentiles(values: Sequence[float]) -> dict[str, float | int | None]:
    """n, p50, p95, p99 and the largest, in the unit of the values; None where there is nothing."""
    if not values:
        return {"n": 0, "p50": None, "p95": None, "p99": None, "max": None}
    found = np.percentile(values, [50, 95, 99])
    return {"n": len(values), **{name: round(float(v), 3) for name, v in zip(("p50", "p95", "p99"), found, strict=True)},
            "max": round(float(max(values)), 3)}  # fmt: skip


def histogram(values: Sequence[float], edges: Sequence[float] = EDGES_S) -> list[tuple[str, int]]:
    """How many values lie up to each edge and above the one before; the last is open.

    >>> histogram([0.2, 0.7, 99], (0.5, 1))
    [('≤ 0.5', 1), ('≤ 1', 1), ('> 1', 1)]
    """
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[next((i for i, edge in enumerate(edges) if value <= edge), len(edges))] += 1
    return [*((f"≤ {edge:g}", count) for edge, count in zip(edges, counts, strict=False)), (f"> {edges[-1]:g}", counts[-1])]


def bars(rows: Sequence[tuple[str, int]], width: int = 50) -> str:
    """A histogram as text."""
    most = max((count for _, count in rows), default=0) or 1
    return "\n".join(f"{name:>8} {count:>7,} {'█' * math.ceil(width * count / most)}" for name, count in rows)


def line(values: Sequence[float], width: int = 60) -> str:
    """Values over time as one line of blocks, from 0 to the largest; each block is the mean of its share of them.

    >>> line([0, 1, 2, 4], 4)
    '▁▂▄█'
    """
    if not values:
        return ""
    parts = np.array_split(np.asarray(values, float), min(width, len(values)))
    means = [float(part.mean()) for part in parts]
    most = max(means) or 1.0
    return "".join(BARS[min(len(BARS) - 1, max(0, math.ceil(mean / most * len(BARS)) - 1))] for mean in means)


@dataclass(frozen=True)
class Trend:
    """A slope per second with the half width of its 95 % interval; `grows` when the whole interval lies above `tolerance`."""

    per_s: float
    within: float
    tolerance: float

    @property
    def grows(self) -> bool:
        return self.per_s - self.within > self.tolerance

    @property
    def sure(self) -> bool:
        """Whether the whole interval lies on one side of the tolerance."""
        return self.grows or self.per_s + self.within <= self.tolerance


def trend(times_s: Sequence[float], values: Sequence[float], tolerance: float) -> Trend:
    """The slope of values over time by least squares over means of ten seconds.

    A lag is a saw: neighbouring looks say the same, so the interval is taken from the scatter of means that are longer than a
    tooth, with Student's t. Fewer than four of them say nothing: the interval is infinite.
    """
    times, heights = blocks(times_s, values)
    if len(times) < 4:
        return Trend(0.0, math.inf, tolerance)
    x, y = np.asarray(times), np.asarray(heights)
    slope, level = np.polyfit(x, y, 1)
    scatter = float(np.sum((y - slope * x - level) ** 2)) / (len(x) - 2)
    error = math.sqrt(scatter / float(np.sum((x - x.mean()) ** 2)))
    return Trend(float(slope), student(len(x) - 2) * error, tolerance)


def blocks(times_s: Sequence[float], values: Sequence[float], length_s: float = BLOCK_S) -> tuple[list[float], list[float]]:
    """Means over consecutive stretches of time."""
    held: dict[int, list[tuple[float, float]]] = {}
    for at, value in zip(times_s, values, strict=True):
        held.setdefault(int(at // length_s), []).append((at, value))
    found = [held[number] for number in sorted(held)]
    return [statistics.fmean(at for at, _ in one) for one in found], [statistics.fmean(v for _, v in one) for one in found]


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by its expansion in 1/freedom (Abramowitz and Stegun 26.7.5); within 2 % from two on.

    >>> [round(student(n), 2) for n in (4, 10, 60)]
    [2.77, 2.23, 2.0]
    """
    z, n = 1.959964, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )
