"""The Dockerfile, and the two small programs that say whether a container is well."""

import http.server
import re
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store.database import Database

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_runs_as_a_plain_user() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\w+)$", last, re.MULTILINE) == ["conclave"]
    assert "--uid 10001" in last


def test_bases_are_pinned_and_packages_come_by_hash() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    assert "--require-hashes -r /tmp/requirements.txt" in DOCKERFILE


def test_every_package_of_the_project_is_copied_and_let_through() -> None:
    include = re.search(r"^include = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert include is not None
    packages = [name.rstrip("*") for name in re.findall(r'"([^"]+)"', include.group(1))]
    copied = re.findall(r"^COPY (\w+) ", DOCKERFILE, re.MULTILINE)
    assert set(packages) <= set(copied)
    let_through = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    sources = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert sorted(sources) == sorted(let_through)
    assert all((ROOT / name).exists() for name in sources)


@pytest.fixture(scope="module")
def alive() -> Callable[..., bool]:
    return runpy.run_path(str(ROOT / "deploy" / "alive.py"))["alive"]


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({"worker_id": "detect@here/7", "silent_s": 1.0}, True),
        ({"worker_id": "detect@here/7", "silent_s": 60.0}, True),
        ({"worker_id": "detect@here/7", "silent_s": 60.1}, False),
        ({"worker_id": "detect@there/7", "silent_s": 1.0}, False),
        ({"worker_id": "detect@here2/7", "silent_s": 1.0}, False),
        ({"worker_id": "ingest@here/7", "silent_s": 1.0}, False),
    ],
)
def test_alive_is_this_job_on_this_host_lately(alive: Callable[..., bool], worker: dict[str, Any], expected: bool) -> None:
    assert alive([worker], "detect", "here") is expected


def test_nobody_at_all_is_not_alive(alive: Callable[..., bool]) -> None:
    assert not alive([], "detect", "here")


def check(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "alive.py"), *arguments], capture_output=True, text=True, timeout=60,
        env={"CONCLAVE_DATABASE_URL": url, "PATH": ""}, cwd="/",
    )  # fmt: skip


def test_the_program_asks_the_database(database: Database, database_url: str) -> None:
    assert check(database_url, "council").returncode == 1
    with database.connection() as connection:
        connection.execute("insert into workers (worker_id, job) values (%s, 'council')", [f"council@{socket.gethostname()}/1"])
    assert check(database_url, "council").returncode == 0
    assert check(database_url, "detect").returncode == 1
    with database.connection() as connection:
        connection.execute("update workers set seen_at = seen_at - interval '5 minutes'")
    assert check(database_url, "council").returncode == 1
    assert check(database_url, "council", "600").returncode == 0


def test_no_database_is_not_well_and_says_so() -> None:
    done = check("postgresql://nobody@127.0.0.1:1/none", "detect")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr


@pytest.fixture
def page() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/well" else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_answers_or_not(page: str) -> None:
    answers = runpy.run_path(str(ROOT / "deploy" / "answers.py"))["answers"]
    assert answers(f"{page}/well")
    assert not answers(f"{page}/ill")
    assert not answers("http://127.0.0.1:1/")
