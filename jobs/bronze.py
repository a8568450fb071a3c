"""The two Delta tables that ingest writes: their schemas, and making them."""

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from store.database import Database, fetch
from store.settings import Settings

EVENT_FIELDS = (
    "event_id", "event_time", "kind", "account_id", "amount", "currency", "counterparty_id", "service", "status", "latency_ms",
    "metric", "value", "message", "attributes", "tenant",
)  # fmt: skip

CHECKED = T.StructType(
    [
        T.StructField("event_id", T.StringType()),
        T.StructField("event_time", T.TimestampType()),
        T.StructField("kind", T.StringType()),
        T.StructField("account_id", T.StringType()),
        T.StructField("amount", T.DoubleType()),
        T.StructField("currency", T.StringType()),
        T.StructField("counterparty_id", T.StringType()),
        T.StructField("service", T.StringType()),
        T.StructField("status", T.IntegerType()),
        T.StructField("latency_ms", T.DoubleType()),
        T.StructField("metric", T.StringType()),
        T.StructField("value", T.DoubleType()),
        T.StructField("message", T.StringType()),
        T.StructField("attributes", T.MapType(T.StringType(), T.StringType())),
        T.StructField("tenant", T.StringType()),
        T.StructField("raw", T.BinaryType()),  # the whole record, when it holds more than the event does or was refused
        T.StructField("source", T.StringType()),  # `topic/partition` or file name
        T.StructField("position", T.LongType()),  # offset or line
        T.StructField("reason", T.StringType()),  # why refused; null for an event
        T.StructField("field", T.StringType()),
    ]
)
STAMPS = [
    T.StructField("row_id", T.LongType()),
    T.StructField("ingest_time", T.TimestampType()),
    T.StructField("ingest_batch", T.LongType()),
]
BRONZE = T.StructType([f for f in CHECKED if f.name not in ("reason", "field")] + STAMPS)
QUARANTINE = T.StructType([f for f in CHECKED if f.name in ("tenant", "raw", "source", "position", "reason", "field")] + STAMPS)

NOTES = [
    T.StructField("record_id", T.StringType()),
    T.StructField("excerpt", T.StringType()),
    T.StructField("size", T.LongType()),
]
REFUSED = ("tenant", "raw", "source", "position", "reason", "field")

COMMITS_PER_CHECKPOINT = 50  # Delta's 10 rewrite its list of files every few seconds
STATS = "row_id,ingest_time"  # lowest and highest names of each file would stand in the log in the clear


def noted() -> T.StructType:
    """jobs.noted.NOTED as Spark says it."""
    return T.StructType([*CHECKED, *NOTES])


def result() -> T.StructType:
    """jobs.data_files.RESULT as Spark says it."""
    refused = [field for field in CHECKED if field.name in REFUSED]
    return T.StructType([T.StructField("task", T.StringType()), *refused, *NOTES, STAMPS[0]])


def prepare(spark: SparkSession, settings: Settings, database: Database) -> None:
    """Make both tables where there are none. Ingest and detect start at the same time: a lock lets one go first, since two
    that create a Delta table at once get a ProtocolChangedException."""
    with database.connection() as connection:
        fetch(connection, "lock_tables", place=settings.bronze)
        create(spark, settings.bronze, settings.quarantine)


def create(spark: SparkSession, bronze: str, quarantine: str) -> None:
    """Make both tables where there are none."""
    for path, schema in ((bronze, BRONZE), (quarantine, QUARANTINE)):
        table = DeltaTable.createIfNotExists(spark).location(path).addColumns(schema)
        table = table.property("delta.logRetentionDuration", "interval 30 days")
        table = table.property("delta.checkpointInterval", str(COMMITS_PER_CHECKPOINT))
        table.property("delta.dataSkippingStatsColumns", STATS).execute()
