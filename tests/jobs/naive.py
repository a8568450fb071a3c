"""Every detector once more, one event after the other over plain lists of raw values: slow, short, and easy to believe."""

import itertools
import math
import statistics
from collections import Counter, deque
from dataclasses import dataclass, field

from streams import S

from jobs.points import Points

NAN = math.nan


def normal_deviate(t: float, freedom: int) -> float:
    """Wallace's transform of Student's t."""
    return (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log(1 + t * t / freedom))


def z_score(x: float, past: list[float], floor: float) -> float:
    """Of a prediction from the past: its variance is widened by 1/n; a floor is added to the variance."""
    n = len(past)
    variance = statistics.variance(past) + floor**2
    return normal_deviate((x - statistics.fmean(past)) / math.sqrt(variance * (1 + 1 / n)), n - 1)


def amount_scores(points: Points, window: int, warm_up: int) -> dict[str, list[float]]:
    """amount_z, amount_robust_z and velocity of one entity's points in order of time."""
    out: dict[str, list[float]] = {"amount_z": [], "amount_robust_z": [], "velocity": []}
    logs: deque[float] = deque(maxlen=window)
    gaps: deque[float] = deque(maxlen=window)
    before = None
    for value, time in zip(points.value.tolist(), points.time.tolist(), strict=True):
        x = math.log(max(abs(value), 1e-3))
        gap = 0.0 if before is None else (time - before) / S
        out["amount_z"].append(z_score(x, list(logs), 0.05) if len(logs) >= warm_up else NAN)
        out["amount_robust_z"].append(robust(x, list(logs)) if len(logs) >= warm_up else NAN)
        out["velocity"].append(velocity([*list(gaps)[1:], gap], warm_up))
        logs.append(x)
        gaps.append(gap)
        before = time
    return out


def robust(x: float, past: list[float]) -> float:
    n = len(past)
    variance = (statistics.variance(past) + 0.05**2) * (1 + 1 / n)
    if abs(x - statistics.fmean(past)) < math.sqrt(variance):
        return 0.0
    median = statistics.median(past)
    mad = statistics.median(abs(y - median) for y in past)
    return normal_deviate(abs(x - median) / max(1.4826 * mad, 0.1), n - 1)


def velocity(gaps: list[float], warm_up: int, burst: int = 10) -> float:
    """The newest ten gaps against a gamma law of the older ones' mean and burstiness."""
    newest, older = gaps[-burst:], gaps[:-burst]
    if len(older) < max(20, warm_up):
        return NAN
    mean = statistics.fmean(older)
    shape = burst / max(statistics.fmean(g * g for g in older) / mean**2 - 1, 1.0)
    return 3 * math.sqrt(shape) * (1 - 1 / (9 * shape) - (sum(newest) / burst / mean) ** (1 / 3))


def series_scores(points: Points, window: int, warm_up: int) -> dict[str, list[float]]:
    """value_z and difference_z of one series."""
    out: dict[str, list[float]] = {"value_z": [], "difference_z": []}
    past: deque[float] = deque(maxlen=window)
    for x in points.value.tolist():
        held = list(past)
        steps = [b - a for a, b in itertools.pairwise(held)]
        out["value_z"].append(series_z(x, held, held) if len(held) >= warm_up else NAN)
        out["difference_z"].append(series_z(x - held[-1], steps, held[-1:]) if len(held) > warm_up else NAN)
        past.append(x)
    return out


def series_z(x: float, past: list[float], level: list[float]) -> float:
    n, floor = len(past), 0.01 * statistics.fmean(level)
    z = (x - statistics.fmean(past)) / math.sqrt(statistics.variance(past) * (1 + 1 / n) + floor**2)
    return normal_deviate(z, n - 1)


@dataclass
class Bucket:
    opened: int
    newest: int
    failed: list[bool] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)


def level(latency_ms: float) -> int:
    """Four to the octave from 1 ms."""
    return min(63, max(0, math.floor(4 * math.log2(max(latency_ms, 1.0)))))


def deviate(count: int, n: int, base: int, base_n: int) -> float:
    share, usual = (count + 0.375) / (n + 0.75), (base + 0.375) / (base_n + 0.75)
    return 2 * (math.asin(math.sqrt(share)) - math.asin(math.sqrt(usual))) / math.sqrt(1 / n + 1 / base_n)


def quantile_level(levels: list[int], q: float = 0.95) -> int:
    counts, total = Counter(levels), 0
    for one in sorted(counts):
        total += counts[one]
        if total >= q * len(levels):
            return one
    return -1


def service_scores(points: Points, min_count: int, min_rate: float, buckets: int) -> dict[str, list[float]]:
    """error_rate and latency of one service; a bucket closes at a minute's end with min_count requests or after 15 minutes."""
    out: dict[str, list[float]] = {"error_rate": [], "latency": []}
    closed: deque[Bucket] = deque(maxlen=buckets)
    bucket: Bucket | None = None
    for ms, failed, time in zip(points.value.tolist(), points.error.tolist(), points.time.tolist(), strict=True):
        minute = time // (60 * S)
        if bucket is None:
            bucket = Bucket(minute, minute)
        elif minute > bucket.newest:
            if len(bucket.failed) >= min_count or minute - bucket.opened >= 15:
                closed.append(bucket)
                bucket = Bucket(minute, minute)
            bucket.newest = minute
        bucket.failed.append(failed)
        if not math.isnan(ms):
            bucket.levels.append(level(ms))
        failures = [one for old in closed for one in old.failed]
        levels = [one for old in closed for one in old.levels]
        out["error_rate"].append(rate_score(bucket.failed, failures, min_count, min_rate))
        out["latency"].append(latency_score(bucket.levels, levels, min_count))
    return out


def rate_score(failed: list[bool], base: list[bool], min_count: int, min_rate: float) -> float:
    if len(failed) < min_count or len(base) < 5 * min_count:
        return NAN
    if sum(failed) < min_rate * len(failed):
        return 0.0
    return deviate(sum(failed), len(failed), sum(base), len(base))


def latency_score(levels: list[int], base: list[int], min_count: int) -> float:
    if len(levels) < min_count or len(base) < 5 * min_count:
        return NAN
    limit = quantile_level(base) + 2
    slow, usual = (sum(one > limit for one in many) for many in (levels, base))
    return deviate(slow, len(levels), usual, len(base)) if slow > 0.05 * len(levels) else 0.0
