"""A checkpoint that state version 1 really made goes on under today's code as if nothing had happened.

`tests/data/states/checkpoint-1.tar.gz` holds the Delta tables and both checkpoints that release 0.1.0 left after folding
`before()`: 4 shards, 2 state partitions.
"""

import tarfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs import detect, ingest, pinned
from store.database import Database
from store.settings import Settings

from .conftest import contents, land, once, settings_of
from .test_detect import SPREE, everything

CHECKPOINT = Path(__file__).parents[1] / "data" / "states" / "checkpoint-1.tar.gz"
LATER = {*(event["event_id"] for event in SPREE), *(f"r{i}" for i in range(540, 600)), "m199"}


def before() -> list[dict[str, Any]]:
    return [event for event in everything() if event["event_id"] not in LATER]


def after() -> list[dict[str, Any]]:
    return [event for event in everything() if event["event_id"] in LATER]


def take_in(spark: SparkSession, settings: Settings, database: Database, events: list[dict[str, Any]], name: str) -> None:
    land(settings, events, name)
    once(spark, settings, database, ingest)


def carry(spark: SparkSession, source: Settings, to: Settings, batch: int) -> None:
    """The rows of one of ingest's batches, into another bronze: a file source's own checkpoint cannot be moved."""
    rows = spark.read.format("delta").load(source.bronze).where(f"ingest_batch = {batch}")
    rows.coalesce(1).write.format("delta").mode("append").save(to.bronze)


def test_a_checkpoint_of_version_1_goes_on_and_finds_what_an_undisturbed_run_finds(
    spark: SparkSession, database: Database, database_url: str, tmp_path: Path
) -> None:
    undisturbed = settings_of(tmp_path / "undisturbed", database_url)
    take_in(spark, undisturbed, database, before(), "a.jsonl")
    once(spark, undisturbed, database, detect)
    empty(database)
    take_in(spark, undisturbed, database, after(), "b.jsonl")
    once(spark, undisturbed, database, detect)
    expected = contents(database)
    empty(database)

    upgraded = settings_of(tmp_path / "upgraded", database_url)
    with tarfile.open(CHECKPOINT) as packed:
        packed.extractall(upgraded.home, filter="data")
    assert pinned.read_here(upgraded.checkpoint("detect")) == {"job": "detect", "shards": 4, "layout": "5eec1417c5bd0d2a"}
    carry(spark, undisturbed, upgraded, 1)
    once(spark, upgraded, database, detect)
    found = contents(database)
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert len(found["anomalies"]) > 10
    assert found["batches"][0]["state_bytes"] > 0
    pin = pinned.read_here(upgraded.checkpoint("detect"))
    assert pin == pinned.of_detect(upgraded) | {"layouts": [[100, 32, 60]]}


def empty(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("truncate entities, metrics_hour, metrics_minute, anomalies, episodes, cases, docket, batches cascade")
