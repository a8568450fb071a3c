"""Spark reports a batch; the process counts what the ledger says of it, once."""

from datetime import UTC, datetime
from typing import Any

from jobs.run import report
from observe.telemetry import catalogue, stream
from store.database import Database


class Query:
    """What jobs.run reads of pyspark's StreamingQuery."""

    def __init__(self, query_id: str) -> None:
        self.id, self.status = query_id, {"message": "Waiting for data"}
        self.recentProgress: list[dict[str, Any]] = []

    def ended(self, batch: int) -> None:
        self.recentProgress.append(
            {
                "id": self.id, "batchId": batch, "timestamp": f"2026-05-03T12:00:0{batch}.000Z", "numInputRows": 100,
                "durationMs": {"triggerExecution": 2500, "addBatch": 2000},
                "sources": [{"description": "DeltaSource[…]", "metrics": {"numFilesOutstanding": "3"}}],
            }
        )  # fmt: skip


def commit(database: Database, query_id: str, batch: int) -> None:
    database.run(
        "put_ingest_batch", query_id=query_id, batch_id=batch, offsets_hash="o", settings_hash="s", offsets={}, events=100,
        accepted=93, quarantined=7, newest_event=None, detail={}, started_at=datetime.now(UTC),
    )  # fmt: skip


def counts() -> list[float]:
    named = [
        ("conclave_events_total", {"stream": "ingest", "outcome": "accepted"}),
        ("conclave_events_total", {"stream": "ingest", "outcome": "quarantined"}),
        ("conclave_batch_seconds_count", {"stream": "ingest", "stage": "trigger"}),
        ("conclave_batch_seconds_count", {"stream": "ingest", "stage": "sink"}),
    ]
    return [catalogue.REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in named]


def test_a_reported_batch_is_counted_once(database: Database) -> None:
    query, seen, before = Query("0d8f1e5c"), dict[str, str](), counts()
    commit(database, query.id, 0)  # of the process before this one
    report(query, "ingest", database, seen, None)
    for batch in (1, 2):
        commit(database, query.id, batch)
        query.ended(batch)
        report(query, "ingest", database, seen, None)
    report(query, "ingest", database, {}, None)  # a follower that begins anew is shown the same reports
    assert [new - old for new, old in zip(counts(), before, strict=True)] == [186, 14, 2, 2]
    assert catalogue.REGISTRY.get_sample_value("conclave_lag_offsets", {"stream": "ingest"}) == 3
    del stream.COUNTED["ingest", query.id]
