"""Merge the small files that streaming leaves behind.

`dataChange` is false in such a commit, so a stream that reads the table passes over it; the small files stay until a VACUUM, so
time travel and the lookup of flagged rows go on.
"""

from dataclasses import dataclass

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from jobs.session import session
from jobs.turn import turn
from store.database import open_database
from store.settings import Settings


@dataclass(frozen=True)
class Compacted:
    """What became of one table's files."""

    table: str
    before: int
    after: int


def compact(settings: Settings, *, least: int = 8) -> list[Compacted]:
    """Compact bronze and quarantine where they have at least `least` files; a table that is not there is passed over."""
    spark = session(settings, "compact")
    done = []
    for name, path in (("bronze", settings.bronze), ("quarantine", settings.quarantine)):
        if DeltaTable.isDeltaTable(spark, path) and (files := _files(spark, path)) >= least:
            with open_database(settings) as database, turn(settings, database, path):
                DeltaTable.forPath(spark, path).optimize().executeCompaction()
            done.append(Compacted(name, files, _files(spark, path)))
    return done


def _files(spark: SparkSession, path: str) -> int:
    return int(DeltaTable.forPath(spark, path).detail().select("numFiles").collect()[0][0])
