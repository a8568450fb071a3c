"""`spark-submit jobs/ingest.py` and `jobs/detect.py` from another folder, on a standalone master with two workers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from store.database import Database
from store.settings import Settings

from .conftest import land, rows_of
from .test_detect import everything
from .test_kill import url_of

SPARK_HOME = Path(pyspark.__file__).parent
JOBS = Path(__file__).parents[2] / "jobs"
WAIT_S = 60


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "SPARK_", "PYSPARK_"))}
    return own | {"SPARK_HOME": str(SPARK_HOME), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """The address of a master with two workers of a core each."""
    port, started = free_port(), []

    def start(name: str, *words: str) -> None:
        log = (tmp_path / f"{name}.log").open("wb")
        command = [
            str(SPARK_HOME / "bin" / "spark-class"),
            f"org.apache.spark.deploy.{words[0]}",
            "--host",
            "127.0.0.1",
            *words[1:],
        ]
        started.append(subprocess.Popen(command, env=environment(), stdout=log, stderr=log, start_new_session=True))

    address = f"spark://127.0.0.1:{port}"
    start("master", "master.Master", "--port", str(port), "--webui-port", str(free_port()))
    for number in (1, 2):
        folder = str(tmp_path / f"work{number}")
        start(
            f"worker{number}",
            "worker.Worker",
            "--cores",
            "1",
            "--memory",
            "1g",
            "--webui-port",
            str(free_port()),
            "-d",
            folder,
            address,
        )
    try:
        deadline = time.monotonic() + WAIT_S
        while (tmp_path / "master.log").read_text().count("Registering worker") < 2:
            assert time.monotonic() < deadline, (tmp_path / "master.log").read_text()[-2000:]
            time.sleep(0.1)
        yield address
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(timeout=30)


@pytest.mark.timeout(600)
def test_submitted_to_a_cluster_of_two_workers(settings: Settings, database: Database, master: str, tmp_path: Path) -> None:
    land(settings, everything())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    own = environment() | {"CONCLAVE_HOME": str(settings.home), "CONCLAVE_DATABASE_URL": url_of(settings)}
    for job in ("ingest", "detect"):
        command = [
            str(SPARK_HOME / "bin" / "spark-submit"),
            "--master",
            master,
            "--executor-memory",
            "700m",
            str(JOBS / f"{job}.py"),
            "--once",
        ]
        done = subprocess.run(command, env=own, cwd=elsewhere, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    log = (tmp_path / "master.log").read_text()
    assert log.count("Launching executor") >= 4, "both jobs on both workers"
    flagged = {row["entity"] for row in rows_of(database, "select distinct entity from anomalies")}
    assert {"account:A1/EUR", "service:pay", "series:db/cpu"} <= flagged
    assert rows_of(database, "select sum(events)::int as n from batches where job = 'detect'") == [{"n": len(everything())}]
