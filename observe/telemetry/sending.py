"""The OpenTelemetry SDK, imported only where spans are sent."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, Tracer

from observe.telemetry import catalogue
from observe.telemetry.spans import Plain, read
from store.sections.telemetry import Telemetry

EVERY_MS = 1000
QUEUE = 8192  # spans that wait to be sent; further ones are dropped
log = structlog.get_logger("telemetry")


class Counted(SpanExporter):
    """An exporter whose outcome is counted; the first loss of a row is said."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner, self._lost = inner, False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._inner.export(spans)
        except Exception as error:  # whatever it is, the process watched is none the worse for it
            log.debug("spans were not sent", error=repr(error))
            result = SpanExportResult.FAILURE
        well = result is SpanExportResult.SUCCESS
        catalogue.SPANS.labels("sent" if well else "dropped").inc(len(spans))
        if not well and not self._lost:
            log.warning("the OTLP receiver does not take spans; they are dropped until it does", spans=len(spans))
        self._lost = not well
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def provider(chosen: Telemetry, address: str, process: str, version: str) -> TracerProvider:
    """A provider that sends to `address` in the background."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it says each failure; we say the first
    headers = {name: value.get_secret_value() for name, value in chosen.otlp_headers.items()} or None
    exporter = Counted(OTLPSpanExporter(address, headers=headers, timeout=chosen.otlp_timeout_s))
    resource = Resource.create(
        {"service.namespace": "conclave", "service.name": f"conclave-{process}", "service.version": version}
    )
    made = TracerProvider(ParentBased(TraceIdRatioBased(chosen.trace_share)), resource, shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE, schedule_delay_millis=EVERY_MS))
    return made


class Recorded:
    """A span that is sent."""

    def __init__(self, inner: trace.Span) -> None:
        self._inner = inner

    @property
    def traceparent(self) -> str:
        return written(self._inner.get_span_context())

    def note(self, **attributes: Plain) -> None:
        for name, value in attributes.items():
            self._inner.set_attribute(f"conclave.{name}", value)

    def link(self, traceparents: Iterable[str | None]) -> None:
        for one in linked(traceparents):
            self._inner.add_link(one.context)


@contextmanager
def opened(
    tracer: Tracer, name: str, parent: str | None, links: Iterable[str | None], began: datetime | None,
    attributes: Mapping[str, Plain],
) -> Iterator[Recorded]:  # fmt: skip
    inner = tracer.start_span(name, below(parent), links=linked(links), start_time=None if began is None else nanos(began))
    one = Recorded(inner)
    one.note(**attributes)
    try:
        yield one
    except BaseException as error:
        inner.set_status(Status(StatusCode.ERROR, type(error).__name__))
        inner.set_attribute("error.type", type(error).__name__)  # no message: it may hold personal data
        raise
    finally:
        inner.end()


def past(
    tracer: Tracer, name: str, began: datetime, ended: datetime, parent: str | None, error: str | None,
    links: Iterable[str | None], attributes: Mapping[str, Plain],
) -> str:  # fmt: skip
    inner = tracer.start_span(name, below(parent), links=linked(links), start_time=nanos(began))
    Recorded(inner).note(**attributes)
    if error is not None:
        inner.set_status(Status(StatusCode.ERROR, error))
    inner.end(max(nanos(ended), nanos(began)))
    return written(inner.get_span_context())


def below(parent: str | None) -> Context:
    """The context of a parent, or of none: whatever this thread is in otherwise does not count."""
    found = context_of(parent)
    return Context() if found is None else trace.set_span_in_context(NonRecordingSpan(found), Context())


def linked(traceparents: Iterable[str | None]) -> list[Link]:
    return [Link(found) for one in traceparents if (found := context_of(one)) is not None]


def context_of(traceparent: str | None) -> SpanContext | None:
    found = read(traceparent)
    return None if found is None else SpanContext(found[0], found[1], is_remote=True, trace_flags=TraceFlags(found[2]))


def written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def nanos(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
