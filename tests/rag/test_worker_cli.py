import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from rag import docket
from store.database import Database
from store.sections.core import Council

DEADLINE_S = 90.0
CONCLAVE = [sys.executable, "-c", "from cli.app import main; main()", "council"]


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    mine = {"CONCLAVE_DATABASE_URL": database_url, "CONCLAVE_MODEL__ENABLED": "false", "CONCLAVE_HOME": str(tmp_path)}
    return {**os.environ, **mine}


def conclave(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CONCLAVE, *options], env=environment, capture_output=True, text=True, timeout=DEADLINE_S)


def test_workers_side_by_side_add_up_to_one_summary(
    database: Database, environment: dict[str, str], put_cases: Any, make_case: Any
) -> None:
    put_cases(*(make_case(str(n)) for n in range(30)))
    done = conclave(environment, "--once", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["cases"], said["councils"], said["failed"]) == (30, {"rules": 30}, 0)
    assert database.fetch("docket_open", now=None, lanes=["immediate", "batch"])[0]["open"] == 0


def test_it_says_in_words_what_it_did(database: Database, environment: dict[str, str], put_cases: Any, make_case: Any) -> None:
    put_cases(make_case())
    done = conclave(environment, "--once")
    assert done.stdout.startswith("1 rulings in ")
    assert "by rules" in done.stdout
    assert "no case was waiting" in conclave(environment, "--once").stdout


def test_dead_letters_are_listed_and_heard_again(
    database: Database, environment: dict[str, str], put_cases: Any, make_case: Any
) -> None:
    put_cases(make_case())
    council = Council(max_attempts=1)
    docket.fail(database, docket.take(database, "batch", 1, "w", council), "w", "it broke", council)
    listed = conclave(environment, "--dead").stdout
    assert "case-ep1" in listed
    assert "it broke" in listed
    assert json.loads(conclave(environment, "--dead", "--json").stdout)["dead"][0]["case_id"] == "case-ep1"
    assert "on the docket again" in conclave(environment, "--retry", "case-ep1").stdout
    unknown = conclave(environment, "--retry", "case-nope")
    assert unknown.returncode == 1
    assert "no such case" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_with_its_helpers(database: Database, environment: dict[str, str], number: int) -> None:
    import psutil

    process = subprocess.Popen([*CONCLAVE, "--workers", "2", "--json"], env=environment, stdout=subprocess.PIPE, text=True)
    end, tick = time.monotonic() + DEADLINE_S, Event()
    while True:
        with database.connection() as connection:
            if connection.execute("select count(*) as n from workers").fetchall()[0]["n"] == 2:
                break
        assert time.monotonic() < end, "the workers did not come up"
        tick.wait(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert json.loads(out)["cases"] == 0
    assert psutil.wait_procs(children, timeout=20)[1] == []  # Python's own resource tracker ends a moment after its parent
    with database.connection() as connection:
        assert connection.execute("select * from workers").fetchall() == []
