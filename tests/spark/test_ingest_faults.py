"""A batch that is run again, wherever the first run was cut off: bronze, quarantine and ledger are as if it had never been."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pyspark.sql import SparkSession

from jobs import bronze, commits, ingest, intake
from store.database import Database
from store.settings import Settings
from trust import master
from trust.vault import Vault

from .conftest import land, once, rows_of, settings_of, steady, transaction

WAIT_S = 120


class Cut(Exception):
    """The process ends here."""


def held(spark: SparkSession, settings: Settings, database: Database) -> dict[str, list[Any]]:
    """All that a batch leaves, without clocks."""
    accepted = spark.read.format("delta").load(settings.bronze).orderBy("row_id")
    quarantine = spark.read.format("delta").load(settings.quarantine).orderBy("row_id")
    return {
        "bronze": accepted.drop("ingest_time", "attributes").collect(),
        "quarantine": quarantine.drop("ingest_time").collect(),
        "notes": rows_of(database, "select record_id, position, reason, excerpt, size from quarantined order by 1"),
        "ledger": rows_of(
            database, "select batch_id, offsets_hash, events, accepted, quarantined, newest_event from batches order by 1"
        ),
    }


def cut_after(module: Any, name: str, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> None:
    """The call of `module.name` with this number still happens, and then nothing more."""
    whole, calls = getattr(module, name), [0]

    def then_end(*given: Any, **named: Any) -> Any:
        found = whole(*given, **named)
        calls[0] += 1
        if calls[0] == number:
            raise Cut(name)
        return found

    monkeypatch.setattr(module, name, then_end)


def begun(spark: SparkSession, home: Path, url: str, database: Database, **sections: Any) -> Settings:
    """A home with both tables and a checkpoint whose batch 0 was logged and never finished; an empty ledger."""
    settings = settings_of(home, url, source={"kind": "kafka"}, **sections)
    bronze.create(spark, settings.bronze, settings.quarantine)
    place = Path(settings.checkpoint("ingest"))
    (place / "offsets").mkdir(parents=True)
    (place / "metadata").write_text('{"id": "one"}')
    (place / "offsets" / "0").write_text('v1\n{}\n{"events": {"0": 40}}')
    with database.connection() as connection:
        connection.execute("truncate quarantined, batches cascade")
    return settings


def take(spark: SparkSession, settings: Settings, database: Database, raws: list[bytes]) -> None:
    """Batch 0, as the stream hands it over."""
    rows = [(raw, "events/0", at, None) for at, raw in enumerate(raws)]
    batch = spark.createDataFrame(rows, "raw binary, source string, position long, fault string")
    intake.Intake(spark, settings, database)(batch.coalesce(1), 0)


def lines(*events: dict[str, Any]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


CUTS = [  # before bronze's commit, after it, after quarantine's, after the ledger and before Spark's own log
    (intake.Intake, "_taken", 1), (commits, "append", 1), (commits, "append", 2), (intake, "note", 1),
]  # fmt: skip


def test_a_batch_cut_off_anywhere_ends_as_an_undisturbed_one(
    spark: SparkSession, tmp_path: Path, database_url: str, database: Database
) -> None:
    raws = [*lines(*steady("A1", 30), transaction(77, "A2", 5, 0) | {"amount": "much"}), b"{"]
    settings = begun(spark, tmp_path / "undisturbed", database_url, database)
    take(spark, settings, database, raws)
    undisturbed = held(spark, settings, database)
    assert [len(rows) for rows in undisturbed.values()] == [30, 2, 2, 1]
    for at, (module, name, number) in enumerate(CUTS):
        settings = begun(spark, tmp_path / str(at), database_url, database)
        with pytest.MonkeyPatch.context() as patched:
            cut_after(module, name, patched, number)
            with pytest.raises(Cut):
                take(spark, settings, database, raws)
        take(spark, settings, database, raws)
        after_fault = held(spark, settings, database)
        for part, rows in undisturbed.items():
            assert after_fault[part] == rows, (name, number, part)


def test_a_record_of_the_future_is_judged_by_the_clock_of_its_first_run(
    spark: SparkSession, tmp_path: Path, database_url: str, database: Database
) -> None:
    """It was refused and then its time came: with another clock it would be in no table at all."""
    settings = begun(spark, tmp_path, database_url, database)
    then = (datetime.now(UTC) + timedelta(seconds=settings.ingest.max_future_s + 60)).isoformat()
    raws = lines(transaction(1, "A", 5, 0), transaction(2, "A", 5, 0) | {"event_time": then})
    with pytest.MonkeyPatch.context() as patched:
        cut_after(commits, "append", patched)
        with pytest.raises(Cut):
            take(spark, settings, database, raws)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(intake, "datetime", Later)
        take(spark, settings, database, raws)
    assert spark.read.format("delta").load(settings.bronze).count() == 1
    assert [row["reason"][:22] for row in rows_of(database, "select reason from quarantined")] == ["event_time lies 1 hour"]
    assert rows_of(database, "select events, accepted, quarantined from batches") == [
        {"events": 2, "accepted": 1, "quarantined": 1}
    ]


class Later(datetime):
    """A clock an hour ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(hours=1)


