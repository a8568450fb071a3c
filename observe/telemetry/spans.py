"""Spans of our own processes, for OpenTelemetry. Without a receiver nothing is imported, and a span costs a function call.

A place in a trace travels as a W3C traceparent: inside a span, every transaction of store.database tells it to the server, and
the rows of `batches` and `docket` keep it (migration 0015). Sending is in the background: a receiver that is away costs spans,
never time; what was dropped is counted in conclave_spans_total.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Any, Protocol

import structlog

from store.carried import TRACEPARENT
from store.sections.telemetry import Telemetry

SHAPE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
Plain = str | int | float | bool
log = structlog.get_logger("telemetry")


class Span(Protocol):
    """What a span lets its maker do."""

    @property
    def traceparent(self) -> str | None: ...
    def note(self, **attributes: Plain) -> None: ...
    def link(self, traceparents: Iterable[str | None]) -> None: ...


class Nothing:
    """A span while no one wants any."""

    traceparent: str | None = None

    def note(self, **attributes: Plain) -> None: ...
    def link(self, traceparents: Iterable[str | None]) -> None: ...


NOTHING = Nothing()
_STATE: dict[str, Any] = {}  # provider and tracer, while spans are sent


def active() -> bool:
    return "tracer" in _STATE


def begin(chosen: Telemetry, process: str) -> None:
    """Send spans from now on, when a receiver is named by the settings or by OpenTelemetry's own variables."""
    address = endpoint(chosen, os.environ)
    if address is None or active():
        return
    try:
        from observe.telemetry import sending
    except ImportError as error:
        log.warning("no spans: install opentelemetry-exporter-otlp-proto-http", error=str(error))
        return
    _STATE["provider"] = provider = sending.provider(chosen, address, process, version("conclave"))
    _STATE["tracer"] = provider.get_tracer("conclave")


def endpoint(chosen: Telemetry, environment: Any) -> str | None:
    """Where spans go: /v1/traces below the base address.

    >>> endpoint(Telemetry(), {}), endpoint(Telemetry(otlp_endpoint="http://here:4318/"), {})
    (None, 'http://here:4318/v1/traces')
    """
    whole, base = (environment.get(name) for name in STANDARD)
    if chosen.otlp_endpoint is None and whole:
        return str(whole)
    named = chosen.otlp_endpoint or base
    return f"{named.rstrip('/')}/v1/traces" if named else None


def end() -> None:
    """Send what is left, for a few seconds at most."""
    _STATE.pop("tracer", None)
    if (provider := _STATE.pop("provider", None)) is not None:
        provider.shutdown()


@contextmanager
def span(
    name: str, parent: str | None = None, links: Iterable[str | None] = (), began: datetime | None = None, **attributes: Plain
) -> Iterator[Span]:
    """A span round the block; `parent` is a traceparent, without one it belongs to the span that it is in, else it is a root."""
    if (tracer := _STATE.get("tracer")) is None:
        yield NOTHING
        return
    from observe.telemetry import sending

    with sending.opened(tracer, name, parent or TRACEPARENT.get(), links, began, attributes) as one:
        before = TRACEPARENT.set(one.traceparent)
        try:
            yield one
        finally:
            TRACEPARENT.reset(before)


def past(
    name: str, began: datetime, ended: datetime, parent: str | None = None, error: str | None = None,
    links: Iterable[str | None] = (), **attributes: Any,
) -> str | None:  # fmt: skip
    """A span of what is over; its traceparent."""
    if (tracer := _STATE.get("tracer")) is None:
        return None
    from observe.telemetry import sending

    return sending.past(tracer, name, began, ended, parent or TRACEPARENT.get(), error, links, attributes)


def read(traceparent: str | None) -> tuple[int, int, int] | None:
    """Trace, span and flags of a traceparent; None for anything else.

    >>> read("00-000000000000000000000000000000ff-000000000000000a-01"), read("nonsense"), read(None)
    ((255, 10, 1), None, None)
    """
    found = SHAPE.fullmatch(traceparent or "")
    if found is None or int(found[1], 16) == 0 or int(found[2], 16) == 0:
        return None
    return int(found[1], 16), int(found[2], 16), int(found[3], 16)
