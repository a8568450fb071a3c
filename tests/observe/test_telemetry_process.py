"""`conclave operate` as a process: its /metrics tells the database's numbers, `conclave status` tells where it is."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observe.telemetry import serving
from observe.telemetry.serving import Target

pytestmark = pytest.mark.process
DEADLINE_S = 90.0


def until(found: Callable[[], Any]) -> Any:
    end, tick = time.monotonic() + DEADLINE_S, Event()
    while not (value := found()):
        assert time.monotonic() < end, "it did not come about"
        tick.wait(0.05)
    return value


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {"CONCLAVE_HOME": str(tmp_path), "CONCLAVE_DATABASE_URL": database_url, "CONCLAVE_TELEMETRY__METRICS_PORT": str(port)}
    return {**os.environ, **ours, "CONCLAVE_SCHEDULE__INSTALL_DEFAULTS": "false"}


@contextmanager
def operating(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        started = subprocess.Popen([sys.executable, "-m", "cli.app", "operate", "--only", "desk"], env=environment, stderr=out)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.wait()


def told(target: Target) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{target.address}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {f"{one.name}{sorted(one.labels.values())}": one.value for family in families for one in family.samples}


def test_operate_tells_the_databases_numbers_and_status_tells_where(environment: dict[str, str], tmp_path: Path) -> None:
    with operating(environment, tmp_path / "log") as first:
        [killed] = until(lambda: serving.targets(tmp_path))
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert serving.targets(tmp_path) == []
    with operating(environment, tmp_path / "log") as second:
        [target] = until(lambda: serving.targets(tmp_path))
        assert (target.process, target.pid) == ("operate", second.pid)
        assert target.pid != killed.pid
        found = until(lambda: numbers if (numbers := told(target)).get("conclave_up['database']") == 1 else None)
        assert found["conclave_docket_depth['immediate']"] == 0
        assert "conclave_audit_broken[]" in until(lambda: n if "conclave_audit_broken[]" in (n := told(target)) else None)
        assert found["process_resident_memory_bytes[]"] > 1e6
        said = subprocess.run(
            [sys.executable, "-m", "cli.app", "status", "--json"], env=environment, capture_output=True, check=True
        )
        [shown] = json.loads(said.stdout)["metrics"]
        assert (shown["process"], shown["address"]) == ("operate", target.address)
        second.send_signal(signal.SIGTERM)
        assert second.wait(DEADLINE_S) == 0
    assert list(serving.folder(tmp_path).iterdir()) == []
