"""What pages and commands show of traces, as plain data: every estimate corrected for sampling, unknown said as unknown.

Times are half-open stretches of arrival, `since` ≤ t < `until`, aware. `only`: the reader's projects, None for all.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from observe import estimates
from observe.detail import Part, parts, trace, waterfall
from observe.estimates import Estimate
from observe.measure import METRICS, ROW, Measured, measure
from observe.scores import GOOD_HIGH, SCORER
from observe.texts import Reader
from store.database import Queries
from store.settings import Settings

__all__ = [
    "Compared", "Line", "Overview", "Part", "Point", "Stretch", "compare", "compared", "costs", "overview", "parts", "rows_of",
    "trace", "trend", "trends", "waterfall", "worst",
]  # fmt: skip
MOST_ROWS = 100_000  # the newest of a stretch; a report says when there were more
OVERVIEW = (
    "volume", "error_rate", "hallucination_rate", "injection_rate", "pii_rate", "toxicity_rate", "faithfulness", "relevancy",
    "context_precision", "context_recall", "latency_p50", "latency_p95", "cost_total", "cost_mean", "tokens_mean",
)  # fmt: skip
COMPARED = ("faithfulness", "relevancy", "context_precision", "hallucination_rate", "error_rate", "cost_mean", "tokens_mean")


@dataclass(frozen=True)
class Stretch:
    """What a report is about. `project` None: all that the reader may see."""

    tenant: str
    since: datetime
    until: datetime
    project: str | None = None
    only: frozenset[str] | None = None
    model: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        only = None if self.only is None else sorted(self.only)
        return {"tenant": self.tenant, "project": self.project, "only": only, "since": self.since, "until": self.until}


@dataclass(frozen=True)
class Overview:
    """`seen` and `kept` are counted exactly, by whole hours; `measured` is estimated. `cut`: not all rows were read."""

    seen: int
    kept: int
    measured: dict[str, Measured]
    cut: bool


@dataclass(frozen=True)
class Point:
    """One bucket of a trend."""

    at: datetime
    traces: float
    measured: dict[str, Measured]


@dataclass(frozen=True)
class Line:
    """One model's (or prompt's) share of cost and work."""

    name: str
    traces: float
    cost: Estimate
    unknown_cost: float  # traces whose cost nobody knows
    tokens: Estimate
    latency_p50: float | None
    latency_p95: float | None
    error_rate: Estimate


@dataclass(frozen=True)
class Compared:
    """A metric of two groups and the second less the first; `clear` when the 95 % interval of the difference leaves out 0."""

    metric: str
    one: Estimate
    other: Estimate
    difference: Estimate

    @property
    def clear(self) -> bool | None:
        if self.difference.low is None or self.difference.high is None:
            return None
        return self.difference.low > 0 or self.difference.high < 0


def rows_of(queries: Queries, stretch: Stretch) -> list[ROW]:
    """The measures of a stretch, the newest first."""
    return queries.fetch("measures", **stretch.params, model=stretch.model, scorer=SCORER, limit=MOST_ROWS)


def overview(queries: Queries, stretch: Stretch) -> Overview:
    """The stretch in one glance."""
    rows = rows_of(queries, stretch)
    counted = queries.fetch("trace_counts", **stretch.params)[0]
    found = {name: measure(METRICS[name], rows) for name in OVERVIEW}
    return Overview(counted["seen"], counted["kept"], found, len(rows) == MOST_ROWS)


def trends(queries: Queries, stretch: Stretch, bucket: timedelta, metrics: Sequence[str] = OVERVIEW) -> list[Point]:
    """One point for each bucket that has traces, oldest first."""
    return trend(rows_of(queries, stretch), stretch.since, bucket, metrics)


def trend(rows: Sequence[ROW], since: datetime, bucket: timedelta, metrics: Sequence[str]) -> list[Point]:
    """Pure part of `trends`."""
    cells: defaultdict[int, list[ROW]] = defaultdict(list)
    for row in rows:
        cells[(row["received_at"] - since) // bucket].append(row)
    return [
        Point(
            since + place * bucket,
            sum(row["weight"] for row in cells[place]),
            {m: measure(METRICS[m], cells[place]) for m in metrics},
        )
        for place in sorted(cells)
    ]


def costs(queries: Queries, stretch: Stretch, by: Literal["model", "prompt", "project"] = "model") -> list[Line]:
    """Cost and work by model, prompt or project, the dearest first; unknown costs are counted, not added as 0."""
    groups: defaultdict[str, list[ROW]] = defaultdict(list)
    for row in rows_of(queries, stretch):
        groups[row[by]].append(row)
    lines = [_line(name, rows) for name, rows in groups.items()]
    return sorted(lines, key=lambda line: (-(line.cost.value or 0.0), -line.traces, line.name))


def _line(name: str, rows: Sequence[ROW]) -> Line:
    cost = measure(METRICS["cost_total"], rows)
    return Line(
        name, sum(row["weight"] for row in rows), cost.estimate, cost.unknown, measure(METRICS["tokens_mean"], rows).estimate,
        measure(METRICS["latency_p50"], rows).estimate.value, measure(METRICS["latency_p95"], rows).estimate.value,
        measure(METRICS["error_rate"], rows).estimate,
    )  # fmt: skip


def compare(queries: Queries, stretch: Stretch, by: Literal["model", "prompt"], one: str, other: str) -> list[Compared]:
    """Two models or two prompts side by side, with the difference and its 95 % interval; also mean latency."""
    rows = rows_of(queries, stretch)
    return compared([row for row in rows if row[by] == one], [row for row in rows if row[by] == other])


def compared(ones: Sequence[ROW], others: Sequence[ROW]) -> list[Compared]:
    """Pure part of `compare`."""
    found = []
    for name in COMPARED:
        first, second = measure(METRICS[name], ones).estimate, measure(METRICS[name], others).estimate
        found.append(Compared(name, first, second, estimates.difference(first, second)))
    first, second = _mean_latency(ones), _mean_latency(others)
    return [*found, Compared("latency_mean", first, second, estimates.difference(first, second))]


def _mean_latency(rows: Sequence[ROW]) -> Estimate:
    known = [row for row in rows if row["latency_ms"] is not None]
    return estimates.mean([row["latency_ms"] for row in known], [row["weight"] for row in known])


def worst(queries: Queries, settings: Settings, stretch: Stretch, metric: str = "faithfulness", limit: int = 20) -> list[ROW]:
    """The worst answers by a score, each with `query`, `response` in clear and `parts`: the response with its claims marked."""
    rows = queries.fetch(
        "worst_traces", **stretch.params, metric=metric, scorer=SCORER, low_is_bad=metric in GOOD_HIGH, limit=limit
    )  # fmt: skip
    reader = Reader(queries, settings)
    opened = reader.open(stretch.tenant, [text for row in rows for text in (row["query"], row["response"])])
    for place, row in enumerate(rows):
        row["query"], row["response"] = opened[2 * place], opened[2 * place + 1]
        row["parts"] = parts(row["response"], row.pop("detail").get("claims", []))
    return rows
