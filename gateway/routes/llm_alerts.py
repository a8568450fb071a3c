"""Alerts on language model calls: rules on quality, cost, latency and errors, and what they found."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import problems
from gateway.access import Needs, Now, Store
from gateway.cursors import closed, opened, text, time
from observe import alerts, projects
from observe.errors import BadRule, UnknownAlert
from observe.measure import METRICS
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/llm-alerts", tags=["traces"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="traces")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="traces")]
Admin = Annotated[Caller, Needs(Role.admin, scope="traces")]
AlertId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["llm-4c1f0e3a9b77d210"])]
RuleId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["faithful-enough"])]
NAMES = "|".join(METRICS)
problems.register({UnknownAlert: 404, BadRule: 422})


class RuleIn(BaseModel):
    """When to raise an alert. `drop` and `rise` compare with the week before the window; `threshold` is then a share of it."""

    project: str = Field(max_length=64, examples=["shop"])
    model: str | None = Field(None, max_length=200, description="default: each model by itself")
    metric: str = Field(pattern=f"^({NAMES})$", examples=["hallucination_rate"], description=f"one of {', '.join(METRICS)}")
    comparison: Literal["below", "above", "drop", "rise"] = Field(examples=["above"])
    threshold: float = Field(ge=0, lt=1e12, examples=[0.1])
    window_s: float = Field(3600, ge=60, le=604_800, description="seconds of arrivals that are looked at")
    least: int = Field(20, ge=1, le=1_000_000, description="traces needed in the window (and the week), or nothing is said")
    severity: float = Field(0.6, ge=0, le=1)
    enabled: bool = True
    title: str = Field("", max_length=200, description="what the message says; default: the numbers")


class RuleChange(RuleIn):
    """A rule as it shall be."""

    version: int = Field(ge=1, lt=2**31, description="the version you saw")


class RuleItem(RuleIn):
    """A rule."""

    rule_id: str
    created_by: str
    created_at: AwareDatetime
    checked_at: AwareDatetime | None
    version: int


class RuleList(BaseModel):
    """By project."""

    items: list[RuleItem]


class AlertItem(BaseModel):
    """What a rule found of one model."""

    firing_id: str
    rule_id: str
    project: str
    model: str
    metric: str
    comparison: str
    threshold: float
    value: float
    baseline: float | None
    counted: float = Field(description="traces in the window, estimated")
    worst: float
    state: str
    opened_at: AwareDatetime
    last_at: AwareDatetime
    from_at: AwareDatetime
    acknowledged_by: str | None
    acknowledged_at: AwareDatetime | None
    resolved_by: str | None
    resolved_at: AwareDatetime | None
    note: str
    version: int


class AlertLine(AlertItem):
    """An alert and how many traces made it."""

    traces: int


class AlertPage(BaseModel):
    """Newest first."""

    items: list[AlertLine]
    next: str | None


class AlertTrace(BaseModel):
    """A trace that made the alert; `here` false: retention has removed it."""

    trace_id: str
    value: float | None
    here: bool
    started_at: AwareDatetime | None
    model: str | None
    status: str | None
    latency_ms: float | None
    cost: float | None
    hallucination: bool | None


class AlertStep(BaseModel):
    """One step of an alert's history."""

    seq: int
    at: AwareDatetime
    actor: str
    action: str
    note: str
    value: float | None


class AlertDetail(AlertItem):
    """An alert, its history, and the traces that made it."""

    log: list[AlertStep]
    traces: list[AlertTrace]


class Said(BaseModel):
    """A word on it. `version`: the one you saw; left out, it is done whatever happened meanwhile."""

    note: str = Field("", max_length=2_000, pattern=r"^[^\x00]*$")
    version: int | None = Field(None, ge=1, lt=2**31)


@router.get("", summary="List alerts")
def list_alerts(
    caller: Viewer, store: Store, state: Literal["open", "acknowledged", "resolved"] | None = None,
    project: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50, after: Annotated[str | None, Query(max_length=400)] = None,
) -> AlertPage:  # fmt: skip
    """The newest first."""
    place = opened(after, time, text) if after is not None else None
    rows = alerts.listed(
        store, caller.tenant, state=state, project=project, only=projects.allowed(caller), limit=limit + 1,
        after=None if place is None else (place[0], place[1]),
    )  # fmt: skip
    more = closed(rows[limit - 1]["opened_at"].isoformat(), rows[limit - 1]["firing_id"]) if len(rows) > limit else None
    return AlertPage(items=[AlertLine.model_validate(row) for row in rows[:limit]], next=more)


