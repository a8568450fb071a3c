"""The detect job: bronze → shards → the fold → one Postgres transaction per batch. Only converts; decisions are elsewhere."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.state import GroupStateTimeout

from jobs import bronze, checkpoint, entities, limits, lookup, parcels, pinned, rules, shards
from jobs.findings import from_payloads
from jobs.hook import brief
from jobs.policy import Policy
from jobs.rebuild import FROM_THE_FIRST, Start, start_of
from jobs.rules import Judged
from jobs.sink import Batch, commit, say_waiting
from jobs.spans import spanned
from jobs.turn import turn
from pipelines.judging import judge_events
from pipelines.pins import Pins
from pipelines.plan import Plan
from store.database import Database, wait_for
from store.settings import Settings

OVERRIDES = "conclave.thresholds"  # a local property of Spark's: it goes with a job's tasks to the workers, wherever they run
ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
ARROW = {ROWS: 25_000, "spark.sql.execution.arrow.maxBytesPerBatch": 2**31 - 1}
TENANT = f"shiftleft(crc32(cast(tenant as binary)), {limits.TENANT_BITS})"
CONTENT = f"pmod({entities.CONTENT}, {1 << limits.TENANT_BITS}) + coalesce({TENANT}, 0)"


def numbers(events: DataFrame) -> DataFrame:
    """Every event as the numbers of `jobs.parcels.INPUT`; names are joined back for what is flagged."""
    kind, error = f"cast({entities.KIND} as bigint)", "if(coalesce(status >= 500, false), 1L, 0L)"
    return events.select(
        F.expr(f"case when {entities.WATCHED} then xxhash64(tenant, {entities.ENTITY}) else 0L end as entity"),
        F.expr(f"case when {entities.PAIRED} then xxhash64(tenant, {entities.OTHER}) end as other"),
        F.expr("unix_micros(event_time) as time"),
        F.expr("xxhash64(event_id) as id"),
        F.expr(f"coalesce({entities.VALUE}, double('NaN')) as value"),
        F.expr("row_id as row"),
        F.expr(f"({CONTENT}) | shiftleft({kind}, {parcels.KIND_AT}) | shiftleft({error}, {parcels.ERROR_AT}) as meta"),
    )


def points(events: DataFrame, shard_count: int) -> DataFrame:
    """Parcels of points by shard."""
    return numbers(events).mapInArrow(parcels.packer(shard_count), parcels.OUTPUT)


def start(spark: SparkSession, settings: Settings, database: Database, *, once: bool) -> StreamingQuery:
    """Start the stream; with `once` it ends when all of bronze that is there now was folded."""
    bronze.prepare(spark, settings, database)
    place, policy = settings.checkpoint("detect"), Policy.of(settings.detect)
    earlier = pinned.layouts(checkpoint.pin(spark, place, pinned.of_detect(settings)))
    begin = start_of(spark, place)
    source = spark.readStream.format("delta").option("startingVersion", begin.version).option("skipChangeCommits", "true")
    events = source.option("maxFilesPerTrigger", settings.detect.max_files_per_trigger).load(settings.bronze)
    fold: Any = shards.folder(policy, begin.metrics_after_row, overrides_here, earlier)  # knows GroupState by its shape only
    folded = (
        points(events, settings.detect.shards)
        .groupBy("shard")
        .applyInPandasWithState(fold, shards.OUTPUT, shards.STATE, "append", GroupStateTimeout.NoTimeout)
    )
    stream = folded.writeStream.queryName("detect").outputMode("append").option("checkpointLocation", place)
    trigger: dict[str, Any] = {"availableNow": True} if once else {"processingTime": f"{settings.detect.trigger_s} seconds"}
    hook = sink(spark, settings, database, policy, begin)
    write = brief(spanned("detect", database, lambda: checkpoint.query_id(spark, place), hook))
    with arrow_for_numbers(spark):
        return stream.trigger(**trigger).foreachBatch(write).start()


@contextmanager
def arrow_for_numbers(spark: SparkSession) -> Iterator[None]:
    """Arrow batches of a query started inside: small, as parcels of many batches go to a worker together, and cut by rows only,
    since looking at the bytes after every row takes a quarter of the writing."""
    conf: Any = spark.conf
    held = {name: conf.get(name) for name in ARROW}
    rows = min(int(held[ROWS]), ARROW[ROWS])
    try:
        for name, value in (ARROW | {ROWS: rows}).items():
            conf.set(name, str(value))
        yield
    finally:
        for name, value in held.items():
            conf.set(name, value)


def overrides_here() -> str:
    """The thresholds of the batch that this worker folds."""
    task = TaskContext.get()
    return (task.getLocalProperty(OVERRIDES) if task is not None else None) or ""


def sink(
    spark: SparkSession, settings: Settings, database: Database, policy: Policy, begin: Start = FROM_THE_FIRST
) -> Callable[[DataFrame, int], None]:
    """The hook of each batch: pin its processors, fold (the one action that moves the state), judge its events by them, look the
    few names up, commit."""
    place, pins = settings.checkpoint("detect"), Pins(database)
    judge = judging(spark, settings, begin)

    def write(folded: DataFrame, batch_id: int) -> None:
        started, clock = datetime.now(UTC), time.perf_counter()
        query_id = checkpoint.query_id(spark, place)
        plan = wait_for(lambda: pins.take(query_id, batch_id), settings.detect.database_wait_s, say_waiting)
        spark.sparkContext.setLocalProperty(OVERRIDES, rules.overrides(plan))
        ends, before = (checkpoint.offsets(spark, place, number) for number in (batch_id, batch_id - 1))
        judged = judge(plan, ends, before)
        payloads: dict[str, list[bytes]] = {}
        for kind, payload in zip(*folded.toArrow().to_pydict().values(), strict=True):
            payloads.setdefault(kind, []).append(payload)
        if not payloads:
            return
        tables = {kind: from_payloads(parts) for kind, parts in payloads.items()}
        times = [time.perf_counter() - clock]
        batch = Batch(query_id, batch_id, tables, started, ends)
        batch.rules = rules.applied(plan, judged(), batch.counts()["events"])
        times.append(time.perf_counter() - clock)
        events = lookup.rows(spark, settings.bronze, batch.wanted_rows(), lookup.versions_of(ends, before))
        times.append(time.perf_counter() - clock)
        names = ("fold_s", "rules_s", "names_s")
        took = {name: round(b - a, 3) for name, a, b in zip(names, [0.0, *times], times, strict=False)}
        batch.detail = took | {"processors": plan.hash}
        quarantine_conflicts(spark, settings, database, batch, events)
        wait_for(lambda: commit(database, batch, events, policy, settings), settings.detect.database_wait_s, say_waiting)

    return write


def judging(
    spark: SparkSession, settings: Settings, begin: Start
) -> Callable[[Plan, list[Any], list[Any]], Callable[[], Judged]]:
    """Starts to judge a batch's events by its plan, beside the fold where bronze lies on this machine's disk (so that the session
    is left alone), and gives what waits for the outcome."""
    commits, read = lookup.commit_reader(spark, settings.bronze), lookup.reader(spark, settings.bronze)
    beside = ThreadPoolExecutor(1, thread_name_prefix="rules") if settings.bronze.startswith("/") else None

    def start(plan: Plan, ends: list[Any], before: list[Any]) -> Callable[[], Judged]:
        if not plan.reads_events:
            return lambda: ({}, None)

        def judge() -> Judged:
            files = rules.files_of(commits, ends, before, begin.version)
            return judge_events(plan, read(files, plan.columns()), settings.pipelines.hits_per_batch, begin.metrics_after_row)

        return judge if beside is None else beside.submit(judge).result

    return start


def quarantine_conflicts(
    spark: SparkSession, settings: Settings, database: Database, batch: Batch, events: dict[int, dict[str, Any]]
) -> None:
    """The same id with other content goes to the quarantine as well, once per batch whatever is retried."""
    rows = batch.conflict_rows(events, settings.tenant)
    if rows:
        frame = spark.createDataFrame(rows, bronze.QUARANTINE)
        write = frame.write.format("delta").mode("append").option("txnAppId", f"conflicts {batch.query_id}")
        with turn(settings, database, settings.quarantine):
            write.option("txnVersion", batch.batch_id).save(settings.quarantine)


if __name__ == "__main__":
    from jobs.run import submitted

    submitted("detect")
