"""A trace as one posts it: question, answer, contexts and what is known of them; further steps as `spans`."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from observe.intake import Arrival
from observe.span import Kind, Span

Words = Field("", max_length=1_000_000)


class Step(BaseModel):
    """One step below the trace, or below another step."""

    model_config = ConfigDict(extra="forbid")

    span_id: str = Field(min_length=1, max_length=128, examples=["retrieve"])
    parent_id: str | None = Field(None, min_length=1, max_length=128, description="default: the trace itself")
    name: str = Field("step", min_length=1, max_length=200)
    kind: Kind = "other"
    started_at: AwareDatetime | None = Field(None, description="default: the trace's")
    latency_ms: float | None = Field(None, ge=0, le=604_800_000)
    error: str | None = Field(None, max_length=10_000)
    model: str = Field("", max_length=200)
    prompt: str = Field("", max_length=200)
    tokens_in: int | None = Field(None, ge=0, lt=2**53)
    tokens_out: int | None = Field(None, ge=0, lt=2**53)
    cost: float | None = Field(None, ge=0, lt=1e9)
    input: str = Words
    output: str = Words
    contexts: list[str] = Field([], max_length=500)
    attributes: dict[str, Any] = {}


class Posted(BaseModel):
    """One question and its answer. What is not known is left out: it is then unknown, never 0."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "query": "How long do refunds take?", "response": "Refunds take 3 business days.",
        "contexts": ["Refunds are processed in 3 business days."], "model": "gpt-4o-mini", "tokens_in": 120, "tokens_out": 9,
        "latency_ms": 640, "user": "u-81", "metadata": {"release": "4.2"},
    }]})  # fmt: skip

    trace_id: str | None = Field(
        None, max_length=128, pattern=r"^[A-Za-z0-9._:@=+-]+$", description="your own id: sent again, it is taken once"
    )
    project: str | None = Field(None, max_length=64, description="default: the key's only project, else `default`")
    name: str = Field("answer", min_length=1, max_length=200, description="which part of your product answered")
    query: str = Words
    response: str = Words
    contexts: list[str] = Field([], max_length=500, description="what the answer was to rest on, best first")
    reference: str | None = Field(None, max_length=1_000_000, description="what a right answer holds, where somebody knows")
    model: str = Field("", max_length=200)
    prompt: str = Field("", max_length=200, description="name or version of the prompt, to compare two of them")
    tokens_in: int | None = Field(None, ge=0, lt=2**53)
    tokens_out: int | None = Field(None, ge=0, lt=2**53)
    cost: float | None = Field(None, ge=0, lt=1e9, description="in the price table's currency; default: by that table")
    latency_ms: float | None = Field(None, ge=0, le=604_800_000)
    started_at: AwareDatetime | None = Field(None, description="default: now less the latency")
    error: str | None = Field(None, max_length=10_000, description="why it failed; left out when it did not")
    user: str | None = Field(None, min_length=1, max_length=400, description="whose question; only a hash is kept")
    session: str = Field("", max_length=200)
    metadata: dict[str, Any] = {}
    spans: list[Step] = Field([], max_length=500)


def arrivals(one: Posted, project: str, now: datetime) -> list[Arrival]:
    """The spans of a posted trace; the trace itself is the root, a call of the model unless `spans` holds one."""
    trace_id = one.trace_id or uuid.uuid4().hex
    started = one.started_at or now - timedelta(milliseconds=one.latency_ms or 0.0)
    calls = any(step.kind == "llm" for step in one.spans)
    own = one.model_dump(include={"name", "error", "prompt", "reference", "user", "session", "metadata", "latency_ms"})
    counts: dict[str, Any] = {} if calls else {"tokens_in": one.tokens_in, "tokens_out": one.tokens_out}
    root = Span(
        trace_id=trace_id, span_id=_root_id(one), kind="chain" if calls else "llm", started_at=started, model=one.model,
        cost=one.cost, input=one.query, output=one.response, contexts=tuple(one.contexts), **own, **counts,
    )  # fmt: skip
    steps = [_step(step, root) for step in one.spans]
    return [Arrival(project, span) for span in (root, *steps)]


def _root_id(one: Posted) -> str:
    taken = {step.span_id for step in one.spans}
    return next(name for name in ("root", *(f"root-{n}" for n in range(len(taken) + 1))) if name not in taken)


def _step(step: Step, root: Span) -> Span:
    given = step.model_dump(exclude={"contexts", "parent_id", "started_at"})
    return Span(
        trace_id=root.trace_id, parent_id=step.parent_id or root.span_id, started_at=step.started_at or root.started_at,
        contexts=tuple(step.contexts), **given,
    )  # fmt: skip
