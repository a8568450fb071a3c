"""The ingest job: records from files or Kafka, checked, into Delta `bronze` or `quarantine`, each exactly once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from jobs import bronze, checkpoint, pinned, refusals
from jobs.check import checker, file_name
from jobs.events import Rules
from jobs.policy import digest
from jobs.sealing import Sealer, with_names
from jobs.sink import say_waiting
from jobs.spans import spanned
from store.bulk import copy_rows
from store.database import Database, fetch, run, wait_for
from store.settings import Settings
from trust.vault import KINDS

PARTITION_BITS, INDEX_BITS = 10, 25  # of a row number; the batch has the 28 above them


def source(spark: SparkSession, settings: Settings) -> DataFrame:
    """The stream of files (path, content) or of Kafka records as (raw, source, position, fault)."""
    at = settings.source
    if at.kind == "kafka":
        reader = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", at.kafka_servers)
            .option("subscribe", at.kafka_topics)
        )
        for name, value in at.kafka_options.items():
            reader = reader.option(f"kafka.{name}", value)
        reader = reader.option("startingOffsets", at.starting_offsets).option("maxOffsetsPerTrigger", at.max_offsets_per_trigger)
        return reader.load().selectExpr(
            "value as raw", "concat(topic, '/', partition) as source", "offset as position", "cast(null as string) as fault"
        )
    settings.landing.mkdir(parents=True, exist_ok=True)
    files = spark.readStream.format("binaryFile").schema(FILES).option("maxFilesPerTrigger", at.max_files_per_trigger)
    files = files.option("maxFileAge", "36500d")  # Spark's default passes over files a week older than the newest
    return files.load(str(settings.landing.absolute())).select("path", "content")


EMPTY = "the file is empty"
FILES = "path string, modificationTime timestamp, length long, content binary"


def start(spark: SparkSession, settings: Settings, database: Database, *, once: bool) -> StreamingQuery:
    """Start the stream; with `once` it ends when everything that is there now was taken."""
    bronze.prepare(spark, settings, database)
    place = settings.checkpoint("ingest")
    checkpoint.pin(spark, place, pinned.of_ingest(settings))
    stream = source(spark, settings).writeStream.queryName("ingest").option("checkpointLocation", place)
    trigger: dict[str, Any] = {"availableNow": True} if once else {"processingTime": f"{settings.ingest.trigger_s} seconds"}
    write = spanned("ingest", database, lambda: checkpoint.query_id(spark, place), sink(spark, settings, database))
    return stream.trigger(**trigger).foreachBatch(write).start()


def sink(spark: SparkSession, settings: Settings, database: Database) -> Callable[[DataFrame, int], None]:
    place, columns = settings.checkpoint("ingest"), dict(settings.source.csv_columns)
    settings_hash = digest(settings.ingest.model_dump(mode="json"))
    sealer = Sealer.of(settings, database)

    def write(batch: DataFrame, batch_id: int) -> None:
        started = datetime.now(UTC)
        query_id = checkpoint.query_id(spark, place)
        from_files = settings.source.kind == "files"
        empty = checkpoint.empty_files(spark, place, batch_id) if from_files else []
        rows = checked(batch, settings, started, batch_id, columns if from_files else None, empty).persist()
        try:
            kept = rows if sealer is None else sealer.sealed(rows)
            accepted, refused = kept.where("reason is null"), kept.where("reason is not null")
            append(accepted.select(*bronze.BRONZE.names), settings.bronze, query_id, batch_id)
            totals = rows.selectExpr("count(*)", "count(reason)", "max(event_time)").first()
            events, bad, newest = totals if totals is not None else (0, 0, None)
            notes: list[dict[str, Any]] = []
            if bad:
                append(refused.select(*bronze.QUARANTINE.names), settings.quarantine, query_id, batch_id)
                notes = noted(rows.where("reason is not null"), sealer)
        finally:
            rows.unpersist()
        place_offsets = checkpoint.offsets(spark, place, batch_id)
        entry = {
            "query_id": query_id, "batch_id": batch_id, "offsets_hash": checkpoint.hashed(place_offsets),
            "settings_hash": settings_hash, "offsets": {"ends": place_offsets}, "events": events, "accepted": events - bad,
            "quarantined": bad, "newest_event": newest, "detail": {}, "started_at": started,
        }  # fmt: skip
        wait_for(lambda: note(database, entry, notes), settings.detect.database_wait_s, say_waiting)

    return write


def noted(refused: DataFrame, sealer: Sealer | None) -> list[dict[str, Any]]:
    """Refused rows to be listed in the database."""
    names = bronze.QUARANTINE.names if sealer is None else [*bronze.QUARANTINE.names, *KINDS]
    notes: list[dict[str, Any]] = (refused if sealer is None else with_names(refused)).select(*names).toArrow().to_pylist()
    return notes if sealer is None else sealer.excerpts(notes)


def checked(
    batch: DataFrame, settings: Settings, now: datetime, batch_id: int, columns: dict[str, str] | None, empty: list[str]
) -> DataFrame:
    """Every record as an event or a reason, and every empty file as a reason, numbered and stamped."""
    rules = Rules(now, settings.ingest.max_future_s, settings.ingest.max_record_bytes, settings.tenant)
    private = settings.privacy.identifiers == "tokenised"
    rows = batch.mapInArrow(checker(rules, columns, private=private), bronze.CHECKED)
    if empty:
        faults = [
            {"raw": b"", "source": file_name(path), "position": 0, "reason": EMPTY, "field": "", "tenant": settings.tenant}
            for path in empty
        ]
        rows = rows.unionByName(batch.sparkSession.createDataFrame(faults, bronze.CHECKED))
    index = F.monotonically_increasing_id()
    number = (
        F.lit(batch_id << (PARTITION_BITS + INDEX_BITS))
        + F.shiftleft(F.shiftright(index, 33), INDEX_BITS)
        + index.bitwiseAND(F.lit((1 << 33) - 1))
    )
    return rows.withColumns({"row_id": number, "ingest_time": F.lit(now), "ingest_batch": F.lit(batch_id).cast("long")})


def append(rows: DataFrame, path: str, query_id: str, batch_id: int) -> None:
    """Delta's transaction key makes a retried batch a no-op."""
    rows.write.format("delta").mode("append").option("txnAppId", query_id).option("txnVersion", batch_id).save(path)


def note(database: Database, entry: dict[str, Any], notes: list[dict[str, Any]]) -> None:
    """Ledger and quarantine notes in one transaction; writing them twice is harmless."""
    with database.connection() as connection:
        if fetch(connection, "find_batch", job="ingest", query_id=entry["query_id"], batch_id=entry["batch_id"]):
            return
        if notes:
            refusals.prepare(connection)
            copy_rows(connection, "incoming_quarantined", refusals.COLUMNS, [refusals.row(one) for one in notes])
            run(connection, "merge_quarantined")
        run(connection, "put_ingest_batch", **entry)


if __name__ == "__main__":
    from jobs.run import submitted

    submitted("ingest")
