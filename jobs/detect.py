"""The detect job: bronze → shards → the fold → one Postgres transaction per batch. Only converts; decisions are elsewhere."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.state import GroupStateTimeout

from jobs import bronze, checkpoint, entities, lookup, shards
from jobs.findings import from_payloads
from jobs.policy import Policy
from jobs.rebuild import start_of
from jobs.sink import Batch, commit, say_waiting
from store.database import Database, wait_for
from store.settings import Settings


def points(events: DataFrame, shard_count: int) -> DataFrame:
    """Every event as one or two points: numbers only, names are joined back for what is flagged."""
    point = F.explode(F.array(F.expr(entities.FIRST), F.expr(entities.SECOND))).alias("point")
    exploded = events.select("*", point).where("point is not null")
    hashed = exploded.withColumn("entity_hash", F.expr("case when point.kind = 0 then 0 else xxhash64(tenant, point.entity) end"))
    return hashed.select(
        F.expr(f"cast(pmod(if(point.kind = 0, xxhash64(event_id), entity_hash), {shard_count}) as int) as shard"),
        F.expr("point.kind as kind"),
        "entity_hash",
        F.expr("unix_micros(event_time) as time"),
        F.expr("xxhash64(event_id) as id"),
        F.expr(f"cast(pmod({entities.CONTENT}, 256) as short) as content"),
        F.expr("coalesce(point.value, double('NaN')) as value"),
        F.expr("coalesce(status >= 500, false) as error"),
        F.expr("row_id as row"),
    )


def start(spark: SparkSession, settings: Settings, database: Database, *, once: bool) -> StreamingQuery:
    """Start the stream; with `once` it ends when all of bronze that is there now was folded."""
    bronze.prepare(spark, settings, database)
    place, policy = settings.checkpoint("detect"), Policy.of(settings.detect)
    checkpoint.pin(spark, place, {"job": "detect", "shards": settings.detect.shards, "layout": policy.layout_hash})
    begin = start_of(spark, place)
    source = spark.readStream.format("delta").option("startingVersion", begin.version).option("ignoreDeletes", "true")
    events = source.option("maxFilesPerTrigger", settings.detect.max_files_per_trigger).load(settings.bronze)
    fold: Any = shards.folder(policy, begin.metrics_after_row)  # knows GroupState by its shape only
    folded = (
        points(events, settings.detect.shards)
        .groupBy("shard")
        .applyInPandasWithState(fold, shards.OUTPUT, shards.STATE, "append", GroupStateTimeout.NoTimeout)
    )
    stream = folded.writeStream.queryName("detect").outputMode("append").option("checkpointLocation", place)
    trigger: dict[str, Any] = {"availableNow": True} if once else {"processingTime": f"{settings.detect.trigger_s} seconds"}
    return stream.trigger(**trigger).foreachBatch(sink(spark, settings, database, policy)).start()


def sink(spark: SparkSession, settings: Settings, database: Database, policy: Policy) -> Callable[[DataFrame, int], None]:
    """The hook of each batch: fold (the one action that moves the state), look the few names up, commit."""
    place = settings.checkpoint("detect")

    def write(folded: DataFrame, batch_id: int) -> None:
        started, clock = datetime.now(UTC), time.perf_counter()
        payloads: dict[str, list[bytes]] = {}
        for kind, payload in zip(*folded.toArrow().to_pydict().values(), strict=True):
            payloads.setdefault(kind, []).append(payload)
        if not payloads:
            return
        tables = {kind: from_payloads(parts) for kind, parts in payloads.items()}
        folded_s = time.perf_counter() - clock
        batch = Batch(checkpoint.query_id(spark, place), batch_id, tables, started)
        batch.offsets = checkpoint.offsets(spark, place, batch_id)
        versions = lookup.versions_of(batch.offsets, checkpoint.offsets(spark, place, batch_id - 1))
        events = lookup.rows(spark, settings.bronze, batch.wanted_rows(), versions)
        batch.detail = {"fold_s": round(folded_s, 3), "names_s": round(time.perf_counter() - clock - folded_s, 3)}
        quarantine_conflicts(spark, settings, batch, events)
        wait_for(lambda: commit(database, batch, events, policy, settings), settings.detect.database_wait_s, say_waiting)

    return write


def quarantine_conflicts(spark: SparkSession, settings: Settings, batch: Batch, events: dict[int, dict[str, Any]]) -> None:
    """The same id with other content goes to the quarantine as well, once per batch whatever is retried."""
    rows = batch.conflict_rows(events, settings.tenant)
    if rows:
        frame = spark.createDataFrame(rows, bronze.QUARANTINE)
        frame.write.format("delta").mode("append").option("txnAppId", f"conflicts {batch.query_id}").option(
            "txnVersion", batch.batch_id
        ).save(settings.quarantine)


if __name__ == "__main__":
    from jobs.run import submitted

    submitted("detect")
