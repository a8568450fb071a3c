"""What is measured over many traces: one number from rows of `measures`, and which rows made it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from observe import estimates
from observe.estimates import Estimate

ROW = dict[str, Any]
How = Literal["mean", "rate", "p50", "p95", "total", "count"]


@dataclass(frozen=True)
class Metric:
    """`value(row)` is a number, or None where it is unknown and the row does not count."""

    name: str
    how: How
    unit: str  # share | score | ms | cost | tokens | traces
    value: Callable[[ROW], float | None]
    words: str


def _score(name: str) -> Callable[[ROW], float | None]:
    return lambda row: (row["scores"] or {}).get(name)


def _flag(name: str) -> Callable[[ROW], float | None]:
    return lambda row: None if row[name] is None else float(row[name])


def _tokens(row: ROW) -> float | None:
    return None if row["tokens_in"] is None or row["tokens_out"] is None else float(row["tokens_in"] + row["tokens_out"])


METRICS = {
    metric.name: metric
    for metric in (
        Metric("faithfulness", "mean", "score", _score("faithfulness"), "faithfulness"),
        Metric("relevancy", "mean", "score", _score("relevancy"), "answer relevancy"),
        Metric("context_precision", "mean", "score", _score("context_precision"), "context precision"),
        Metric("context_recall", "mean", "score", _score("context_recall"), "context recall"),
        Metric("hallucination_rate", "rate", "share", _flag("hallucination"), "share of hallucinations"),
        Metric("error_rate", "rate", "share", lambda row: float(row["status"] == "error"), "share of errors"),
        Metric("injection_rate", "rate", "share", _flag("injection"), "share of suspected injections"),
        Metric("toxicity_rate", "rate", "share", _flag("toxic"), "share of toxic answers"),
        Metric("pii_rate", "rate", "share", _score("pii"), "share with personal data"),
        Metric("latency_p50", "p50", "ms", lambda row: row["latency_ms"], "median latency"),
        Metric("latency_p95", "p95", "ms", lambda row: row["latency_ms"], "95th percentile of latency"),
        Metric("cost_mean", "mean", "cost", lambda row: row["cost"], "cost of a trace"),
        Metric("cost_total", "total", "cost", lambda row: row["cost"], "cost"),
        Metric("tokens_mean", "mean", "tokens", _tokens, "tokens of a trace"),
        Metric("volume", "count", "traces", lambda row: 1.0, "number of traces"),
    )
}
SHARES = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class Measured:
    """`estimate` corrected for sampling; `known`: traces (estimated) that it rests on, `unknown`: those that say nothing."""

    metric: str
    estimate: Estimate
    known: float
    unknown: float


def measure(metric: Metric, rows: Sequence[ROW]) -> Measured:
    """The metric over these rows, each counted by its weight."""
    values, weights, silent = [], [], 0.0
    for row in rows:
        value = metric.value(row)
        if value is None:
            silent += row["weight"]
        else:
            values.append(value)
            weights.append(row["weight"])
    return Measured(metric.name, _estimate(metric.how, values, weights), sum(weights), silent)


def _estimate(how: How, values: Sequence[float], weights: Sequence[float]) -> Estimate:
    if how == "mean":
        return estimates.mean(values, weights)
    if how == "rate":
        return estimates.rate([value > 0 for value in values], weights)
    if how in SHARES:
        return Estimate(estimates.quantile(values, weights, SHARES[how]), n=len(values))
    if not values:
        return Estimate(None)
    sum_of, variance = estimates.total(values, weights), estimates.total_variance(values, weights)
    half = estimates.Z * variance**0.5
    return Estimate(sum_of, max(sum_of - half, 0.0), sum_of + half, len(values))


def culprits(metric: Metric, rows: Sequence[ROW], comparison: str, bar: float) -> list[tuple[str, float]]:
    """The traces that made a measurement cross its bar, the worst first: flagged ones for a rate, those beyond the bar for
    the others, every one that cost something for a total."""
    known = [(row["trace_id"], value) for row in rows if (value := metric.value(row)) is not None]
    if metric.how == "rate":
        high = comparison in ("above", "rise")
        return sorted((one for one in known if (one[1] > 0) == high), key=lambda one: one[0])
    if metric.how in ("total", "count"):
        return sorted((one for one in known if one[1] > 0), key=lambda one: (-one[1], one[0]))
    if comparison in ("below", "drop"):
        return sorted((one for one in known if one[1] < bar), key=lambda one: (one[1], one[0]))
    return sorted((one for one in known if one[1] > bar), key=lambda one: (-one[1], one[0]))
