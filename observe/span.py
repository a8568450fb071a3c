"""A span is one step of answering, a trace the whole of it: one question, one answer. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal["llm", "retriever", "tool", "chain", "agent", "embedding", "other"]
KINDS: tuple[Kind, ...] = ("llm", "retriever", "tool", "chain", "agent", "embedding", "other")


@dataclass(frozen=True)
class Span:
    """One step. What nobody said is None or empty, never 0. `input` of a root is the question, `output` the answer."""

    trace_id: str
    span_id: str
    name: str
    kind: Kind
    started_at: datetime
    latency_ms: float | None = None
    parent_id: str | None = None
    error: str | None = None  # None: it went well
    model: str = ""
    prompt: str = ""  # name or version of the prompt
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None  # as the client stated it
    cost_why: str = ""
    input: str = ""
    output: str = ""
    contexts: tuple[str, ...] = ()
    reference: str | None = None
    user: str | None = None
    session: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(milliseconds=self.latency_ms or 0.0)


@dataclass(frozen=True)
class Trace:
    """What the spans of one trace say together."""

    trace_id: str
    name: str
    started_at: datetime
    latency_ms: float | None
    error: str | None
    model: str
    prompt: str
    query: str
    response: str
    contexts: tuple[str, ...]
    reference: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    cost_why: str
    user: str | None
    session: str
    metadata: dict[str, Any]
    spans: int
    complete: bool


def fold(spans: Iterable[Span]) -> Trace:
    """The trace of these spans (at least one), whatever order they came in.

    Question and answer are the root's, else of the calls to a model; contexts are what retrievers found; tokens and cost are
    summed over the model calls that have no model call below them, and unknown when any of these is.
    """
    ordered = sorted(spans, key=lambda span: (span.started_at, span.span_id))
    top = root(ordered)
    calls = model_calls(ordered)
    leading = _leading(calls)
    cost, cost_why = _cost(top, calls)
    return Trace(
        trace_id=top.trace_id,
        name=top.name,
        started_at=min(span.started_at for span in ordered),
        latency_ms=_latency(top, ordered),
        error=top.error if top.parent_id is None else next((span.error for span in ordered if span.error is not None), None),
        model=leading.model if leading else top.model,
        prompt=_first(ordered, "prompt"),
        query=top.input or next((call.input for call in calls if call.input), ""),
        response=top.output or next((call.output for call in reversed(calls) if call.output), ""),
        contexts=_contexts(top, ordered),
        reference=next((span.reference for span in ordered if span.reference is not None), None),
        tokens_in=_sum([call.tokens_in for call in calls]),
        tokens_out=_sum([call.tokens_out for call in calls]),
        cost=cost,
        cost_why=cost_why,
        user=next((span.user for span in ordered if span.user), None),
        session=_first(ordered, "session"),
        metadata={name: value for span in reversed(ordered) for name, value in span.metadata.items()},
        spans=len(ordered),
        complete=top.parent_id is None,
    )


def root(spans: Sequence[Span]) -> Span:
    """The span without a parent; else one whose parent is not here; the earliest of several."""
    here = {span.span_id for span in spans}
    free = [span for span in spans if span.parent_id is None] or [span for span in spans if span.parent_id not in here]
    return (free or list(spans))[0]


def model_calls(spans: Sequence[Span]) -> list[Span]:
    """Calls of a model that are not merely wrapped round another call of a model."""
    calls = {span.span_id: span for span in spans if span.kind == "llm"}
    parents = {span.span_id: span.parent_id for span in spans}
    wrapping = {above for call in calls.values() for above in _ancestors(call.span_id, parents)}
    return [call for call in calls.values() if call.span_id not in wrapping]


def _ancestors(span_id: str, parents: dict[str, str | None]) -> set[str]:
    found: set[str] = set()
    above = parents.get(span_id)
    while above is not None and above not in found:  # a client may send a ring
        found.add(above)
        above = parents.get(above)
    return found - {span_id}


def _leading(calls: Sequence[Span]) -> Span | None:
    """The call that wrote most; the last of equals."""
    named = [call for call in calls if call.model]
    return max(named, key=lambda call: (call.tokens_out or 0, call.started_at, call.span_id), default=None)


def _latency(top: Span, spans: Sequence[Span]) -> float | None:
    if top.parent_id is None:
        return top.latency_ms
    known = [span for span in spans if span.latency_ms is not None]
    if not known:
        return None
    begin = min(span.started_at for span in spans)
    return (max(span.ended_at for span in known) - begin) / timedelta(milliseconds=1)


def _contexts(top: Span, spans: Sequence[Span]) -> tuple[str, ...]:
    given = top.contexts or tuple(text for span in spans if span.kind == "retriever" for text in span.contexts)
    return tuple(dict.fromkeys(given or (text for span in spans for text in span.contexts)))


def _cost(top: Span, calls: Sequence[Span]) -> tuple[float | None, str]:
    if top.cost is not None and top.kind != "llm":
        return top.cost, ""
    if not calls:
        return (top.cost, "") if top.cost is not None else (None, top.cost_why or "no call of a model is known")
    unknown = [call for call in calls if call.cost is None]
    if unknown:
        return None, unknown[0].cost_why or "the price is unknown"
    return sum(call.cost for call in calls if call.cost is not None), ""


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if values and len(known) == len(values) else None


def _first(spans: Sequence[Span], name: str) -> str:
    return next((str(getattr(span, name)) for span in spans if getattr(span, name)), "")
