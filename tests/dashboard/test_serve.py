"""`conclave dashboard` as a process: it answers, and Ctrl-C leaves nothing behind."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from browser import answering, free_port

from dashboard.serve import address, command

pytestmark = pytest.mark.process


def test_the_command_opens_no_browser_and_reports_nothing_home() -> None:
    given = command("127.0.0.1", 8501)
    assert given[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert {
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
        "--server.address=127.0.0.1",
        "--server.port=8501",
    } <= set(given)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::"])
def test_the_address_said_is_one_a_browser_here_can_open(host: str) -> None:
    assert address(host, 8501) == "http://127.0.0.1:8501"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_ends_with_nothing_left_behind(ending: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    conclave = Path(sys.executable).with_name("conclave")
    away = {**os.environ, "CONCLAVE_DATABASE_URL": "postgresql://127.0.0.1:9/nowhere", "CONCLAVE_DASHBOARD__PORT": str(port)}
    process = subprocess.Popen([conclave, "dashboard"], env=away, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    answering(f"http://127.0.0.1:{port}", process)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        assert answer.status == 200
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(ending)
    said, _ = process.communicate(timeout=20)
    assert f"Dashboard: http://127.0.0.1:{port}" in said
    assert not [member for member in family if member.is_running()]
    assert not list(tmp_path.iterdir()), "the dashboard writes nothing"
