"""A batch's records into bronze's files: by the Python workers where bronze lies on a disk, by Spark in an object store."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, DataFrameWriter
from pyspark.sql import functions as F

from jobs import bronze, commits, stages
from jobs.data_files import INDEX_BITS, REFUSED, Stamp, writer

RESULT = bronze.result()
Alone = Callable[[str], AbstractContextManager[None]]  # holds a table where its log bears one writer only
ROWS_PER_TASK = 50_000  # a smaller batch is not worth a second file


@dataclass(frozen=True)
class Taken:
    """What became of a batch's records."""

    events: int
    accepted: int
    newest: datetime | None
    refused: pa.Table  # rows of jobs.data_files.REFUSED
    files: list[dict[str, Any]] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)


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
