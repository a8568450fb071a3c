"""Promise 1: SIGKILL in the middle, start again, and everything from bronze to docket equals an undisturbed run's."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import detect, ingest
from store.database import Database
from store.settings import Settings

from .conftest import TABLES, contents, land, once, rows_of, settings_of
from .test_detect import everything

WAIT_S = 180
FILES = 12


def fill(spark: SparkSession, settings: Settings, database: Database) -> None:
    """Bronze in FILES commits, so that detect has as many batches."""
    one_by_one = settings_of(settings.home, url_of(settings), source={"max_files_per_trigger": 1})
    events = sorted(everything(), key=lambda event: event["event_time"])
    size = -(-len(events) // FILES)
    for number in range(FILES):
        land(settings, events[number * size : (number + 1) * size], f"{number:02d}.jsonl")
        os.utime(settings.landing / f"{number:02d}.jsonl", (number, number))
    once(spark, one_by_one, database, ingest)


def url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def cut(settings: Settings) -> Settings:
    return settings_of(settings.home, url_of(settings), detect={"max_files_per_trigger": 1})


def killed_after(settings: Settings, database: Database, batches: int) -> int:
    """Start the detect job as a process and kill it once so many batches are in the ledger; how many there were then."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONCLAVE_")} | {
        "CONCLAVE_HOME": str(settings.home), "CONCLAVE_DATABASE_URL": url_of(settings),
        "CONCLAVE_DETECT__SHARDS": "4",
        "CONCLAVE_DETECT__TRIGGER_S": "0", "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "1",
        "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": "2",
    }  # fmt: skip
    log = (settings.home / "killed.log").open("ab")
    child = subprocess.Popen(
        [sys.executable, "-m", "cli.app", "detect"], env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while (done := ledger(database)) < batches:
            assert child.poll() is None, Path(log.name).read_text()[-2000:]
            assert time.monotonic() < deadline, "the job did not get so far"
            time.sleep(0.02)
        return done
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        log.close()


def ledger(database: Database) -> int:
    return int(rows_of(database, "select count(*) as n from batches where job = 'detect' and events > 0")[0]["n"])


@pytest.mark.timeout(600)
def test_a_killed_detect_ends_where_an_undisturbed_one_does(
    spark: SparkSession, settings: Settings, database: Database, tmp_path: Path, server_url: str
) -> None:
    fill(spark, settings, database)
    bronze = list(spark.read.format("delta").load(settings.bronze).orderBy("row_id").collect())

    killed_after(settings, database, 3)
    assert 3 <= ledger(database) < FILES, "the kill must come in the middle"
    once(spark, cut(settings), database, detect)
    after_fault = contents(database)

    assert spark.read.format("delta").load(settings.bronze).orderBy("row_id").collect() == bronze
    shutil.rmtree(settings.checkpoint("detect"))
    with database.connection() as connection:
        connection.execute("truncate entities, metrics_hour, metrics_minute, anomalies, episodes, cases, docket cascade")
        connection.execute("delete from batches where job = 'detect'")
    once(spark, cut(settings), database, detect)
    undisturbed = contents(database)
    for name in TABLES:
        assert after_fault[name] == undisturbed[name], name
    assert undisturbed["docket"], "an empty docket proves nothing"
