"""Spans and numbers of the real jobs: the ledger and the docket keep the place in the trace, each batch is counted once."""

from pathlib import Path

from pyspark.sql import SparkSession

from jobs import detect, ingest, run
from observe.telemetry import catalogue, process, spans
from store.database import Database

from .conftest import land, rows_of, settings_of, steady, transaction

SPREE = [transaction(900 + i, "A1", 900.0 + i, 60 * 40 + i) for i in range(6)]
NOWHERE = {"metrics_port": 0, "otlp_endpoint": "http://127.0.0.1:9", "otlp_timeout_s": 0.2}  # spans are made, and lost


def counted(stream: str, outcome: str) -> float:
    return catalogue.REGISTRY.get_sample_value("conclave_events_total", {"stream": stream, "outcome": outcome}) or 0.0


def test_a_batch_is_followed_to_the_docket(
    spark: SparkSession, tmp_path: Path, database: Database, database_url: str
) -> None:  # fmt: skip
    settings = settings_of(tmp_path, database_url, telemetry=NOWHERE, source={"max_files_per_trigger": 1})
    land(settings, steady("A1", 40), "a.jsonl")
    land(settings, [*SPREE, {"no": "event"}], "b.jsonl")
    before = [counted("ingest", "accepted"), counted("ingest", "quarantined"), counted("detect", "folded")]
    process.end()
    with process.watched(settings, "streams"):
        for job in (ingest, detect):
            name = job.__name__.rpartition(".")[2]
            run.follow(job.start(spark, settings, database, once=True), name, database, None, None)
    after = [counted("ingest", "accepted"), counted("ingest", "quarantined"), counted("detect", "folded")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [46, 1, 46]

    batches = rows_of(database, "select job, traceparent from batches where events > 0 order by job desc, batch_id")
    assert [row["job"] for row in batches] == ["ingest", "ingest", "detect"]
    places = [spans.read(row["traceparent"]) for row in batches]
    assert None not in places
    first, second, folded = (place[0] for place in places if place is not None)
    assert first == folded != second
    docket = rows_of(database, "select distinct traceparent from docket")
    assert [row["traceparent"] for row in docket] == [batches[2]["traceparent"]]
