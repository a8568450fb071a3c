"""Single bronze rows by number, for the few that were flagged: straight from the files that the batch's commits added.

Going through Spark costs three jobs, over a second on a small machine; a batch's own files are few and known from Delta's log.
Where they cannot be had so (another file system, a vacuumed file, a log that was cleaned), Spark reads the table.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import checkpoint
from jobs.bronze import EVENT_FIELDS
from pipelines.bronze import log_file, tables

COLUMNS = ("row_id", "source", "position", "raw", "ingest_time", *EVENT_FIELDS)
LISTED = 2_000  # up to so many numbers are a list in Spark's filter; more are joined
Rows = dict[int, dict[str, Any]]


def rows(spark: SparkSession, bronze: str, numbers: list[int], versions: range) -> Rows:
    """The bronze rows with these sorted numbers, by number; `versions` are the commits that the batch may have read."""
    if not numbers:
        return {}
    found = local_rows(Path(bronze), numbers, versions) if bronze.startswith("/") else {}
    missing = [number for number in numbers if number not in found]
    return found | (table_rows(spark, bronze, missing) if missing else {})


def commit_reader(spark: SparkSession, bronze: str) -> Callable[[int], str | None]:
    """Gives the text of a commit in Delta's log, None when it is not there."""
    if not bronze.startswith("/"):
        return lambda version: checkpoint.read_text(spark, log_file(bronze, version))
    return lambda version: file.read_text() if (file := Path(log_file(bronze, version))).exists() else None


def reader(spark: SparkSession, bronze: str) -> Callable[[Sequence[str], Sequence[str]], Iterator[pa.Table]]:
    """Reads columns of data files: from this machine's disk, else by way of Spark, one file after the other."""
    if bronze.startswith("/"):
        return lambda files, columns: tables([Path(bronze) / name for name in files], columns)
    return lambda files, columns: (in_utc(spark.read.parquet(f"{bronze}/{name}").select(*columns).toArrow()) for name in files)


def versions_of(ends: list[Any], before: list[Any]) -> range:
    """The commits between a batch's end offset and that of the batch before it."""
    last = ends[0]["reservoirVersion"] if ends else -1
    first = before[0]["reservoirVersion"] - 1 if before else 0
    return range(max(first, 0), last + 1)


def local_rows(bronze: Path, numbers: list[int], versions: range) -> Rows:
    """What can be found in the files on this machine."""
    wanted = pa.array(numbers, pa.int64())
    found: Rows = {}
    for version in versions:
        for name, low, high in added(bronze / "_delta_log" / f"{version:020d}.json"):
            file = bronze / name
            if low <= numbers[-1] and high >= numbers[0] and file.exists():
                found |= {row["row_id"]: row for row in file_rows(file, wanted)}
    return found


def file_rows(file: Path, wanted: pa.Array) -> list[dict[str, Any]]:
    """A file's rows with the wanted numbers; a column that the file was written without is null."""
    held = set(pq.read_schema(file).names)
    table = pq.read_table(file, columns=[name for name in COLUMNS if name in held])
    table = table.filter(pc.is_in(table["row_id"], value_set=wanted))
    return [dict.fromkeys(COLUMNS) | row for row in in_utc(table).to_pylist()]


def added(log: Path) -> Iterator[tuple[str, int, int]]:
    """The data files that a commit added, with their lowest and highest row number; none when the log is gone."""
    if not log.exists():
        return
    for line in log.read_text().splitlines():
        add = json.loads(line).get("add")
        if add is not None and add["dataChange"] and add.get("stats"):
            stats = json.loads(add["stats"])
            if stats.get("minValues", {}).get("row_id") is not None:
                yield unquote(add["path"]), stats["minValues"]["row_id"], stats["maxValues"]["row_id"]


def in_utc(table: pa.Table) -> pa.Table:
    """Spark writes instants without a zone: they are UTC."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            column = table[i].cast(pa.timestamp("us"), safe=False) if field.type.tz is None else table[i]
            column = pc.assume_timezone(column, "UTC") if field.type.tz is None else column.cast(pa.timestamp("us", "UTC"))
            table = table.set_column(i, field.name, column)
    return table


def table_rows(spark: SparkSession, bronze: str, numbers: list[int]) -> Rows:
    """The rows by way of Spark; files are skipped by the range of numbers."""
    table = spark.read.format("delta").load(bronze).where(F.col("row_id").between(numbers[0], numbers[-1]))
    if len(numbers) <= LISTED:
        chosen = table.where(F.col("row_id").isin(numbers))
    else:
        wanted = spark.createDataFrame(pa.table({"row_id": pa.array(numbers, pa.int64())}))
        chosen = table.join(F.broadcast(wanted), "row_id")
    return {row["row_id"]: row for row in chosen.select(*COLUMNS).toArrow().to_pylist()}
