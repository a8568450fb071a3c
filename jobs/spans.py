"""A batch of a streaming job as a span, when spans are sent: from the ingest batches whose rows it folds, to the docket."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from observe.telemetry import spans
from observe.telemetry.stream import stages
from store.database import Database
from store.errors import DatabaseError

INGEST_BITS = 35  # a row's number has its ingest batch above these
Hook = Callable[[Any, int], None]


def spanned(job: str, database: Database, query_id: Callable[[], str], write: Hook) -> Hook:
    """`write` inside a span of its batch; `write` itself while nobody wants spans."""
    return in_span(job, database, query_id, write) if spans.active() else write


def in_span(job: str, database: Database, query_id: Callable[[], str], write: Hook) -> Hook:
    """The hook of each batch. A detect batch is a child of the oldest ingest batch that it folds, and linked to the others."""

    def hook(frame: Any, batch_id: int) -> None:
        query = query_id()
        after = folded_before(database, query, batch_id) if job == "detect" else -1
        waiting = ingests(database, after) if job == "detect" else {}
        with spans.span(f"{job}.batch", parent=next(iter(waiting.values()), None), job=job, batch=batch_id) as span:
            write(frame, batch_id)
            finish(span, job, database, query, batch_id, waiting, datetime.now(UTC))

    return hook


def folded_before(database: Database, query_id: str, batch_id: int) -> int:
    """The newest ingest batch that was folded before this batch."""
    try:
        row = database.fetch("traced_rows", query_id=query_id, batch_id=batch_id)[0]["newest_row"]
    except DatabaseError:
        return -1
    return int(row) >> INGEST_BITS if row >= 0 else -1


def ingests(database: Database, after: int, upto: int = 1 << 62) -> dict[int, str]:
    """Ingest batch → its span, the oldest first."""
    try:
        rows = database.fetch("traced_ingests", after=after, upto=upto)
    except DatabaseError:
        return {}
    return {row["batch_id"]: row["traceparent"] for row in rows}


def finish(
    span: spans.Span, job: str, database: Database, query_id: str, batch_id: int, waiting: dict[int, str], ended: datetime
) -> None:  # fmt: skip
    """What the ledger says of the batch goes into its span; a batch without an entry had nothing to say."""
    try:
        rows = database.fetch("traced_batch", job=job, query_id=query_id, batch_id=batch_id)
        cases = database.fetch("traced_cases", traceparent=span.traceparent) if job == "detect" else []
    except DatabaseError:
        return
    if not rows:
        return
    row = rows[0]
    span.note(**{name: row[name] for name in NOTED[job]})
    if job == "detect":
        newest = int(row["detail"].get("newest_row", -1)) >> INGEST_BITS
        span.link(traceparent for number, traceparent in list(waiting.items())[1:] if number <= newest)
    at = told(span, job, row, ended)
    if cases:
        spans.past("docket.put", at, ended, span.traceparent,
                   **{f"cases_{one['lane']}": one["cases"] for one in cases})  # fmt: skip


NOTED = {
    "ingest": ("events", "accepted", "quarantined"),
    "detect": ("events", "late", "duplicates", "anomalies", "episodes"),
}


def told(span: spans.Span, job: str, row: dict[str, Any], committed: datetime) -> datetime:
    """The batch's stages as spans one after the other, and its transaction as `sink`; when that began."""
    at: datetime = row["started_at"]
    sinking: datetime = min(row["committed_at"], committed)  # a row's committed_at is when its transaction began
    for stage, seconds in stages(row["detail"]).items():
        ended = min(at + timedelta(seconds=seconds), sinking)
        spans.past(f"{job}.{stage}", at, ended, span.traceparent)
        at = ended
    spans.past(f"{job}.sink", sinking, committed, span.traceparent)
    return sinking
