"""What the ingest job does with one batch: check it, bronze, quarantine, ledger, in this order, each once."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from jobs import checkpoint, commits, refusals
from jobs.check import CHECKED, file_name
from jobs.data_files import CODEC, PARTITION_BITS, REFUSED, Stamp, added
from jobs.events import Rules
from jobs.noted import noted, ready
from jobs.policy import digest
from jobs.sealing import Access
from jobs.sink import say_waiting
from jobs.taking import Taken, by_spark, by_workers, keyed, tasks
from jobs.turn import turn
from store.bulk import copy_rows
from store.database import Database, fetch, run, wait_for
from store.settings import Settings

EMPTY = "the file is empty"
LAST_PARTITION = (1 << PARTITION_BITS) - 1  # numbers the rows that the driver adds itself
QUARANTINE = pa.schema(
    [REFUSED.field(name) for name in ("tenant", "raw", "source", "position", "reason", "field", "row_id")]
    + [("ingest_time", pa.timestamp("us", "UTC")), ("ingest_batch", pa.int64())]
)


class Intake:
    """The hook of each batch. One whose ledger entry stands was done; one that only bronze has is judged by its first clock."""

    def __init__(self, spark: SparkSession, settings: Settings, database: Database) -> None:
        self._spark, self._settings, self._database = spark, settings, database
        self._place, self._settings_hash = settings.checkpoint("ingest"), digest(settings.ingest.model_dump(mode="json"))
        self._from_files = settings.source.kind == "files"
        self._cores = min(spark.sparkContext.defaultParallelism, LAST_PARTITION)
        self._local = settings.bronze.startswith("/")
        self._take = by_workers if self._local else by_spark
        self._alone = partial(turn, settings, database)
        Access.of(settings, database)  # a missing key is said at once

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        started, laps = datetime.now(UTC), Laps()
        query_id = checkpoint.query_id(self._spark, self._place)
        if self._waited(lambda: self._database.fetch("find_batch", job="ingest", query_id=query_id, batch_id=batch_id)):
            return
        stamp = self._stamp(query_id, batch_id, started)
        access = self._waited(lambda: Access.of(self._settings, self._database))
        ends = checkpoint.offsets(self._spark, self._place, batch_id)
        laps.end("begin_s")
        taken = self._taken(batch, ends, stamp, access, query_id)
        laps.end("tasks_s")
        if stamp.folder and self._local:
            commits.append(self._spark, stamp.folder, taken.files, query_id, batch_id, stamp.now)
        laps.end("commit_s")
        refused = self._refused(taken, stamp, access, query_id)
        laps.end("quarantine_s")
        entry = {
            "query_id": query_id, "batch_id": batch_id, "offsets_hash": checkpoint.hashed(ends), "offsets": {"ends": ends},
            "settings_hash": self._settings_hash, "events": taken.accepted + len(refused), "accepted": taken.accepted,
            "quarantined": len(refused), "newest_event": taken.newest, "detail": laps.took | {"cpu_s": taken.cpu_s},
            "started_at": started,
        }  # fmt: skip
        notes = noted_rows(refused, stamp.now)
        self._waited(lambda: note(self._database, entry, notes))

    def _waited(self, work: Callable[[], Any]) -> Any:
        return wait_for(work, self._settings.detect.database_wait_s, say_waiting)

    def _stamp(self, query_id: str, batch_id: int, started: datetime) -> Stamp:
        """The batch's clock; no folder when bronze has the batch already."""
        bronze = self._settings.bronze
        if not commits.has(self._spark, bronze, query_id, batch_id):
            return Stamp(bronze, batch_id, started)
        return Stamp("", batch_id, commits.arrived(self._spark, bronze, query_id, batch_id) or started)

    def _taken(self, batch: DataFrame, ends: list[Any], stamp: Stamp, access: Access | None, query_id: str) -> Taken:
        at, columns = self._settings.ingest, dict(self._settings.source.csv_columns)
        rules = Rules(stamp.now, at.max_future_s, at.max_record_bytes, self._settings.tenant)
        make = ready(rules, columns if self._from_files else None, access)
        before = checkpoint.offsets(self._spark, self._place, stamp.batch_id - 1)
        return self._take(batch.coalesce(tasks(self._cores, ends, before)), make, stamp, query_id, self._alone)

    def _refused(self, taken: Taken, stamp: Stamp, access: Access | None, query_id: str) -> pa.Table:
        """All refused rows, empty files too, once they are in the quarantine."""
        empty = checkpoint.empty_files(self._spark, self._place, stamp.batch_id) if self._from_files else []
        refused = pa.concat_tables([taken.refused, empties(empty, self._settings.tenant, stamp, access)])
        if len(refused):
            with self._alone(self._settings.quarantine):
                quarantine(self._spark, self._settings.quarantine, refused, query_id, stamp)
        return refused


class Laps:
    """Seconds of each step, one after the other."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self._from = time.perf_counter()

    def end(self, name: str) -> None:
        """The step that ends now had this name."""
        now = time.perf_counter()
        self.took[name], self._from = round(now - self._from, 3), now


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
