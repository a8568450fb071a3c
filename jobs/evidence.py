"""The numbers that go with an anomaly: value, expected value and range, and the window before it, in the units of the event."""

import math
from typing import Any

import numpy as np

from jobs.anomaly import Judged
from jobs.detectors.amount_robust_z import SD_PER_MAD, median_and_mad
from jobs.detectors.value_z import FLOOR_SHARE
from jobs.detectors.velocity import BURST, limit
from jobs.policy import Policy
from jobs.series_windows import SeriesPast
from jobs.service_windows import ServicePast, upper_ms
from jobs.windows import NATS, Past, decode_amounts

RECENT = 10
Evidence = dict[str, Any]


def of_amount(past: Past, judged: Judged, point: int, leading: str, value: float, policy: Policy) -> Evidence:
    """Log mean and deviation are natural logs; expected is their exp: the window's geometric mean."""
    which = np.array([point])
    n = int(past.n[point])
    mean = float(past.sum1[point] / max(n, 1) / NATS)
    spread = math.sqrt(max(float(past.sum2[point]) / max(n, 1) / NATS**2 - mean**2, 0.0))
    median, mad = (float(x[0]) / NATS for x in median_and_mad(past, which)) if n else (mean, 0.0)
    window = slice(int(past.low[point]), int(past.flat.at[point]))
    gaps_s = past.gaps[window.start + 1 : window.stop] / 16
    usual_s = past.gaps[window.start + 1 : max(window.stop + 1 - BURST, window.start + 1)] / 16  # the detector's own baseline
    burst_s = float(past.gaps[max(window.stop + 1 - BURST, window.start + 1) : window.stop + 1].sum() / 16)
    context = {
        "n": n, "log_mean": mean, "log_std": spread, "mean": math.exp(mean), "median": math.exp(median),
        "mad": math.exp(median) * SD_PER_MAD * mad, "log_mad": mad,
        "recent": decode_amounts(past.amounts[window][-RECENT:]).tolist(),
        "burst": BURST, "span_s": burst_s, "usual_span_s": float(usual_s.mean() * BURST) if len(usual_s) else 0.0,
        "rate_per_h": float(3600 / gaps_s.mean()) if len(gaps_s) and gaps_s.mean() > 0 else 0.0,
    }  # fmt: skip
    if leading == "velocity":
        expected = round(BURST * burst_s / context["usual_span_s"], 3) if context["usual_span_s"] else 0.0
        share = limit(usual_s, judged.threshold(leading, point))
        return _evidence("events", float(BURST), expected, 0.0, max(expected / share, 1.0) if share else 1.0, n, context)
    centre, sd = (median, max(SD_PER_MAD * mad, 0.1)) if leading == "amount_robust_z" else (mean, math.hypot(spread, 0.05))
    reach = judged.threshold(leading, point) * sd
    return _evidence("amount", value, math.exp(centre), math.exp(centre - reach), math.exp(centre + reach), n, context)


def of_service(past: ServicePast, judged: Judged, point: int, leading: str, policy: Policy) -> Evidence:
    """The open bucket's counts and the baseline's."""
    at = {name: int(getattr(past, name)[point]) for name in past.__dataclass_fields__}
    rate, base_rate = at["errors"] / max(at["n"], 1), at["base_errors"] / max(at["base_n"], 1)
    context: Evidence = {
        "n": at["n"], "errors": at["errors"], "slow": at["slow"], "timed": at["timed"], "error_rate": rate,
        "baseline_n": at["base_n"], "baseline_errors": at["base_errors"], "baseline_error_rate": base_rate,
        "baseline_timed": at["base_timed"], "baseline_slow": at["base_slow"], "buckets": at["buckets"],
    }  # fmt: skip
    if at["base_p95"] >= 0:
        context["baseline_p95_ms"] = upper_ms(at["base_p95"])
    if at["p95"] >= 0:
        context["p95_ms"] = upper_ms(at["p95"])
    if leading == "latency":
        usual = context["baseline_p95_ms"]
        return _evidence("ms", context["p95_ms"], usual, 0.0, usual * 2**0.5, at["n"], context)
    return _evidence("error rate", rate, base_rate, 0.0, max(policy.min_error_rate, base_rate), at["n"], context)


def of_series(past: SeriesPast, judged: Judged, point: int, leading: str, policy: Policy) -> Evidence:
    which = np.array([point])
    rows, inside = past.rows(past.values, past.low, which)
    window = rows[0][inside[0]]
    n, value = len(window), float(past.value[point])
    mean, spread = (float(window.mean()), float(window.std())) if n else (value, 0.0)
    steps = np.diff(window)
    context = {
        "n": n, "mean": mean, "std": spread, "median": float(np.median(window)) if n else value,
        "mad": float(np.median(np.abs(window - np.median(window)))) if n else 0.0,
        "step": value - float(window[-1]) if n else 0.0, "step_std": float(steps.std()) if len(steps) else 0.0,
        "recent": window[-RECENT:].tolist(),
    }  # fmt: skip
    reach = judged.threshold(leading, point)
    if leading == "difference_z" and n:
        level = float(window[-1])
        sd = math.hypot(context["step_std"], FLOOR_SHARE * level)
        centre = level + (float(steps.mean()) if len(steps) else 0.0)
    else:
        centre, sd = mean, math.hypot(spread, FLOOR_SHARE * mean)
    return _evidence("value", value, centre, centre - reach * sd, centre + reach * sd, n, context)


def _evidence(unit: str, value: float, expected: float, low: float, high: float, n: int, context: Evidence) -> Evidence:
    return {
        "unit": unit, "value": _tidy(value), "expected": _tidy(expected), "low": _tidy(low), "high": _tidy(high),
        "window_size": n, "context": {name: _tidy(x) for name, x in context.items()},
    }  # fmt: skip


def _tidy(x: Any) -> Any:
    """Nine significant digits: enough to recompute from, short enough to read."""
    if isinstance(x, float):
        return float(f"{x:.9g}")
    return [_tidy(y) for y in x] if isinstance(x, list) else x
