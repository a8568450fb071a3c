"""Spans straight into the database, for our own calls: of the SDK in the background, or of a transaction that is open."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from observe import intake
from observe.conventions import fields
from observe.export import attributes_of
from observe.intake import Arrival, Sender
from observe.queue import Record
from observe.span import Span
from store.database import Queries
from store.errors import ConclaveError
from store.settings import Settings

log = structlog.get_logger(__name__)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DatabaseExporter:
    """An exporter of observe.sdk. `queries`: a Database, or one tenant's view."""

    def __init__(
        self, queries: Queries, settings: Settings, *, tenant: str, project: str, source: str = "sdk",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._queries, self._settings, self._project, self._clock = queries, settings, project, clock
        self._sender = Sender(tenant, f"system:{source}", source)

    def export(self, batch: list[Record], dropped: int) -> None:
        """Raises what observe.intake.accept does."""
        arrivals = [Arrival(self._project, span_of(record)) for record in batch]
        intake.accept(self._queries, self._sender, arrivals, self._settings, self._clock())
        if dropped:
            log.warning("spans were lost before they could be written", dropped=dropped)


def span_of(record: Record) -> Span:
    """A span as the SDK recorded it; read as if it had come over OTLP."""
    return Span(
        trace_id=record["trace_id"], span_id=record["span_id"], parent_id=record["parent_id"], name=record["name"],
        started_at=EPOCH + timedelta(microseconds=record["started_ns"] // 1000), latency_ms=record["latency_ms"],
        error=record.get("error"), **fields(attributes_of(record)),
    )  # fmt: skip


def put(queries: Queries, settings: Settings, sender: Sender, project: str, spans: Sequence[Span], now: datetime) -> bool:
    """Write spans of our own now; False, and a line in the log, when that failed: watching must not break what is watched."""
    if not project or not spans:
        return False
    try:
        taken = intake.accept(queries, sender, [Arrival(project, span) for span in spans], settings, now)
    except ConclaveError as error:
        log.warning("a trace of our own was not kept", error=str(error), source=sender.source)
        return False
    if taken.refused:
        log.warning("a span of our own was refused", why=taken.refused[0].why, source=sender.source)
    return not taken.refused
