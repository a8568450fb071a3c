"""The ingest job: records from files or Kafka, checked, into Delta `bronze` or `quarantine`, each exactly once."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from jobs import bronze, checkpoint, pinned
from jobs.hook import brief
from jobs.intake import Intake
from jobs.spans import spanned
from store.database import Database
from store.settings import Settings


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
    if not settings.storage.landing:
        settings.landing.mkdir(parents=True, exist_ok=True)
    files = spark.readStream.format("binaryFile").schema(FILES).option("maxFilesPerTrigger", at.max_files_per_trigger)
    files = files.option("maxFileAge", "36500d")  # Spark's default passes over files a week older than the newest
    return files.load(settings.watched).select("path", "content")


FILES = "path string, modificationTime timestamp, length long, content binary"


def start(spark: SparkSession, settings: Settings, database: Database, *, once: bool) -> StreamingQuery:
    """Start the stream; with `once` it ends when everything that is there now was taken."""
    bronze.prepare(spark, settings, database)
    place = settings.checkpoint("ingest")
    checkpoint.pin(spark, place, pinned.of_ingest(settings))
    stream = source(spark, settings).writeStream.queryName("ingest").option("checkpointLocation", place)
    trigger: dict[str, Any] = {"availableNow": True} if once else {"processingTime": f"{settings.ingest.trigger_s} seconds"}
    write = brief(spanned("ingest", database, lambda: checkpoint.query_id(spark, place), Intake(spark, settings, database)))
    return stream.trigger(**trigger).foreachBatch(write).start()


if __name__ == "__main__":
    from jobs.run import submitted

    submitted("ingest")
