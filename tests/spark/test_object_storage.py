"""Bronze, quarantine and checkpoints in an object store: a job killed in the middle ends where a run on the local disk does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import detect, ingest
from jobs.errors import JarsUnavailable
from jobs.jars import ensure
from store.database import Database
from store.settings import Settings

from .conftest import TABLES, contents, land, once, rows_of, settings_of
from .test_detect import everything
from .test_kill import url_of
from .test_processors import BIG, live

FILES = 4
WAIT_S = 400  # only an end to waiting: a busy machine takes its time
BOTH = "from jobs.run import run_once; from store.settings import settings; run_once(settings())"
LEDGER = """select sum(events)::int as events, sum(anomalies)::int as anomalies, sum(accepted)::int as accepted,
            sum(quarantined)::int as quarantined from batches group by job order by job"""
HITS = "select tenant, hit_id, processor, version, event_id, entity, event from rule_hits order by hit_id"
KEYS = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "nothing-secret"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a local S3 server with an empty bucket `conclave`."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3")
    try:
        ensure(schemes=["s3a"])
    except JarsUnavailable as error:
        pytest.skip(str(error))
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="anybody", aws_secret_access_key="nothing-secret"
    )
    client.create_bucket(Bucket="conclave")
    yield address
    running.stop()


def variables(settings: Settings, store: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "AWS_"))}
    return own | KEYS | {
        "CONCLAVE_HOME": str(settings.home), "CONCLAVE_DATABASE_URL": url_of(settings),
        "CONCLAVE_STORAGE__ROOT": "s3a://conclave/test", "CONCLAVE_STORAGE__ENDPOINT": store,
        "CONCLAVE_STORAGE__PATH_STYLE": "true", "CONCLAVE_SOURCE__MAX_FILES_PER_TRIGGER": "1",
        "CONCLAVE_DETECT__SHARDS": "4", "CONCLAVE_DETECT__TRIGGER_S": "0", "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "1",
        "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": "2",
    }  # fmt: skip


def started(settings: Settings, store: str, log: Path) -> subprocess.Popen[bytes]:
    """Ingest and detect in one process, until all is folded."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", BOTH], env=variables(settings, store), stdout=file, stderr=file, start_new_session=True
        )


def batches(database: Database, job: str) -> int:
    return int(rows_of(database, f"select count(*) as n from batches where job = '{job}' and events > 0")[0]["n"])


def killed(settings: Settings, store: str, database: Database, log: Path) -> None:
    """Start both and kill them once detect has done a batch."""
    child = started(settings, store, log)
    try:
        deadline = time.monotonic() + WAIT_S
        while batches(database, "detect") < 1:
            assert child.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.02)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def ended(child: subprocess.Popen[bytes], log: Path) -> None:
    try:
        assert child.wait(timeout=WAIT_S) == 0, log.read_text()[-3000:]
    finally:
        child.kill()
        child.wait()


def fill(settings: Settings) -> None:
    events = sorted(everything(), key=lambda event: event["event_time"])
    size = -(-len(events) // FILES)
    for number in range(FILES):
        part = events[number * size : (number + 1) * size]
        land(settings, [*part, {"event_id": "broken"}] if number == 0 else part, f"{number:02d}.jsonl")
        os.utime(settings.landing / f"{number:02d}.jsonl", (number, number))


@pytest.mark.timeout(900)
def test_killed_and_resumed_on_s3_equals_the_local_run(
    spark: SparkSession, settings: Settings, database: Database, store: str, tmp_path: Path
) -> None:
    fill(settings)
    live(database, big=BIG)  # a rule reads the events of a batch, which lie in the store
    log = tmp_path / "jobs.log"
    killed(settings, store, database, log)
    assert batches(database, "detect") < FILES, "the kill must come in the middle"
    ended(started(settings, store, log), log)
    assert not Path(settings.bronze).exists(), "nothing may lie on the local disk"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in log.read_text()
    on_s3, ledger, hits = contents(database, without=("batches",)), rows_of(database, LEDGER), rows_of(database, HITS)

    with database.connection() as connection:
        connection.execute("truncate entities, metrics_hour, metrics_minute, anomalies, episodes, cases, docket, batches cascade")
        connection.execute("truncate rule_counts, rule_totals, rule_hits, processor_pins cascade")
    local = settings_of(settings.home, url_of(settings), source={"max_files_per_trigger": 1}, detect={"max_files_per_trigger": 1})
    for job in (ingest, detect):
        once(spark, local, database, job)
    undisturbed = contents(database, without=("batches",))
    for name in undisturbed:
        assert on_s3[name] == undisturbed[name], name
    assert undisturbed["docket"], "an empty docket proves nothing"
    assert ledger == rows_of(database, LEDGER)
    assert hits == rows_of(database, HITS) != []
    assert set(TABLES) - set(undisturbed) == {"batches"}
