"""`POST /v1/events`: events from other systems, into the stream."""

import hashlib
from collections import Counter
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.batch import check, records
from gateway.errors import KeyReused, LagUnknown, NotTaken
from gateway.intake import TAKEN, Fate, Posted, take
from gateway.problems import Problem
from gateway.topic_rules import held
from jobs.events import Rules
from pipelines import topics
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/events", tags=["events"])
problems.register({NotTaken: 503, LagUnknown: 503, KeyReused: 422})
RETRY_AFTER_S = 30
EXAMPLE = {
    "event_id": "t-1001", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A-17", "amount": 250.0,
    "currency": "EUR", "counterparty_id": "M-4",
}  # fmt: skip
EVENT_SCHEMA = {
    "type": "object",
    "required": ["event_id", "event_time", "kind"],
    "properties": {
        "event_id": {"type": "string", "minLength": 1, "maxLength": 200, "description": "unique; a second one is a duplicate"},
        "event_time": {"type": "string", "format": "date-time"},
        "kind": {"type": "string", "description": "transaction, request, measurement, or a kind of your own (kept, not watched)"},
        "account_id": {"type": "string"}, "amount": {"type": "number"}, "currency": {"type": "string"},
        "counterparty_id": {"type": "string"}, "service": {"type": "string"}, "status": {"type": "integer"},
        "latency_ms": {"type": "number", "minimum": 0}, "metric": {"type": "string"}, "value": {"type": "number"},
        "message": {"type": "string"}, "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}  # fmt: skip
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": EVENT_SCHEMA, "minItems": 1, "maxItems": 5000}, "example": [EXAMPLE]
            },
            "application/x-ndjson": {"schema": {"type": "string", "description": "one event a line"}},
        },
    }
}  # fmt: skip


class RecordAnswer(BaseModel):
    """One record's fate."""

    index: int = Field(description="its place in the request, from 0")
    outcome: Literal["accepted", "duplicate", "refused"]
    event_id: str | None = Field(description="null where the record has none that can be read")
    why: str = ""
    field: str = Field("", description="the field at fault; empty for the whole record")


class EventsAnswer(BaseModel):
    """What became of the batch; `accepted` events are safe."""

    accepted: int
    duplicate: int
    refused: int
    records: list[RecordAnswer]


@router.post(
    "", status_code=TAKEN, response_model=EventsAnswer, summary="Send events", openapi_extra=BODY,
    responses={
        status: {"model": problems.ProblemDetail, "description": problems.TITLES[status]}
        for status in (400, 404, 409, 413, 415, 503)
    },
)  # fmt: skip
async def post_events(
    request: Request,
    caller: Annotated[Caller, Needs(Role.analyst, scope="events")],
    store: Store,
    settings: App,
    now: Now,
    idempotency_key: Annotated[str | None, Header(max_length=200, description="the same key and body: the same answer")] = None,
    answer: Literal["all", "notable"] = "all",
    topic: Annotated[str | None, Query(max_length=249, description="a registered topic; default: the first one")] = None,
) -> Response:
    """Up to 5,000 events as a JSON array or as JSON lines, gzip welcome. Each record is answered for itself; good ones are taken
    whatever the others are. `answer=notable` leaves out the plainly accepted ones.

    A 429 with Retry-After says that ingest is behind; send the same request again then.
    """
    body, media = await request.body(), request.headers.get("content-type", "")

    def work() -> tuple[list[Fate], bool]:
        refuse_when_behind(request, settings)
        rules = Rules(now, settings.ingest.max_future_s, settings.ingest.max_record_bytes, caller.tenant)
        checked = check(records(body, media, settings.gateway.max_events), rules, caller.tenant)
        if topic is not None:
            checked = held(checked, registered(store, caller.tenant, topic, settings))
        body_hash = hashlib.sha256(f"{topic or ''}\0".encode() + body).hexdigest()
        posted = Posted(caller, checked, body_hash, now, idempotency_key or None, topic)
        return take(store, request.app.state.lane, posted)

    fates, replayed = await run_in_threadpool(work)
    counts: Counter[str] = Counter(fate.outcome for fate in fates)
    if not replayed:
        for outcome, count in counts.items():
            request.app.state.metrics.events(outcome, count)
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(told(fates, counts, answer == "all"), TAKEN, headers, "application/json")


def registered(store: Store, tenant: str, topic: str, settings: App) -> dict[str, Any]:
    """The topic, which must be one that ingest reads. Raises Unknown (404), Problem 409."""
    with store.connection() as connection:
        found = topics.find(connection, tenant, topic.replace("\0", ""), settings)
    if not found["ingested"]:
        raise Problem(409, detail=f"Ingest does not read {found['topic']}: name it in source.kafka_topics.", field="topic")
    return found


def told(fates: list[Fate], counts: Counter[str], everything: bool) -> bytes:
    shown = fates if everything else [fate for fate in fates if fate.outcome != "accepted" or fate.why]
    return msgspec.json.encode(
        {
            "accepted": counts["accepted"],
            "duplicate": counts["duplicate"],
            "refused": counts["refused"],
            "records": shown,
        }
    )


def refuse_when_behind(request: Request, settings: App) -> None:
    """Raises Problem 429 when ingest lags beyond the settings."""
    lag = request.app.state.watch.lag()
    if lag.too_much(settings.gateway.max_lag_s, settings.gateway.max_lag_events):
        raise Problem(429, detail=f"Ingest is behind: {lag.words()}.", headers={"Retry-After": str(RETRY_AFTER_S)})
