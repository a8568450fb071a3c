"""Flagged rows are found the quick way and the long way, and both say the same."""

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import SparkSession

from jobs import ingest, lookup
from store.database import Database
from store.settings import Settings

from .conftest import land, once, steady, transaction


def test_files_and_table_give_the_same_rows(spark: SparkSession, settings: Settings, database: Database) -> None:
    land(settings, [*steady("A1", 30), transaction(99, "A9", 1.5, 3, attributes={"channel": "web"}, message="hé")])
    once(spark, settings, database, ingest)
    land(settings, steady("A2", 30, first=500), "b.jsonl")
    once(spark, settings, database, ingest)
    every = sorted(row.row_id for row in spark.read.format("delta").load(settings.bronze).collect())
    wanted = every[::3]
    quick = lookup.local_rows(Path(settings.bronze), wanted, range(3))
    assert sorted(quick) == wanted
    assert quick == lookup.table_rows(spark, settings.bronze, wanted)
    assert lookup.local_rows(Path(settings.bronze), wanted, range(2)).keys() < quick.keys()


def test_what_the_files_lack_comes_from_the_table(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, steady("A1", 30))
    take(settings)
    numbers = sorted(row.row_id for row in spark.read.format("delta").load(settings.bronze).collect())
    assert lookup.rows(spark, settings.bronze, numbers, range(0)) == lookup.rows(spark, settings.bronze, numbers, range(5))


def test_the_commits_of_a_batch() -> None:
    assert lookup.versions_of([{"reservoirVersion": 4}], []) == range(5)
    assert lookup.versions_of([{"reservoirVersion": 9}], [{"reservoirVersion": 7}]) == range(6, 10)
    assert lookup.versions_of([], []) == range(0)
