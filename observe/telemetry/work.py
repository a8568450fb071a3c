"""What works beside the stream counts: deliveries, commands, scheduled runs, scored traces, the parts of `conclave operate`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from observe.telemetry import catalogue, spans
from store.database import Queries
from store.errors import DatabaseError


def delivered(channel: str, outcome: str, latency_ms: float) -> None:
    """An attempt to deliver; `channel` is a kind (slack, webhook …), `outcome` sent, waiting, dead or skipped."""
    catalogue.DELIVERIES.labels(channel, "again" if outcome == "waiting" else outcome).inc()
    catalogue.DELIVERY_SECONDS.labels(channel).observe(latency_ms / 1000)


def commanded(action: str, outcome: str) -> None:
    catalogue.COMMANDS.labels(action, outcome).inc()


def scored(kept: int, dropped: int, failed: int) -> None:
    for outcome, count in (("kept", kept), ("dropped", dropped), ("failed", failed)):
        catalogue.SCORED.labels(outcome).inc(count)


@contextmanager
def ran(job: str) -> Iterator[list[str]]:
    """Round a scheduled run; the block appends the state in which it ended."""
    states, began = list[str](), perf_counter()
    yield states
    catalogue.RUNS.labels(job, states[-1] if states else "failed").inc()
    catalogue.RUN_SECONDS.labels(job).observe(perf_counter() - began)


def stepped(part: str, done: int, took_s: float) -> None:
    """A step of a part of `conclave operate`; one that found nothing to do is no step."""
    if done:
        catalogue.WORK.labels(part).inc(done)
        catalogue.STEP_SECONDS.labels(part).observe(took_s)


@contextmanager
def drawn(page: str) -> Iterator[None]:
    """Round the drawing of a page of the dashboard, however it ends."""
    began = perf_counter()
    try:
        yield
    finally:
        catalogue.PAGES.labels(page).observe(perf_counter() - began)


@contextmanager
def delivery(queries: Queries, row: Mapping[str, Any]) -> Iterator[None]:
    """Round an attempt to deliver: a span below the first of the rulings that the messages tell of, linked to the others."""
    found = _places(queries, "traced_delivery", tenant=row["tenant"], bundle_id=row["bundle_id"])
    with spans.span("delivery", next(iter(found), None), found[1:], channel=row["kind"], attempt=row["attempts"]):
        yield


@contextmanager
def execution(queries: Queries, command: Mapping[str, Any], attempt: int) -> Iterator[None]:
    """Round an attempt to carry out a command: a span below its ruling."""
    found = _places(queries, "traced_ruling", ruling_id=command["ruling_id"])
    with spans.span("command", next(iter(found), None), action=command["action"], attempt=attempt):
        yield


def _places(queries: Queries, query: str, **params: Any) -> list[str]:
    if not spans.active():
        return []
    try:
        return [row["traceparent"] for row in queries.fetch(query, **params) if row["traceparent"] is not None]
    except DatabaseError:
        return []
