"""Estimates from a weighted sample, with how sure they are. Pure.

Each row was kept with probability 1 / weight, independently given what came before it. Totals are Horvitz and Thompson's, means
are ratios of two of them (Hájek 1971), intervals normal approximations by linearisation; none under LEAST effective rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z = 1.959964  # 95 %
LEAST = 5.0  # rows, as many as carry the same information unweighted


@dataclass(frozen=True)
class Estimate:
    """`value` None is unknown. `low`..`high` is a 95 % interval, None where there are too few rows. `n`: rows it rests on."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


def total(values: Sequence[float], weights: Sequence[float]) -> float:
    """The sum over everything that came in."""
    return math.fsum(value * weight for value, weight in zip(values, weights, strict=True))


def total_variance(values: Sequence[float], weights: Sequence[float]) -> float:
    """The unbiased estimate of the variance of `total`: a row kept for certain (weight 1) adds nothing."""
    return math.fsum(value * value * weight * (weight - 1) for value, weight in zip(values, weights, strict=True))


def effective(weights: Sequence[float]) -> float:
    """How many unweighted rows tell as much (Kish)."""
    squares = math.fsum(weight * weight for weight in weights)
    return math.fsum(weights) ** 2 / squares if squares > 0 else 0.0


def mean(values: Sequence[float], weights: Sequence[float]) -> Estimate:
    """The weighted mean; its interval covers both the sampling of traces and the spread of the values."""
    size = math.fsum(weights)
    if size <= 0:
        return Estimate(None)
    middle = total(values, weights) / size
    error = standard_error(values, weights, middle)
    if error is None:
        return Estimate(middle, n=len(values))
    return Estimate(middle, middle - Z * error, middle + Z * error, len(values))


def standard_error(values: Sequence[float], weights: Sequence[float], middle: float) -> float | None:
    """Of the weighted mean, by linearisation, with the small-sample factor; None with too few rows."""
    n = effective(weights)
    if n < LEAST:
        return None
    spread = math.fsum((weight * (value - middle)) ** 2 for value, weight in zip(values, weights, strict=True))
    return math.sqrt(spread * n / (n - 1)) / math.fsum(weights)


def rate(hits: Sequence[bool], weights: Sequence[float]) -> Estimate:
    """A share with Wilson's interval (1927) over the effective number of rows: never outside 0..1, also at 0 and 1."""
    size = math.fsum(weights)
    if size <= 0:
        return Estimate(None)
    share = math.fsum(weight for hit, weight in zip(hits, weights, strict=True) if hit) / size
    n = effective(weights)
    if n < LEAST:
        return Estimate(share, n=len(hits))
    middle, half = _wilson(share, n)
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0), len(hits))


def _wilson(share: float, n: float) -> tuple[float, float]:
    below = 1 + Z * Z / n
    return (share + Z * Z / (2 * n)) / below, Z / below * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))


def quantile(values: Sequence[float], weights: Sequence[float], share: float) -> float | None:
    """The smallest value at which the weights reach `share` of their sum; None without values."""
    goal, reached = share * math.fsum(weights), 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if reached >= goal * (1 - 1e-12):
            return value
    return None


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`other` less `one`, of two independent samples; its interval by the two intervals' widths (Newcombe's square-and-add)."""
    if one.value is None or other.value is None:
        return Estimate(None)
    gap = other.value - one.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate(gap, n=one.n + other.n)
    down = math.hypot(other.value - other.low, one.high - one.value)
    up = math.hypot(other.high - other.value, one.value - one.low)
    return Estimate(gap, gap - down, gap + up, one.n + other.n)
