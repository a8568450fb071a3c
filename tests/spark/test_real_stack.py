"""The same run on Kafka and TimescaleDB: events through the broker, tables as hypertables, rulings at the end."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pyspark.sql import SparkSession

from jobs import detect, ingest
from jobs.targets import Topic
from store import timescale
from store.database import open_database
from store.settings import Settings

from .conftest import once, rows_of, settings_of
from .test_detect import everything
from .test_ingest import BROKEN

KAFKA, TIMESCALE = os.environ.get("CONCLAVE_TEST_KAFKA"), os.environ.get("CONCLAVE_TEST_TIMESCALE")
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timescale,
    pytest.mark.skipif(
        KAFKA is None or TIMESCALE is None, reason="set CONCLAVE_TEST_KAFKA and CONCLAVE_TEST_TIMESCALE to run it"
    ),
]


@pytest.fixture
def own_url() -> Iterator[str]:
    """An empty database on the TimescaleDB server."""
    name = f"way_{os.getpid()}"
    with psycopg.connect(str(TIMESCALE), autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield make_conninfo(str(TIMESCALE), dbname=name)
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def stack(home: Path, url: str, topic: str) -> Settings:
    source = {"kind": "kafka", "kafka_servers": KAFKA, "kafka_topics": topic, "max_offsets_per_trigger": 500}
    return settings_of(home, url, source=source, model={"enabled": False})


def test_from_the_broker_to_rulings(spark: SparkSession, tmp_path: Path, own_url: str) -> None:
    from rag import runbook, worker

    settings = stack(tmp_path, own_url, f"events-{tmp_path.name}")
    events, target = everything(), Topic(str(KAFKA), settings.source.kafka_topics)
    for event in events:
        target.write(str(event.get("account_id") or event.get("service")).encode(), json.dumps(event).encode())
    for raw in BROKEN:
        target.write(None, raw)
    target.close()
    with open_database(settings) as database:
        runbook.add_file(database, Path(__file__).parents[2] / "data" / "runbook.md")
        for job in (ingest, detect):
            once(spark, settings, database, job)
        worker.run(settings, once=True)

        bronze = spark.read.format("delta").load(settings.bronze)
        places = bronze.unionByName(spark.read.format("delta").load(settings.quarantine), allowMissingColumns=True)
        assert places.select("source", "position").distinct().count() == len(events) + len(BROKEN) == places.count()
        assert {row.event_id for row in bronze.select("event_id").collect()} == {event["event_id"] for event in events}
        with database.connection() as connection:
            assert set(timescale.HYPERTABLES) <= set(timescale.hypertables(connection))
        flagged = {row["entity"] for row in rows_of(database, "select distinct entity from anomalies")}
        assert {"account:A1/EUR", "service:pay", "series:db/cpu"} <= flagged
        ruled = rows_of(database, "select council, count(*)::int as n from rulings where in_force group by 1")
        waiting = rows_of(database, "select count(*)::int as n from docket where state <> 'done'")
        heard = rows_of(database, "select count(*)::int as n from cases where lane <> 'filed'")
        assert (ruled, waiting) == ([{"council": "rules", "n": heard[0]["n"]}], [{"n": 0}])
