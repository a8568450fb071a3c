"""What GraphQL answers, made from the rows of gateway/reading.py and desk/."""

from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from strawberry.scalars import JSON

from gateway import reading
from gateway.graphql.asking import Info, ask, described, first_of
from gateway.reading import Asked, Span

T = TypeVar("T")
USUAL = 20


def made(kind: type[T], row: dict[str, Any], **more: Any) -> T:
    """A row as a type: the columns that are its fields."""
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in (row | more).items() if name in names})


@strawberry.type(description="An event or window that broke its entity's pattern.")
class Anomaly:
    anomaly_id: strawberry.ID
    case_id: strawberry.ID
    entity: str
    detector: str
    event_id: str
    event_time: datetime
    value: float | None
    expected: float | None
    low: float | None
    high: float | None
    unit: str
    window_size: int
    severity: float
    scores: JSON
    ordinal: int
    detected_at: datetime

    @described("The event as it was sent; texts are masked for viewers.")
    async def event(self, info: Info) -> JSON:
        found: JSON = (await ask(reading.anomaly, info.context.store, info.context.caller, str(self.anomaly_id)))["event"]
        return found


@strawberry.type
class AnomalyPage:
    items: list[Anomaly]
    next: str | None


@strawberry.type(description="What the council decided.")
class Ruling:
    ruling_id: strawberry.ID
    case_id: strawberry.ID
    entity: str
    severity: float
    revision: int
    council: str
    model: str | None
    outcome: str
    action: str
    confidence: float
    root_cause: str
    next_steps: JSON
    citations: JSON
    in_force: bool
    superseded_by: str | None
    why: str
    ruled_at: datetime

    @described("The evidence it was given on.")
    async def brief(self, info: Info) -> JSON:
        found: JSON = (await ask(reading.ruling, info.context.store, info.context.caller, str(self.ruling_id)))["brief"]
        return found


@strawberry.type
class RulingPage:
    items: list[Ruling]
    next: str | None


@strawberry.type(description="A minute of a service or series, an hour of an account or counterparty.")
class Metric:
    bucket: datetime
    count: float
    error_rate: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    anomalies: int


@strawberry.type
class MetricPage:
    items: list[Metric]
    next: str | None


@strawberry.type(description="An account in a currency, a counterparty, a service, a series.")
class Entity:
    entity: str
    kind: str
    subject: str
    qualifier: str
    first_seen: datetime
    episodes: int

    @strawberry.field
    async def anomalies(self, info: Info, first: int = USUAL, after: str | None = None) -> AnomalyPage:
        return await anomaly_page(info, Asked(entity=self.entity, span=Span(first_of(first), after)))

    @strawberry.field
    async def rulings(self, info: Info, first: int = USUAL, after: str | None = None) -> RulingPage:
        return await ruling_page(info, Asked(entity=self.entity, span=Span(first_of(first), after)))

    @strawberry.field
    async def metrics(self, info: Info, first: int = USUAL, after: str | None = None) -> MetricPage:
        return await metric_page(info, self.entity, Span(first_of(first), after))


@strawberry.type
class EntityPage:
    items: list[Entity]
    next: str | None


async def anomaly_page(info: Info, asked: Asked) -> AnomalyPage:
    page = await ask(reading.anomalies, info.context.store, info.context.caller.tenant, asked)
    return AnomalyPage(items=[made(Anomaly, row) for row in page.items], next=page.next)


async def ruling_page(info: Info, asked: Asked) -> RulingPage:
    page = await ask(reading.rulings, info.context.store, info.context.caller.tenant, asked)
    return RulingPage(items=[made(Ruling, row) for row in page.items], next=page.next)


async def metric_page(info: Info, entity: str, span: Span) -> MetricPage:
    page = await ask(reading.metrics, info.context.store, info.context.caller.tenant, entity, span)
    return MetricPage(items=[made(Metric, row) for row in page.items], next=page.next)
