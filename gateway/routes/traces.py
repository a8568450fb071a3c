"""Traces of language model calls: sent, listed, read, deleted."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Discriminator, Field, Tag

from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import closed, opened, text, time
from gateway.problems import Problem
from gateway.routes.trace_reports import PartItem
from observe import intake, posted, projects, removal, reports
from observe.errors import BadTrace, Changed, NotThisProject, UnknownProject, UnknownTrace
from observe.intake import Arrival, Sender, Taken
from observe.posted import Posted
from observe.texts import Reader, user_hash
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1", tags=["traces"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="traces")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="traces")]
Admin = Annotated[Caller, Needs(Role.admin, scope="traces")]
TraceId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00]+$")]
Project = Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", description="default: all you may see")]
Words = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
MOST = 500  # traces of one request
problems.register({UnknownTrace: 404, UnknownProject: 404, NotThisProject: 403, BadTrace: 400, Changed: 409})


class Batch(BaseModel):
    """Several traces at once."""

    traces: list[Posted] = Field(min_length=1, max_length=MOST)


def _tag(body: Any) -> str:
    """Which of the two a body is, so that a fault in one is not told as a fault in the other."""
    return "batch" if isinstance(body, dict) and "traces" in body else "trace"


Body = Annotated[Annotated[Posted, Tag("trace")] | Annotated[Batch, Tag("batch")], Discriminator(_tag)]


class TraceAnswer(BaseModel):
    """What became of one trace. `repeated`: it was sent before, or sampling dropped it; nothing changed."""

    trace_id: str
    state: Literal["accepted", "repeated", "refused"]
    why: str = ""


class TakenAnswer(BaseModel):
    """One answer for each trace, in the order of the request."""

    items: list[TraceAnswer]
    accepted: int
    refused: int


@router.post("/traces", status_code=202, summary="Send traces")
def send_traces(caller: Analyst, store: Store, settings: App, now: Now, body: Body) -> TakenAnswer:
    """One trace, or `{"traces": […]}`; scored within seconds. A key with the scope `traces:PROJECT` sends to that project."""
    given = body.traces if isinstance(body, Batch) else [body]
    default, arrivals, ids = projects.default_project(caller), list[Arrival](), list[str]()
    for one in given:
        made = posted.arrivals(one, one.project or default, now)
        arrivals += made
        ids.append(made[0].span.trace_id)
    most = settings.observe.max_spans
    if len(arrivals) > most:
        raise Problem(413, detail=f"These are {len(arrivals)} steps; send at most {most} in one request.", field="traces")
    taken = intake.accept(store, Sender(caller.tenant, caller.actor, "api", projects.allowed(caller)), arrivals, settings, now)
    why = {one.trace_id: one.why for one in reversed(taken.refused)}
    items = [_answer(trace_id, why, taken) for trace_id in ids]
    return TakenAnswer(
        items=items, accepted=sum(one.state == "accepted" for one in items), refused=sum(one.state == "refused" for one in items)
    )


def _answer(trace_id: str, why: dict[str, str], taken: Taken) -> TraceAnswer:
    if trace_id in why:
        return TraceAnswer(trace_id=trace_id, state="refused", why=why[trace_id])
    return TraceAnswer(trace_id=trace_id, state="accepted" if trace_id in taken.grown else "repeated")


class TraceItem(BaseModel):
    """One line of a list. What nobody knows is null, never 0."""

    trace_id: str
    project: str
    source: str
    name: str
    started_at: AwareDatetime
    received_at: AwareDatetime
    latency_ms: float | None
    status: str
    model: str
    prompt: str
    query: str
    response: str
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    cost_why: str
    hallucination: bool | None
    injection: bool | None
    toxic: bool | None
    pii: dict[str, int]
    state: str
    kept_for: list[str]
    weight: float = Field(description="how many traces it stands for")
    spans: int
    session: str


class TracePage(BaseModel):
    """Newest first."""

    items: list[TraceItem]
    next: str | None


@router.get("/traces", summary="List traces")
def list_traces(
    caller: Viewer, store: Store, settings: App,
    project: Project = None, model: Words = None,
    status: Literal["ok", "error"] | None = None, hallucination: bool | None = None,
    user: Annotated[str | None, Query(max_length=400, description="of this user")] = None, session: Words = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50, after: Annotated[str | None, Query(max_length=600)] = None,
) -> TracePage:  # fmt: skip
    """What was kept, the newest first."""
    at, trace_id = opened(after, time, text) if after is not None else (None, None)
    limits = projects.allowed(caller)
    rows = store.fetch(
        "trace_list", tenant=caller.tenant, project=project, only=None if limits is None else sorted(limits), model=model,
        status=status, hallucination=hallucination, user_hash=user_hash(caller.tenant, user), session=session, after_at=at,
        after_id=trace_id, limit=limit + 1,
    )  # fmt: skip
    more = closed(rows[limit - 1]["received_at"].isoformat(), rows[limit - 1]["trace_id"]) if len(rows) > limit else None
    rows = rows[:limit]
    clear = Reader(store, settings).open(caller.tenant, [said for row in rows for said in (row["query"], row["response"])])
    shown = [row | {"query": clear[2 * n], "response": clear[2 * n + 1]} for n, row in enumerate(rows)]
    return TracePage(items=[TraceItem(**row) for row in shown], next=more)


class ScoreItem(BaseModel):
    """A score from 0 to 1; null is unknown, and `why` says why."""

    metric: str
    scorer: str
    value: float | None
    why: str
    detail: dict[str, Any]
    scored_at: AwareDatetime


class StepItem(BaseModel):
    """One step of the waterfall, in reading order."""

    span_id: str
    parent_id: str | None
    depth: int
    offset_ms: float
    name: str
    kind: str
    latency_ms: float | None
    status: str
    error: str
    model: str
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    cost_why: str
    input: str
    output: str
    attributes: dict[str, Any]


class TraceDetail(TraceItem):
    """One trace with all that is known of it."""

    error: str
    contexts: list[str]
    reference: str | None
    metadata: dict[str, Any]
    price_version: str
    text_mode: str
    scores: list[ScoreItem]
    parts: list[PartItem]
    waterfall: list[StepItem]


@router.get("/traces/{trace_id}", summary="One trace")
def one_trace(caller: Viewer, store: Store, settings: App, trace_id: TraceId) -> TraceDetail:
    """With scores, its answer's claims marked, and its steps as a waterfall."""
    row = reports.trace(store, settings, caller.tenant, trace_id, projects.allowed(caller))
    return TraceDetail.model_validate(row | {"parts": [vars(part) for part in row["parts"]]})


@router.delete("/traces/{trace_id}", status_code=204, summary="Delete a trace")
def delete_trace(caller: Analyst, store: Store, now: Now, trace_id: TraceId) -> None:
    """With its steps and scores, for good; the audit log keeps that it was deleted."""
    limits = projects.allowed(caller)
    rows = store.fetch("trace_read", tenant=caller.tenant, trace_id=trace_id)
    if not rows or (limits is not None and rows[0]["project"] not in limits):
        raise UnknownTrace(f"(`{trace_id}`)")
    with store.connection() as connection:
        removal.delete_trace(connection, caller.tenant, trace_id, caller.actor, now)


class UserAsked(BaseModel):
    """Whose traces are to go."""

    user: str = Field(min_length=1, max_length=400)


class Deleted(BaseModel):
    """How many traces went."""

    traces: int


@router.post("/traces/delete-user", summary="Delete a user's traces")
def delete_user(caller: Admin, store: Store, now: Now, asked: UserAsked) -> Deleted:
    """All that were sent with this `user`, in every project you may see; by POST, so that no log holds the user's id."""
    with store.connection() as connection:
        gone = removal.delete_user(connection, caller.tenant, asked.user, caller.actor, now, projects.allowed(caller))
    return Deleted(traces=gone)