@router.get("/rules", summary="List alert rules")
def list_rules(caller: Viewer, store: Store) -> RuleList:
    """Those of the projects that you may see."""
    rows = alerts.rules(store, caller.tenant, projects.allowed(caller))
    return RuleList(items=[RuleItem.model_validate(row) for row in rows])


@router.post("/rules", status_code=201, summary="Make an alert rule")
def make_rule(caller: Admin, store: Store, wanted: RuleIn) -> RuleItem:
    """It is looked at within half a minute, and then again and again."""
    projects.check_allowed(caller, wanted.project)
    with store.connection() as connection:
        row = alerts.create(connection, caller.tenant, f"rule-{secrets.token_hex(6)}", wanted.model_dump(), caller.actor)
    return RuleItem.model_validate(row)


@router.put("/rules/{rule_id}", summary="Change an alert rule")
def change_rule(caller: Admin, store: Store, rule_id: RuleId, wanted: RuleChange) -> RuleItem:
    """409 when somebody changed it since you saw it."""
    _own_rule(caller, store, rule_id)
    projects.check_allowed(caller, wanted.project)
    values = wanted.model_dump(exclude={"version"})
    with store.connection() as connection:
        row = alerts.change(connection, caller.tenant, rule_id, values, wanted.version, caller.actor)
    return RuleItem.model_validate(row)


@router.delete("/rules/{rule_id}", status_code=204, summary="Remove an alert rule")
def drop_rule(caller: Admin, store: Store, now: Now, rule_id: RuleId) -> None:
    """Its open alerts are resolved; their history stays."""
    _own_rule(caller, store, rule_id)
    with store.connection() as connection:
        alerts.delete(connection, caller.tenant, rule_id, caller.actor, now)


def _own_rule(caller: Caller, store: Store, rule_id: str) -> None:
    """A key of other projects does not learn that the rule exists."""
    limits = projects.allowed(caller)
    if limits is not None and rule_id not in {row["rule_id"] for row in alerts.rules(store, caller.tenant, limits)}:
        raise UnknownAlert(f"(rule `{rule_id}`)")


@router.get("/{alert_id}", summary="One alert with the traces that made it")
def one_alert(
    caller: Viewer, store: Store, alert_id: AlertId, traces: Annotated[int, Query(ge=1, le=1_000)] = 200
) -> AlertDetail:
    """Value, threshold or last week's value, history, and exactly the traces that crossed the bar."""
    return AlertDetail.model_validate(_own_alert(caller, store, alert_id, traces))


@router.post("/{alert_id}/acknowledge", summary="Say that you look after it")
def acknowledge(caller: Analyst, store: Store, now: Now, alert_id: AlertId, said: Said) -> AlertDetail:
    """It stays open until it is resolved or its value is back."""
    _own_alert(caller, store, alert_id)
    with store.connection() as connection:
        alerts.acknowledge(connection, caller.tenant, alert_id, caller.actor, now, said.version)
    return AlertDetail.model_validate(alerts.get(store, caller.tenant, alert_id))


@router.post("/{alert_id}/resolve", summary="End it")
def resolve(caller: Analyst, store: Store, now: Now, alert_id: AlertId, said: Said) -> AlertDetail:
    """When its rule still holds once a window has passed, a new alert opens."""
    _own_alert(caller, store, alert_id)
    with store.connection() as connection:
        alerts.resolve(connection, caller.tenant, alert_id, caller.actor, said.note, now, said.version)
    return AlertDetail.model_validate(alerts.get(store, caller.tenant, alert_id))


def _own_alert(caller: Caller, store: Store, alert_id: str, traces: int = 1) -> alerts.ROW:
    row, limits = alerts.get(store, caller.tenant, alert_id, traces), projects.allowed(caller)
    if limits is not None and row["project"] not in limits:
        raise UnknownAlert(f"(`{alert_id}`)")
    return row
