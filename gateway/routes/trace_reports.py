"""What traces amount to: quality, cost and latency, over time, side by side, and the worst answers."""

import dataclasses
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import App, Needs, Now, Store
from gateway.problems import Problem
from observe import projects, reports
from observe.measure import METRICS, Measured
from observe.reports import Stretch
from observe.scores import METRICS as SCORES
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/traces/reports", tags=["traces"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="traces")]
Project = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", description="default: all you may see")]
Since = Annotated[AwareDatetime | None, Query(description="arrived from here on; default: a week ago")]
Until = Annotated[AwareDatetime | None, Query(description="arrived before this; default: now")]
EARLIEST, LATEST = datetime.fromisoformat("2000-01-01T00:00:00+00:00"), datetime.fromisoformat("2200-01-01T00:00:00+00:00")


class PartItem(BaseModel):
    """A stretch of the answer; `supported` null: it claims nothing."""

    text: str
    supported: bool | None
    why: str


class MeasuredItem(BaseModel):
    """An estimate for all that came in, also what sampling dropped. `value` null: unknown."""

    value: float | None
    low: float | None = Field(description="the 95 % interval; null where too few traces are known")
    high: float | None
    traces: float = Field(description="that it rests on, estimated")
    unknown: float = Field(description="traces that say nothing about it")
    unit: str


class OverviewItem(BaseModel):
    """`seen` and `kept` are counted by whole hours; the rest is estimated."""

    since: AwareDatetime
    until: AwareDatetime
    seen: int
    kept: int
    cut: bool = Field(description="there were more traces than were read")
    metrics: dict[str, MeasuredItem]


class PointItem(BaseModel):
    """One stretch of a trend."""

    at: AwareDatetime
    traces: float
    metrics: dict[str, MeasuredItem]


class PointList(BaseModel):
    """Oldest first; stretches without traces are left out."""

    items: list[PointItem]


class EstimateItem(BaseModel):
    """An estimate with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class LineItem(BaseModel):
    """One model's (prompt's, project's) cost and work."""

    name: str
    traces: float
    cost: EstimateItem
    unknown_cost: float = Field(description="traces whose cost nobody knows")
    tokens: EstimateItem
    latency_p50: float | None
    latency_p95: float | None
    error_rate: EstimateItem


class LineList(BaseModel):
    """Dearest first."""

    items: list[LineItem]


class ComparedItem(BaseModel):
    """A metric of both; `clear`: the interval of the difference leaves out 0; null: too few traces to say."""

    metric: str
    one: EstimateItem
    other: EstimateItem
    difference: EstimateItem
    clear: bool | None


class ComparedList(BaseModel):
    """Two models or prompts side by side."""

    items: list[ComparedItem]


class WorstItem(BaseModel):
    """A bad answer, its claims marked."""

    trace_id: str
    project: str
    name: str
    started_at: AwareDatetime
    model: str
    prompt: str
    query: str
    response: str
    value: float
    why: str
    parts: list[PartItem]


class WorstList(BaseModel):
    """Worst first."""

    items: list[WorstItem]


def stretch_of(caller: Caller, now: datetime, project: str | None, since: datetime | None, until: datetime | None) -> Stretch:
    """The stretch of a report; without times the last week."""
    end = until or now + timedelta(seconds=1)
    begin = since or end - timedelta(days=7)
    if not EARLIEST <= begin < end <= LATEST:
        raise Problem(422, detail="since: must be before until, both between 2000 and 2200", field="since")
    return Stretch(caller.tenant, begin, end, project, projects.allowed(caller))


def measured(one: Measured) -> MeasuredItem:
    estimate = one.estimate
    return MeasuredItem(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        traces=one.known,
        unknown=one.unknown,
        unit=METRICS[one.metric].unit,
    )


@router.get("/overview", summary="Quality, cost and latency at a glance")
def overview(
    caller: Viewer, store: Store, now: Now, project: Project = None, since: Since = None, until: Until = None
) -> OverviewItem:
    """Rates, means and quantiles over the stretch, corrected for sampling."""
    stretch = stretch_of(caller, now, project, since, until)
    found = reports.overview(store, stretch)
    metrics = {name: measured(one) for name, one in found.measured.items()}
    return OverviewItem(
        since=stretch.since, until=stretch.until, seen=found.seen, kept=found.kept, cut=found.cut, metrics=metrics
    )


@router.get("/trends", summary="The same over time")
def trends(
    caller: Viewer, store: Store, now: Now, project: Project = None, since: Since = None, until: Until = None,
    bucket_s: Annotated[float, Query(ge=60, le=31 * 86_400, description="seconds of one point")] = 3600,
) -> PointList:  # fmt: skip
    """One point for each stretch of `bucket_s` seconds that has traces; at most 1,000."""
    stretch = stretch_of(caller, now, project, since, until)
    if (stretch.until - stretch.since).total_seconds() / bucket_s > 1_000:
        raise Problem(422, detail="bucket_s: that would be more than 1,000 points", field="bucket_s")
    points = reports.trends(store, stretch, timedelta(seconds=bucket_s))
    return PointList(
        items=[PointItem(at=p.at, traces=p.traces, metrics={name: measured(m) for name, m in p.measured.items()}) for p in points]
    )


@router.get("/costs", summary="Cost and work by model, prompt or project")
def costs(
    caller: Viewer, store: Store, now: Now, by: Literal["model", "prompt", "project"] = "model", project: Project = None,
    since: Since = None, until: Until = None,
) -> LineList:  # fmt: skip
    """Unknown costs are counted beside the sum, never added as 0."""
    lines = reports.costs(store, stretch_of(caller, now, project, since, until), by)
    return LineList(items=[LineItem.model_validate(dataclasses.asdict(line)) for line in lines])


@router.get("/compare", summary="Compare two models or two prompts")
def compare(
    caller: Viewer, store: Store, now: Now,
    one: Annotated[str, Query(max_length=200)], other: Annotated[str, Query(max_length=200)],
    by: Literal["model", "prompt"] = "model", project: Project = None, since: Since = None, until: Until = None,
) -> ComparedList:  # fmt: skip
    """Each metric of both, the second less the first, and its 95 % interval."""
    found = reports.compare(store, stretch_of(caller, now, project, since, until), by, one, other)
    return ComparedList(items=[ComparedItem.model_validate(dataclasses.asdict(line) | {"clear": line.clear}) for line in found])


@router.get("/worst", summary="The worst answers, unsupported sentences marked")
def worst(
    caller: Viewer, store: Store, settings: App, now: Now,
    metric: Annotated[str, Query(pattern=f"^({'|'.join(SCORES)})$")] = "faithfulness",
    project: Project = None, since: Since = None, until: Until = None, limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> WorstList:  # fmt: skip
    """By one score, the worst first; traces where it is unknown are left out."""
    rows = reports.worst(store, settings, stretch_of(caller, now, project, since, until), metric, limit)
    return WorstList(items=[WorstItem.model_validate(row | {"parts": [vars(p) for p in row["parts"]]}) for row in rows])
