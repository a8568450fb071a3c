"""A task's rows as one Parquet file of a Delta table, written by the Python worker itself: Spark is handed the file's name only.

Taking accepted rows back through the JVM, row by row, and writing them there costs more than all of validation. The file counts
only once the driver has committed it (jobs/commits.py): what a killed task leaves behind belongs to no version of the table.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs import stages
from jobs.noted import NOTED
from jobs.stages import stage

PARTITION_BITS, INDEX_BITS = 10, 25  # of a row number; the batch has the 28 above them
BRONZE = pa.schema(
    [field for field in NOTED if field.name not in ("reason", "field", "record_id", "excerpt", "size")]
    + [("row_id", pa.int64()), ("ingest_time", pa.timestamp("us", "UTC")), ("ingest_batch", pa.int64())]
)
REPEATED = ["kind", "account_id", "currency", "counterparty_id", "service", "status", "metric", "tenant", "source",
            "attributes.key_value.key", "attributes.key_value.value"]  # fmt: skip
CODEC: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": REPEATED,
    "write_statistics": ["row_id"],
}
REFUSED = pa.schema([field for field in NOTED if field.name in
                     ("tenant", "raw", "source", "position", "reason", "field", "record_id", "excerpt", "size")]
                    + [pa.field("row_id", pa.int64())])  # fmt: skip
RESULT = pa.schema([("task", pa.string()), *REFUSED])
Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Stamp:
    """What every row of a batch carries; `folder` is where the table's files lie, "" when none is to be written."""

    folder: str
    batch_id: int
    now: datetime

    def first_row(self, partition: int) -> int:
        """The number of the partition's first row: unique over all batches, in the order of arrival within a partition."""
        return (self.batch_id << (PARTITION_BITS + INDEX_BITS)) + (partition << INDEX_BITS)


def writer(check: Callable[[Batches], Batches], stamp: Stamp, partition: Callable[[], int]) -> Callable[[Batches], Batches]:
    """A function for mapInArrow: what `check` gives (jobs.noted.NOTED) with its accepted rows written to a file.

    Yields rows of RESULT: the refused ones, and at last one whose `task` tells of the file and of what was counted, as JSON.
    """

    def write(batches: Batches) -> Batches:
        task = Task(stamp, partition())
        try:
            for batch in check(batches):
                yield task.take(batch)
            yield task.end()
        finally:
            task.close()

    return write


class Task:
    """One task's file and counts."""

    def __init__(self, stamp: Stamp, partition: int) -> None:
        self._stamp, self._row = stamp, stamp.first_row(partition)
        self._name = f"part-{partition:05d}-{uuid4()}-c000.zstd.parquet"
        self._file: pq.ParquetWriter | None = None
        self._accepted = self._events = 0
        self._rows: list[int] = []
        self._newest: datetime | None = None
        stages.taken()  # what an attempt before this one left

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Write the accepted rows; the refused ones."""
        rows = pa.array(np.arange(self._row, self._row + len(batch), dtype=np.int64))
        self._row += len(batch)
        self._events += len(batch)
        numbered, good = batch.append_column("row_id", rows), batch["reason"].is_null()
        whole = batch["reason"].null_count == len(batch)
        with stage("write"):
            self._write(numbered if whole else numbered.filter(good))
        bad = numbered.slice(0, 0) if whole else numbered.filter(pc.invert(good))
        return _result({name: bad[name] for name in REFUSED.names}, len(bad))

    def end(self) -> pa.RecordBatch:
        """The row that tells of the task; its file is whole on the disk by then."""
        if self._file is not None:
            with stage("write"):
                self._file.close()
        told = {
            "events": self._events, "accepted": self._accepted,
            "newest": None if self._newest is None else self._newest.isoformat(),
            "cpu_s": stages.taken(), "file": None if self._file is None else self._added(),
        }  # fmt: skip
        self._file = None
        return _result({"task": pa.array([json.dumps(told)])}, 1)

    def close(self) -> None:
        """Take away what was not finished."""
        if self._file is not None:
            with contextlib.suppress(Exception):
                self._file.close()
            Path(self._stamp.folder, self._name).unlink(missing_ok=True)
            self._file = None

    def _write(self, rows: pa.RecordBatch) -> None:
        if not len(rows):
            return
        self._accepted += len(rows)
        self._rows = [(self._rows or [rows["row_id"][0].as_py()])[0], rows["row_id"][-1].as_py()]
        newest = pc.max(rows["event_time"]).as_py()
        self._newest = newest if self._newest is None else max(newest, self._newest)
        if not self._stamp.folder:
            return
        if self._file is None:
            self._file = pq.ParquetWriter(Path(self._stamp.folder, self._name), BRONZE, **CODEC)
        stamps = [pa.repeat(pa.scalar(value, BRONZE.field(name).type), len(rows))
                  for name, value in (("ingest_time", self._stamp.now), ("ingest_batch", self._stamp.batch_id))]  # fmt: skip
        columns = [rows[name] for name in BRONZE.names[:-2]] + stamps
        self._file.write_batch(pa.RecordBatch.from_arrays(columns, schema=BRONZE))

    def _added(self) -> dict[str, Any]:
        """The `add` of Delta's log."""
        return added(Path(self._stamp.folder, self._name), self._accepted, self._rows, self._stamp.now)


def added(file: Path, rows: int, numbers: list[int], now: datetime) -> dict[str, Any]:
    """A data file as Delta's log says it; of the statistics only what names nobody."""
    time_ms = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    stats = {
        "numRecords": rows, "minValues": {"row_id": numbers[0], "ingest_time": time_ms},
        "maxValues": {"row_id": numbers[-1], "ingest_time": time_ms}, "nullCount": {"row_id": 0, "ingest_time": 0},
    }  # fmt: skip
    held = file.stat()
    return {"path": file.name, "partitionValues": {}, "size": held.st_size, "modificationTime": held.st_mtime_ns // 1_000_000,
            "dataChange": True, "stats": json.dumps(stats)}  # fmt: skip


def _result(columns: dict[str, pa.Array], rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([columns.get(field.name, pa.nulls(rows, field.type)) for field in RESULT], schema=RESULT)