@pytest.mark.parametrize("identifiers", ["plain", "tokenised"])
def test_in_an_object_store_spark_writes_the_same_rows(
    spark: SparkSession, tmp_path: Path, database_url: str, database: Database, identifiers: str
) -> None:
    privacy = {"identifiers": identifiers, "master_key_file": str(tmp_path / "master.key")}
    master.create(tmp_path / "master.key")
    events = [*steady("A1", 20), transaction(77, "A2", 5, 0) | {"amount": "much"}, transaction(78, "A1", 5, 0, geo=1)]
    found = []
    for way in (intake.by_workers, intake.by_spark):
        settings = begun(spark, tmp_path / way.__name__, database_url, database, privacy=privacy)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(intake, "by_workers", way)
            take(spark, settings, database, lines(*events))
        rows = held(spark, settings, database)
        for table in ("bronze", "quarantine"):
            rows[table] = [one.asDict() | {"raw": clear(settings, database, one.raw)} for one in rows[table]]
        found.append(rows)
    assert found[0] == found[1]
    assert [len(rows) for rows in found[0].values()] == [21, 1, 1, 1]


def clear(settings: Settings, database: Database, raw: bytes | None) -> bytes | None:
    if raw is None or settings.privacy.identifiers == "plain":
        return None if raw is None else bytes(raw)
    return Vault.of(settings).open_bytes(database, bytes(raw).decode())


@pytest.mark.timeout(300)
def test_sigkill_between_bronze_and_the_ledger_loses_and_doubles_nothing(
    spark: SparkSession, settings: Settings, database: Database, database_url: str
) -> None:
    """The ledger's table is locked, so that the job stands still just there until it is killed."""
    land(settings, [*steady("A1", 30), transaction(77, "A2", 5, 0) | {"amount": "much"}])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONCLAVE_")} | {
        "CONCLAVE_HOME": str(settings.home), "CONCLAVE_DATABASE_URL": database_url
    }  # fmt: skip
    log = settings.home / "killed.log"
    with psycopg.connect(database_url) as lock, log.open("ab") as out:
        lock.execute("lock table batches in exclusive mode")
        child = subprocess.Popen(
            [sys.executable, "-m", "cli.app", "ingest"], env=environment, stdout=out, stderr=out, start_new_session=True
        )
        try:
            deadline = time.monotonic() + WAIT_S
            while not rows_of(database, "select 1 from pg_locks where not granted and relation = 'batches'::regclass"):
                assert child.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, "the job did not get so far"
                time.sleep(0.05)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    assert len(list(Path(settings.bronze, "_delta_log").glob("0*.json"))) == 2, "bronze was committed"
    assert rows_of(database, "select 1 from batches") == []
    once(spark, settings, database, ingest)
    after_fault = held(spark, settings, database)
    assert [len(rows) for rows in after_fault.values()] == [30, 1, 1, 1]
    assert rows_of(database, "select events, accepted, quarantined from batches") == [
        {"events": 31, "accepted": 30, "quarantined": 1}
    ]
