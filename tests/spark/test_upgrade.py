"""A checkpoint that state version 1 really made goes on under today's code as if nothing had happened.

`tests/data/states/checkpoint-1.tar.gz` holds the Delta tables and both checkpoints that release 0.1.0 left after folding
`before()`: 4 shards, 2 state partitions.
"""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs import detect, ingest, pinned
from store.database import Database
from store.settings import Settings

from .conftest import contents, land, once, rows_of, settings_of
from .test_detect import SPREE, everything

CHECKPOINT = Path(__file__).parents[1] / "data" / "states" / "checkpoint-1.tar.gz"
LATER = {*(event["event_id"] for event in SPREE), *(f"r{i}" for i in range(540, 600)), "m199"}


def before() -> list[dict[str, Any]]:
    return [event for event in everything() if event["event_id"] not in LATER]


def after() -> list[dict[str, Any]]:
    return [event for event in everything() if event["event_id"] in LATER]


def go_on(spark: SparkSession, settings: Settings, database: Database) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold of the later part alone."""
    land(settings, after(), "b.jsonl")
    for job in (ingest, detect):
        once(spark, settings, database, job)
    return contents(database)


def test_a_checkpoint_of_version_1_goes_on_and_finds_what_an_undisturbed_run_finds(
    spark: SparkSession, database: Database, database_url: str, take: Callable[[Settings], None], tmp_path: Path
) -> None:
    undisturbed = settings_of(tmp_path / "undisturbed", database_url)
    land(undisturbed, before())
    take(undisturbed)
    empty(database)
    expected = go_on(spark, undisturbed, database)
    empty(database)

    upgraded = settings_of(tmp_path / "upgraded", database_url)
    with tarfile.open(CHECKPOINT) as packed:
        packed.extractall(upgraded.home, filter="data")
    assert pinned.read_here(upgraded.checkpoint("detect")) == {"job": "detect", "shards": 4, "layout": "5eec1417c5bd0d2a"}
    found = go_on(spark, upgraded, database)
    assert found == expected
    assert len(found["anomalies"]) > 10
    assert found["batches"][0]["state_bytes"] > 0
    pin = pinned.read_here(upgraded.checkpoint("detect"))
    assert pin == pinned.of_detect(upgraded) | {"layouts": [[100, 32, 60]]}

    wider = settings_of(upgraded.home, database_url, detect={"window": 120})
    land(wider, [{**SPREE[-1], "event_id": "t999", "event_time": "2026-03-03T00:00:00Z"}], "c.jsonl")
    for job in (ingest, detect):
        once(spark, wider, database, job)
    assert rows_of(database, "select count(*)::int as n from anomalies where event_id = 't999'") == [{"n": 2}]


def empty(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("truncate entities, metrics_hour, metrics_minute, anomalies, episodes, cases, docket, batches cascade")
