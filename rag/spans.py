"""A hearing as spans, when spans are sent: below the batch that put its cases on the docket, down to each ruling."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from observe.telemetry import spans
from observe.telemetry.spans import Span
from rag.audit import Call
from rag.council import Ruling
from rag.docket import Taken
from rag.hearing import Hearings
from store.database import Connection, Database, run
from store.errors import DatabaseError

FAILED = ("timeout", "refused", "error")


class Told:
    """The span of a hearing; the rulings get spans of their own and keep them, for what follows from them."""

    def __init__(self, span: Span, batches: dict[str, str], began: datetime, now: datetime) -> None:
        self._span, self._batches, self._began, self._now = span, batches, began, now

    def rulings(self, connection: Connection, rulings: Sequence[Ruling]) -> None:
        """In the rulings' transaction. A case of another batch than the hearing's first is told in its own batch's trace."""
        if self._span.traceparent is None or not rulings:
            return
        made = {ruling.case_id: self._ruled(ruling) for ruling in rulings}
        run(connection, "trace_rulings", case_ids=list(made), traceparents=list(made.values()))

    def _ruled(self, ruling: Ruling) -> str | None:
        hearing, batch = self._span.traceparent, self._batches.get(ruling.case_id)
        apart = batch is not None and trace_of(batch) != trace_of(hearing)
        return spans.past(
            "case.ruling", self._began, self._now, batch if apart else hearing, links=[hearing] if apart else [],
            outcome=ruling.outcome, action=ruling.action, council=ruling.council, confidence=ruling.confidence,
        )  # fmt: skip


def trace_of(traceparent: str | None) -> int | None:
    found = spans.read(traceparent)
    return None if found is None else found[0]


@contextmanager
def hearing(
    database: Database, taken: Sequence[Taken], hearings: Hearings, now: datetime, latency_ms: float
) -> Iterator[Told]:  # fmt: skip
    """Round the writing of a hearing that took `latency_ms` until `now`; below its first case's batch, linked to the others'."""
    began = now - timedelta(milliseconds=latency_ms)
    batches = origins(database, [case.case_id for case in taken]) if spans.active() else {}
    places = list(dict.fromkeys(batches.values()))
    attributes = {"cases": len(taken), "lane": taken[0].lane if taken else "", "missing": len(hearings.missing)}
    with spans.span("council.hearing", next(iter(places), None), places[1:], began, **attributes) as span:
        if span.traceparent is not None:
            asked(span, hearings.calls, began)
        yield Told(span, batches, began, now)


def origins(database: Database, case_ids: Sequence[str]) -> dict[str, str]:
    """Case → the span of the batch that put it on the docket, in the order given."""
    try:
        rows = database.fetch("traced_docket", case_ids=list(case_ids))
    except DatabaseError:
        return {}
    found = {row["case_id"]: str(row["traceparent"]) for row in rows}
    return {case_id: found[case_id] for case_id in case_ids if case_id in found}


def asked(span: Span, calls: Sequence[Call], began: datetime) -> None:
    """The calls of the model, one after the other; what they said stays out of it."""
    at = began
    for call in calls:
        if call.kind != "model" or call.outcome == "skipped":
            continue
        ended = at + timedelta(milliseconds=call.latency_ms)
        counts = {"tokens_in": call.tokens_in, "tokens_out": call.tokens_out}
        known = {name: count for name, count in counts.items() if count is not None}
        spans.past(
            "model.call", at, ended, span.traceparent, call.outcome if call.outcome in FAILED else None,
            (), model=call.name, role=call.role, outcome=call.outcome, **known,
        )  # fmt: skip
        at = ended
