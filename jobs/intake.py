"""What the ingest job does with one batch: check it, bronze, quarantine, ledger, in this order, each once.

Where bronze lies on a disk, the Python workers write its files and the driver commits them. In an object store Spark writes them,
since only Hadoop knows the way there.
"""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from jobs import bronze, checkpoint, commits, refusals, stages
from jobs.check import CHECKED, file_name
from jobs.data_files import CODEC, INDEX_BITS, PARTITION_BITS, REFUSED, Stamp, added, writer
from jobs.events import Rules
from jobs.noted import noted, ready
from jobs.policy import digest
from jobs.sealing import Access
from jobs.sink import say_waiting
from jobs.turn import turn
from store.bulk import copy_rows
from store.database import Database, fetch, run, wait_for
from store.settings import Settings

EMPTY = "the file is empty"
ROWS_PER_TASK = 50_000  # a smaller batch is not worth a second file
LAST_PARTITION = (1 << PARTITION_BITS) - 1  # numbers the rows that the driver adds itself
RESULT = bronze.result()
Alone = Callable[[str], AbstractContextManager[None]]  # holds a table where its log bears one writer only
QUARANTINE = pa.schema(
    [REFUSED.field(name) for name in ("tenant", "raw", "source", "position", "reason", "field", "row_id")]
    + [("ingest_time", pa.timestamp("us", "UTC")), ("ingest_batch", pa.int64())]
)


@dataclass(frozen=True)
class Taken:
    """What became of a batch's records."""

    events: int
    accepted: int
    newest: datetime | None
    refused: pa.Table  # rows of jobs.data_files.REFUSED
    files: list[dict[str, Any]] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)


def sink(spark: SparkSession, settings: Settings, database: Database) -> Callable[[DataFrame, int], None]:
    """The hook of each batch. One whose ledger entry stands was done; one that only bronze has is judged by its first clock."""
    place, columns = settings.checkpoint("ingest"), dict(settings.source.csv_columns)
    settings_hash, from_files = digest(settings.ingest.model_dump(mode="json")), settings.source.kind == "files"
    cores = min(spark.sparkContext.defaultParallelism, LAST_PARTITION)
    take = by_workers if settings.bronze.startswith("/") else by_spark
    Access.of(settings, database)  # a missing key is said at once

    def write(batch: DataFrame, batch_id: int) -> None:
        started, clock = datetime.now(UTC), time.perf_counter()
        query_id = checkpoint.query_id(spark, place)
        job = {"job": "ingest", "query_id": query_id, "batch_id": batch_id}
        if wait_for(lambda: database.fetch("find_batch", **job), settings.detect.database_wait_s, say_waiting):
            return
        done = commits.has(spark, settings.bronze, query_id, batch_id)
        now = (commits.arrived(spark, settings.bronze, query_id, batch_id) if done else None) or started
        access = wait_for(lambda: Access.of(settings, database), settings.detect.database_wait_s, say_waiting)
        rules = Rules(now, settings.ingest.max_future_s, settings.ingest.max_record_bytes, settings.tenant)
        make = ready(rules, columns if from_files else None, access)
        stamp = Stamp("" if done else settings.bronze, batch_id, now)
        times = [time.perf_counter() - clock]
        ends, before = (checkpoint.offsets(spark, place, number) for number in (batch_id, batch_id - 1))
        alone = partial(turn, settings, database)
        taken = take(batch.coalesce(tasks(cores, ends, before)), make, stamp, query_id, alone)
        times.append(time.perf_counter() - clock)
        empty = checkpoint.empty_files(spark, place, batch_id) if from_files else []
        refused = pa.concat_tables([taken.refused, empties(empty, settings.tenant, stamp, access)])
        if not done and take is by_workers:
            commits.append(spark, settings.bronze, taken.files, query_id, batch_id, now)
        times.append(time.perf_counter() - clock)
        if len(refused):
            with alone(settings.quarantine):
                quarantine(spark, settings.quarantine, refused, query_id, stamp)
        times.append(time.perf_counter() - clock)
        names = ("begin_s", "tasks_s", "commit_s", "quarantine_s")
        took = {name: round(b - a, 3) for name, a, b in zip(names, [0.0, *times], times, strict=False)}
        bad = len(refused)
        entry = {
            "query_id": query_id, "batch_id": batch_id, "offsets_hash": checkpoint.hashed(ends),
            "settings_hash": settings_hash, "offsets": {"ends": ends}, "events": taken.accepted + bad, "accepted": taken.accepted,
            "quarantined": bad, "newest_event": taken.newest, "detail": took | {"cpu_s": taken.cpu_s}, "started_at": started,
        }  # fmt: skip
        notes = noted_rows(refused, now)
        wait_for(lambda: note(database, entry, notes), settings.detect.database_wait_s, say_waiting)

    return write


def by_workers(batch: DataFrame, make: Any, stamp: Stamp, _query_id: str, _alone: Alone) -> Taken:
    """The Python workers write the files."""
    found = batch.mapInArrow(writer(make, stamp, partition_here), RESULT).toArrow()
    told = [json.loads(one) for one in found["task"].drop_null().to_pylist()]
    newest = [datetime.fromisoformat(one["newest"]) for one in told if one["newest"] is not None]
    refused = found.filter(found["task"].is_null()).select(REFUSED.names).cast(REFUSED)
    return Taken(
        sum(one["events"] for one in told), sum(one["accepted"] for one in told), max(newest, default=None), refused,
        [one["file"] for one in told if one["file"] is not None], stages.added([one["cpu_s"] for one in told]),
    )  # fmt: skip


