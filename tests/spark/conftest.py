"""One Spark session for all of these tests; every test has its own home and its own database."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import detect, ingest
from jobs.session import session
from store.database import Database
from store.settings import Settings, read

START = datetime(2026, 3, 1, tzinfo=UTC)
Event = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("spark")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    opened = session(read(home=tmp_path_factory.mktemp("spark"), spark={"shuffle_partitions": 2}), "conclave tests")
    yield opened
    opened.stop()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return settings_of(tmp_path, database_url)


def settings_of(home: Path, database_url: str, **sections: Any) -> Settings:
    detect_settings = {"shards": 4, "trigger_s": 0, **sections.pop("detect", {})}
    return read(home=home, database_url=database_url, detect=detect_settings, spark={"shuffle_partitions": 2}, **sections)


@pytest.fixture
def take(spark: SparkSession, database: Database) -> Callable[[Settings], None]:
    """Run ingest over what has landed, then detect over what is in bronze."""

    def run(settings: Settings) -> None:
        for job in (ingest, detect):
            once(spark, settings, database, job)

    return run


def once(spark: SparkSession, settings: Settings, database: Database, job: Any) -> None:
    query = job.start(spark, settings, database, once=True)
    try:
        query.awaitTermination()
    finally:
        query.stop()


def transaction(number: int, account: str, amount: float, minutes: float, **more: Any) -> Event:
    time = START + timedelta(minutes=minutes)
    event = {
        "event_id": f"t{number}",
        "event_time": time.isoformat(),
        "kind": "transaction",
        "account_id": account,
        "amount": amount,
    }
    return event | {"currency": "EUR", "counterparty_id": f"T{number % 3}"} | more


def steady(account: str, count: int, first: int = 0, amount: float = 20.0) -> list[Event]:
    """An account's ordinary purchases, one an hour, amounts a little apart."""
    return [transaction(first + i, account, amount * (1 + 0.1 * ((i * 7) % 5)), 60 * i) for i in range(count)]


def land(settings: Settings, events: Iterable[Event], name: str = "a.jsonl") -> None:
    settings.landing.mkdir(parents=True, exist_ok=True)
    content = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    (settings.landing / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def rows_of(database: Database, query: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


# What must be equal after a fault: everything from ledger to docket but the wall clock and the ids of checkpoints.
TABLES = {
    "entities": "select entity_hash, tenant, entity, kind, subject, qualifier, first_seen from entities order by 1",
    "metrics_hour": """select entity_hash, bucket, count, sum, sum_squares, min, max, anomalies, late, duplicates
        from metrics_hour order by 1, 2""",
    "metrics_minute": """select entity_hash, bucket, count, errors, sum, sum_squares, min, max, histogram, anomalies, late,
        duplicates from metrics_minute order by 1, 2""",
    "anomalies": """select anomaly_id, episode_id, ordinal, entity, detector, event_id, event_time, value, expected, low, high,
        unit, window_size, severity, scores, context, event from anomalies order by 1""",
    "episodes": """select episode_id, entity, kind, revision, started_at, last_at, first_event_id, last_event_id, severity,
        detectors, worst - 'detected_at' - 'query_id' - 'batch_id' - 'arrived_at' as worst, settings_hash
        from episodes order by 1""",
    "cases": "select case_id, episode_id, entity, revision, severity, lane, started_at, last_at from cases order by 1",
    "docket": "select case_id, lane, priority, revision, heard_revision, state, reason from docket order by 1",
    "batches": """select batch_id, events, points, late, duplicates, conflicts, unwatched, anomalies, episodes, entities,
        state_bytes from batches where job = 'detect' order by 1""",
}


def contents(database: Database, *, without: tuple[str, ...] = ()) -> dict[str, list[dict[str, Any]]]:
    return {name: rows_of(database, query) for name, query in TABLES.items() if name not in without}
