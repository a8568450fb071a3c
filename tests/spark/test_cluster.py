"""`spark-submit jobs/ingest.py` and `jobs/detect.py` from another folder, on a master with two workers, one of which dies."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bench.standalone import Cluster, cluster
from jobs import detect, ingest
from store.database import Database
from store.settings import Settings

from .conftest import TABLES, contents, once, rows_of, settings_of
from .test_detect import everything
from .test_kill import ledger, url_of
from .test_object_storage import FILES, fill

WAIT_S = 400


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster", workers=2) as running:
        yield running


def variables(settings: Settings) -> dict[str, str]:
    return {
        "CONCLAVE_HOME": str(settings.home), "CONCLAVE_DATABASE_URL": url_of(settings), "CONCLAVE_DETECT__SHARDS": "4",
        "CONCLAVE_SOURCE__MAX_FILES_PER_TRIGGER": "1", "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "1",
        "CONCLAVE_DETECT__TRIGGER_S": "0", "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": "2",
    }  # fmt: skip


def ended(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.wait(timeout=WAIT_S) == 0, log.read_text()[-3000:]


@pytest.mark.timeout(900)
def test_a_worker_killed_in_the_middle_costs_nothing(
    spark: SparkSession, settings: Settings, database: Database, two: Cluster, tmp_path: Path
) -> None:
    fill(settings)
    log = tmp_path / "jobs.log"
    ended(two.submit("ingest", variables(settings), "700m", log), log)
    folding = two.submit("detect", variables(settings), "700m", log)
    deadline = time.monotonic() + WAIT_S
    while ledger(database) < 1:
        assert folding.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, "the job did not get so far"
        time.sleep(0.02)
    assert two.kill_worker(1) >= 2, "the worker had an executor"
    before = ledger(database)
    assert before < FILES, "the kill must come in the middle"
    ended(folding, log)
    assert two.launched() >= 4, "both jobs on both workers"
    assert rows_of(database, "select sum(events)::int as n from batches where job = 'detect'") == [{"n": len(everything())}]
    after_fault = contents(database)

    with database.connection() as connection:
        connection.execute("truncate entities, metrics_hour, metrics_minute, anomalies, episodes, cases, docket, batches cascade")
    alone = settings_of(
        tmp_path / "alone", url_of(settings), source={"max_files_per_trigger": 1, "folder": settings.landing},
        detect={"max_files_per_trigger": 1},
    )  # fmt: skip
    for job in (ingest, detect):
        once(spark, alone, database, job)
    undisturbed = contents(database)
    for name in TABLES:
        assert after_fault[name] == undisturbed[name], name
    assert undisturbed["docket"], "an empty docket proves nothing"
