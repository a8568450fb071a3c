"""Our own answers as traces beside everyone else's: the council's hearings, `ask`, and whatever else answers from sources.

Written after the answer, outside of its transaction: watching must neither fail nor hold up what is watched. After a kill a
trace may be missing; tool_audit, written with the ruling, still has the calls.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from observe import direct
from observe.intake import Sender
from observe.span import Span
from observe.telemetry import hearings
from rag.audit import Call
from rag.council import Ruling
from rag.errors import NoAnswer
from rag.hearing import Heard
from rag.items import from_json, sheet
from rag.models import Reply
from store.database import Queries
from store.settings import Settings

FAILED = ("timeout", "refused", "error")
WITHOUT = ("extractive", "rules", "templates", "nothing", "")  # who answered where no model did


class Overheard:
    """A model whose calls are noted; it answers as the model does."""

    def __init__(self, model: Any) -> None:
        self.model, self.calls = model, list[Call]()
        self.name = str(model.name)

    def ask(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None = None) -> Reply:
        started = time.perf_counter()
        try:
            reply: Reply = self.model.ask(messages, schema=schema)
        except NoAnswer as error:
            took_ms = (time.perf_counter() - started) * 1000
            self.calls.append(Call("model", self.name, error.outcome, took_ms, detail=str(error), response=error.said))
            raise
        made = Call("model", self.name, "ok", reply.latency_ms, response=reply.text)
        self.calls.append(replace(made, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out))
        return reply


@dataclass(frozen=True)
class Answered:
    """A question and what was answered. `began`: wall clock. `model`: `extractive` or `rules` where none spoke."""

    source: str  # ask | infer | chat
    question: str
    answer: str
    contexts: tuple[str, ...]
    model: str
    began: datetime
    latency_ms: float
    calls: tuple[Call, ...] = ()
    error: str | None = None
    session: str = ""
    user: str | None = None


def answered(queries: Queries, settings: Settings, tenant: str, one: Answered) -> bool:
    """Keep the trace of an answer; False when it could not be kept, or no project of our own is wanted."""
    hearings.answered(one.source, one.model not in WITHOUT, one.calls, one.latency_ms)
    trace_id = hashlib.sha256(f"{one.source}\0{one.question}\0{one.began.isoformat()}".encode("utf-8", "replace")).hexdigest()[
        :32
    ]
    root = Span(
        trace_id=trace_id, span_id="root", name=one.source, kind="chain" if one.calls else "llm", started_at=one.began,
        latency_ms=one.latency_ms, error=one.error, model=one.model, input=one.question, output=one.answer, contexts=one.contexts,
        session=one.session, user=one.user,
    )  # fmt: skip
    return _put(queries, settings, tenant, one.source, [root, *steps(root, one.calls)])


def council(
    queries: Queries, settings: Settings, tenant: str, heard: Sequence[Heard], calls: Sequence[Call], ended: datetime,
    latency_ms: float,
) -> bool:  # fmt: skip
    """Keep the traces of a batch that went before a model: one for each group of cases it was asked about together."""
    rulings = {one.ruling.case_id: one.ruling for one in heard}
    began = ended - timedelta(milliseconds=latency_ms)
    spans: list[Span] = []
    for group in grouped(calls):
        cases = sorted({case_id for call in group for case_id in call.case_ids})
        root = _hearing(group, [rulings[case_id] for case_id in cases if case_id in rulings], cases, began)
        spans += [root, *steps(root, group)]
    return _put(queries, settings, tenant, "council", spans)


def grouped(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls of a model that speak about the same cases: a first question and its repairs, of all three members."""
    groups: list[tuple[set[str], list[Call]]] = []
    for call in calls:
        if call.kind == "model" and call.outcome != "skipped":
            home = next((group for group in groups if group[0] & set(call.case_ids)), None)
            if home is None:
                home = (set(), [])
                groups.append(home)
            home[0].update(call.case_ids)
            home[1].append(call)
    return [group for _, group in groups]


def _hearing(group: Sequence[Call], rulings: Sequence[Ruling], cases: Sequence[str], began: datetime) -> Span:
    """The whole of one hearing; rules rule when the model failed, and then it counts as an error of the model."""
    name = "\0".join([*cases, *(call.prompt_hash for call in group), began.isoformat()])
    failed = next((call for call in group if call.outcome in FAILED), None)
    entities = ", ".join(str(ruling.brief["entity"]) for ruling in rulings)
    return Span(
        trace_id=hashlib.sha256(name.encode()).hexdigest()[:32], span_id="root", name="council.hearing", kind="chain",
        started_at=began, latency_ms=sum(call.latency_ms for call in group),
        error=None if failed is None else failed.detail or failed.outcome,
        prompt=(rulings[0].prompt_hash or "")[:12] if rulings else "", input=f"What is behind {entities or 'these cases'}?",
        output="\n".join(ruling.root_cause for ruling in rulings),
        contexts=tuple(sheet(from_json(ruling.brief)) for ruling in rulings),
        metadata={"cases": list(cases), "outcomes": [ruling.outcome for ruling in rulings]},
    )  # fmt: skip


def steps(root: Span, calls: Sequence[Call]) -> list[Span]:
    """The calls one after another below the root; a call's begin is what the ones before it took."""
    found, at = [], root.started_at
    for number, call in enumerate(calls, 1):
        found.append(Span(
            trace_id=root.trace_id, span_id=f"call-{number}", parent_id=root.span_id, name=call.role or "model", kind="llm",
            started_at=at, latency_ms=call.latency_ms, error=call.detail or call.outcome if call.outcome in FAILED else None,
            model=call.name, prompt=call.prompt_hash[:12], tokens_in=call.tokens_in, tokens_out=call.tokens_out,
            output=call.response or "", attributes={"outcome": call.outcome},
        ))  # fmt: skip
        at += timedelta(milliseconds=call.latency_ms)
    return found


def _put(queries: Queries, settings: Settings, tenant: str, source: str, spans: Sequence[Span]) -> bool:
    sender = Sender(tenant, f"system:{source}", source)
    return direct.put(queries, settings, sender, settings.observe.own_project, spans, datetime.now(UTC))
