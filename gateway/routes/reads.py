"""What was seen and found: entities, their metrics, anomalies, rulings."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import problems, reading
from gateway.access import Needs, Store
from gateway.reading import Asked, Span
from trust.roles import Caller, Role

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": problems.ProblemDetail, "description": problems.TITLES[404]}}
router = APIRouter(prefix="/v1", tags=["reads"], responses=MISSING)
Reader = Annotated[Caller, Needs(Role.viewer, scope="reads")]
Limit = Annotated[int, Query(ge=1, le=reading.MOST)]
After = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]
Since = Annotated[AwareDatetime | None, Query(description="RFC 3339; this moment and later", examples=["2026-05-01T00:00:00Z"])]
Until = Annotated[AwareDatetime | None, Query(description="RFC 3339; before this moment")]
EntityName = Annotated[str, Path(max_length=700, description="as `account:A-17/EUR`", examples=["service:checkout"])]
EntityFilter = Annotated[str | None, Query(max_length=700, description="only of this entity", examples=["service:checkout"])]
CaseFilter = Annotated[str | None, Query(max_length=200, description="only of this case")]
Id = Annotated[str, Path(max_length=200)]


class EntityItem(BaseModel):
    """Something that has a window: an account in a currency, a counterparty, a service, a series."""

    entity: str = Field(examples=["account:A-17/EUR"])
    kind: str
    subject: str
    qualifier: str = Field(description="an account's currency, a series' metric")
    first_seen: AwareDatetime = Field(description="event time")
    episodes: int = Field(description="how often it stood out")


class EntityPage(BaseModel):
    items: list[EntityItem]
    next: str | None


class MetricItem(BaseModel):
    """A minute of a service or series (latency in ms, or the value), an hour of an account or counterparty (amounts)."""

    bucket: AwareDatetime
    count: int
    error_rate: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    anomalies: int
    late: int
    duplicates: int


class MetricPage(BaseModel):
    items: list[MetricItem]
    next: str | None


class AnomalyItem(BaseModel):
    """An event or window that broke its entity's pattern."""

    anomaly_id: str
    case_id: str
    entity: str
    detector: str = Field(description="the one that was surest")
    event_id: str
    event_time: AwareDatetime
    value: float | None = Field(description="in `unit`")
    expected: float | None
    low: float | None = Field(description="lower end of what was expected; null: none")
    high: float | None
    unit: str
    window_size: int
    severity: float = Field(description="0 to 1")
    scores: dict[str, Any] = Field(description="detector → score over its threshold")
    ordinal: int = Field(description="1: the first of its episode")
    arrived_at: AwareDatetime
    detected_at: AwareDatetime


class AnomalyPage(BaseModel):
    items: list[AnomalyItem]
    next: str | None


class AnomalyDetail(AnomalyItem):
    """With the window before the event, and the event."""

    context: dict[str, Any]
    event: dict[str, Any] = Field(description="as it was sent; texts are masked for viewers")


class RulingItem(BaseModel):
    """What the council decided."""

    ruling_id: str
    case_id: str
    entity: str
    kind: str
    severity: float
    revision: int
    council: str = Field(description="`model`, or `rules` when none was reachable")
    model: str | None
    outcome: str = Field(description="confirmed, dismissed or unresolved")
    action: str
    confidence: float
    root_cause: str
    next_steps: list[Any]
    citations: list[Any]
    in_force: bool
    superseded_by: str | None
    why: str
    ruled_at: AwareDatetime
    latency_ms: float


class RulingPage(BaseModel):
    items: list[RulingItem]
    next: str | None


class RulingDetail(RulingItem):
    """With each member's opinion, the checks, and the evidence they were given."""

    opinions: list[Any]
    checks: list[Any]
    brief: dict[str, Any]
    brief_hash: str
    prompt_hash: str | None


@router.get("/entities", summary="List entities")
def list_entities(
    caller: Reader,
    store: Store,
    kind: Literal["account", "counterparty", "service", "series"] | None = None,
    q: Annotated[str | None, Query(max_length=200, description="letters that the name holds")] = None,
    limit: Limit = 50,
    after: After = None,
) -> EntityPage:
    """By name."""
    page = reading.entities(store, caller.tenant, Span(limit, after), kind, q)
    return EntityPage(items=[EntityItem(**row) for row in page.items], next=page.next)


@router.get("/entities/{entity:path}", summary="One entity")
def one_entity(caller: Reader, store: Store, entity: EntityName) -> EntityItem:
    """The name holds `:` and `/`; they need no escaping."""
    return EntityItem(**reading.entity(store, caller.tenant, entity))


@router.get("/metrics", summary="An entity's metrics")
def list_metrics(
    caller: Reader,
    store: Store,
    entity: Annotated[str, Query(max_length=700, examples=["service:checkout"])],
    since: Since = None,
    until: Until = None,
    limit: Limit = 120,
    after: After = None,
) -> MetricPage:
    """Newest bucket first: minutes of services and series, hours of accounts and counterparties."""
    page = reading.metrics(store, caller.tenant, entity, Span(limit, after, since, until))
    return MetricPage(items=[MetricItem(**row) for row in page.items], next=page.next)


@router.get("/anomalies", summary="List anomalies")
def list_anomalies(
    caller: Reader,
    store: Store,
    entity: EntityFilter = None,
    case_id: CaseFilter = None,
    detector: Annotated[str | None, Query(max_length=100)] = None,
    min_severity: Annotated[float | None, Query(ge=0, le=1)] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    after: After = None,
) -> AnomalyPage:
    """Newest event first; `since` and `until` are event time. An episode keeps its first 20 hits and every new worst one."""
    asked = Asked(entity, case_id, detector, min_severity, span=Span(limit, after, since, until))
    page = reading.anomalies(store, caller.tenant, asked)
    return AnomalyPage(items=[AnomalyItem(**row) for row in page.items], next=page.next)


@router.get("/anomalies/{anomaly_id}", summary="One anomaly")
def one_anomaly(caller: Reader, store: Store, anomaly_id: Id) -> AnomalyDetail:
    """With what its window held before the event, and the event itself."""
    return AnomalyDetail(**reading.anomaly(store, caller, anomaly_id))


@router.get("/rulings", summary="List rulings")
def list_rulings(
    caller: Reader,
    store: Store,
    entity: EntityFilter = None,
    case_id: CaseFilter = None,
    outcome: Literal["confirmed", "dismissed", "unresolved"] | None = None,
    in_force: Annotated[bool, Query(description="false: superseded ones too")] = True,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    after: After = None,
) -> RulingPage:
    """Newest first."""
    asked = Asked(entity, case_id, outcome=outcome, in_force=in_force, span=Span(limit, after, since, until))
    page = reading.rulings(store, caller.tenant, asked)
    return RulingPage(items=[RulingItem(**row) for row in page.items], next=page.next)


@router.get("/rulings/{ruling_id}", summary="One ruling")
def one_ruling(caller: Reader, store: Store, ruling_id: Id) -> RulingDetail:
    """With its opinions, its checks and the brief it was given on; texts are masked for viewers."""
    return RulingDetail(**reading.ruling(store, caller, ruling_id))
