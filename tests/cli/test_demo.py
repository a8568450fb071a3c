"""The demo as a person runs it: all of it, once, and interrupted. Real Spark, database, council and dashboard."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from store import embedded

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
DEMO = [sys.executable, "-m", "cli.app", "demo"]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # the embedded server's account passes through it
    yield folder / "demo"
    embedded.remove(folder / "demo")
    shutil.rmtree(folder)


@pytest.fixture
def env() -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG")) or name == "CONCLAVE_JARS"
    }
    ports = {f"CONCLAVE_{part}__PORT": str(port) for part, port in zip(("GATEWAY", "DASHBOARD"), free_ports(2), strict=True)}
    return clean | ports | {"CONCLAVE_MODEL__ENABLED": "false"}


def free_ports(count: int) -> list[int]:
    """Ports that no other demo on this machine prefers."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.2)


def belonging(home: Path) -> list[str]:
    """Command lines of living processes that name this home, in words or in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and (
                str(home) in words or process.environ().get("CONCLAVE_HOME") == str(home)
            ):
                found.append(words)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_once_finds_what_was_injected_and_ends_with_nothing_left(home: Path, env: dict[str, str]) -> None:
    done = subprocess.run([*DEMO, "--once", "--json", "--home", str(home)], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["bronze"] + figures["quarantined"] == figures["events"] > 100_000
    assert figures["quarantined"] == figures["expected_quarantined"]
    assert figures["confirmed"] >= 0.8 * figures["injected"]
    assert figures["confirmed_not_injected"] <= figures["confirmed_cases"] / 2
    assert figures["rulings"] + figures["filed"] == figures["cases"]
    assert belonging(home) == []


def test_live_serves_the_dashboard_until_ctrl_c_and_leaves_no_process(home: Path, env: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as out:
        demo = subprocess.Popen([*DEMO, "--home", str(home)], stderr=out, stdout=out, env=env)
    try:
        until(lambda: "Dashboard: http" in said.read_text() or demo.poll() is not None, 120)
        found = re.search(r"Dashboard: (http://\S+)", said.read_text())
        assert found, said.read_text()
        until(lambda: answers(found.group(1)), 120)
        until(lambda: re.search(r"[1-9][\d,]* scored", said.read_text()) or demo.poll() is not None, 300)
        assert demo.poll() is None, said.read_text()
        assert {"ingest", "detect", "council"} <= {line.split()[-1] for line in belonging(home) if "cli.app" in line}
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0, said.read_text()
    finally:
        demo.kill()
    assert belonging(home) == []


def test_a_part_that_dies_is_reported_with_its_last_words_and_all_ends(home: Path, env: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as out:
        demo = subprocess.Popen([*DEMO, "--home", str(home)], stderr=out, stdout=out, env=env)
    try:
        until(lambda: (home / "children.json").exists() and part(home, "council") is not None, 120)
        council = part(home, "council")
        assert council is not None
        council.kill()
        assert demo.wait(90) == 1
    finally:
        demo.kill()
    assert "council ended with code -9" in said.read_text()
    assert "Traceback" not in said.read_text()
    assert belonging(home) == []


def part(home: Path, name: str) -> psutil.Process | None:
    for entry in json.loads((home / "children.json").read_text() or "[]"):
        if psutil.pid_exists(entry["pid"]) and psutil.Process(entry["pid"]).cmdline()[-1:] == [name]:
            return psutil.Process(entry["pid"])
    return None


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