def tasks(cores: int, ends: list[Any], before: list[Any]) -> int:
    """How many tasks take the batch: a core each, fewer when Kafka's offsets say that it is small: each task makes a file.

    >>> tasks(8, [{"events": {"0": 70_000, "1": 90}}], [{"events": {"0": 10_000}}]), tasks(8, [{"logOffset": 7}], [])
    (2, 8)
    """
    if not ends or "logOffset" in ends[0]:
        return cores
    known = before[0] if before else {}
    rows = sum(end - known.get(topic, {}).get(part, 0) for topic, parts in ends[0].items() for part, end in parts.items())
    return int(max(1, min(cores, -(-rows // ROWS_PER_TASK))))


def partition_here() -> int:
    """The number of this worker's partition."""
    task = TaskContext.get()
    return 0 if task is None else task.partitionId()


def by_spark(batch: DataFrame, make: Any, stamp: Stamp, query_id: str, alone: Alone) -> Taken:
    """Spark writes the files, `alone` in the table."""
    rows = numbered(batch.mapInArrow(make, bronze.noted()), stamp).persist()
    try:
        totals = rows.selectExpr("count(*)", "count(reason)", "max(event_time)").first()
        events, bad, newest = totals if totals is not None else (0, 0, None)
        if stamp.folder:
            kept = rows.where("reason is null").select(*bronze.BRONZE.names)
            said = commits.mark(query_id, stamp.batch_id, stamp.now.isoformat())
            with alone(stamp.folder):
                keyed(kept, query_id, stamp.batch_id).option("userMetadata", said).save(stamp.folder)
        refused = (
            rows.where("reason is not null").select(*REFUSED.names).toArrow().cast(REFUSED) if bad else REFUSED.empty_table()
        )
        return Taken(events, events - bad, newest, refused)
    finally:
        rows.unpersist()


def keyed(rows: DataFrame, query_id: str, batch_id: int) -> DataFrameWriter:
    """An append that Delta does once, by the batch's transaction key."""
    return rows.write.format("delta").mode("append").option("txnAppId", query_id).option("txnVersion", batch_id)


def numbered(rows: DataFrame, stamp: Stamp) -> DataFrame:
    """The same numbers and stamps as jobs/data_files.py gives."""
    index = F.monotonically_increasing_id()
    within = F.shiftleft(F.shiftright(index, 33), INDEX_BITS) + index.bitwiseAND(F.lit((1 << 33) - 1))
    stamps = {"ingest_time": F.lit(stamp.now), "ingest_batch": F.lit(stamp.batch_id).cast("long")}
    return rows.withColumns({"row_id": F.lit(stamp.first_row(0)) + within, **stamps})


def empties(paths: list[str], tenant: str, stamp: Stamp, access: Access | None) -> pa.Table:
    """A refused row for each file that holds nothing: Spark's file source never hands such a file over."""
    if not paths:
        return REFUSED.empty_table()
    told = {"raw": b"", "position": 0, "reason": EMPTY, "field": "", "tenant": tenant}
    rows = pa.RecordBatch.from_pylist([dict.fromkeys(CHECKED.names) | told | {"source": file_name(path)} for path in paths],
                                      CHECKED)  # fmt: skip
    first = stamp.first_row(LAST_PARTITION)
    numbers = pa.array(range(first, first + len(paths)), pa.int64())
    return pa.Table.from_batches([noted(rows, access)]).append_column("row_id", numbers).select(REFUSED.names)


def quarantine(spark: SparkSession, table: str, refused: pa.Table, query_id: str, stamp: Stamp) -> None:
    """The refused rows into the quarantine, once."""
    rows = refused.select(QUARANTINE.names[:-2])
    for name, value in (("ingest_time", stamp.now), ("ingest_batch", stamp.batch_id)):
        kind = QUARANTINE.field(name).type
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, kind), len(rows)))
    if not table.startswith("/"):
        keyed(spark.createDataFrame(rows), query_id, stamp.batch_id).save(table)
        return
    file = Path(table, f"part-00000-{uuid4()}-c000.zstd.parquet")
    pq.write_table(rows.cast(QUARANTINE), file, **CODEC | {"use_dictionary": ["source", "reason", "field", "tenant"]})
    numbers = refused["row_id"].to_pylist()
    commits.append(
        spark, table, [added(file, len(rows), [min(numbers), max(numbers)], stamp.now)], query_id, stamp.batch_id, stamp.now
    )


def noted_rows(refused: pa.Table, now: datetime) -> list[tuple[Any, ...]]:
    """Refused rows to be listed in the database: rows of jobs.refusals.COLUMNS."""
    return [
        (one["record_id"], one["tenant"], refusals.place(one["source"], one["position"]), one["reason"], one["field"],
         one["excerpt"], one["size"], "new", now)
        for one in refused.drop_columns(["raw"]).to_pylist()
    ]  # fmt: skip


def note(database: Database, entry: dict[str, Any], notes: list[tuple[Any, ...]]) -> None:
    """Ledger and quarantine notes in one transaction; writing them twice is harmless."""
    with database.connection() as connection:
        if fetch(connection, "find_batch", job="ingest", query_id=entry["query_id"], batch_id=entry["batch_id"]):
            return
        if notes:
            refusals.prepare(connection)
            copy_rows(connection, "incoming_quarantined", refusals.COLUMNS, notes)
            run(connection, "merge_quarantined")
        run(connection, "put_ingest_batch", **entry)
