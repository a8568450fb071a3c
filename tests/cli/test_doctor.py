"""Each check: well, and broken on purpose."""

import http.server
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import doctor
from jobs.errors import JobRunning
from jobs.fence import fenced
from jobs.startup.finding import State
from store.database import LIBPQ
from store.settings import Settings

Conclave = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _no_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIBPQ:
        monkeypatch.delenv(name, raising=False)


def chosen(tmp_path: Path, **given: Any) -> Settings:
    return Settings.model_validate({"home": tmp_path, **given})


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def ollama() -> Iterator[str]:
    """A server that answers /api/tags as Ollama does."""

    class Tags(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"models": [{"name": "small:latest"}, {"name": "big:8b"}]}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Tags) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("name", "state"), [("big:8b", "ok"), ("small", "ok"), ("big", "warn"), ("other", "warn")])
def test_the_model_must_be_there_by_name(tmp_path: Path, ollama: str, name: str, state: str) -> None:
    found = doctor.model(chosen(tmp_path, model={"base_url": ollama, "name": name}))
    assert found.state == state
    assert state == "ok" or f"ollama pull {name}" in found.fix


def test_no_model_is_only_a_warning(tmp_path: Path, closed_port: int) -> None:
    found = doctor.model(chosen(tmp_path, model={"base_url": f"http://127.0.0.1:{closed_port}"}))
    assert found.state == "warn"
    assert "rules council" in found.said
    assert doctor.model(chosen(tmp_path, model={"base_url": "ftp://nowhere"})).state == "warn"
    assert doctor.model(chosen(tmp_path, model={"enabled": False})).state == "ok"


def examined(settings: Settings) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(settings, datetime.now(UTC))}


def test_everything_is_looked_at_though_the_database_is_away(tmp_path: Path, closed_port: int) -> None:
    away = chosen(tmp_path, database_url=f"postgresql://x@127.0.0.1:{closed_port}/x", model={"enabled": False})
    found = examined(away)
    assert found["database"].state == "fail"
    assert set(found) >= {"python", "java", "jars", "home", "landing", "disk", "scratch", "files", "model", "gateway port"}
    assert {"ingest checkpoint", "detect checkpoint", "dashboard port"} <= set(found)


def test_a_job_that_runs_is_seen_and_its_fence_left_alone(tmp_path: Path, database_url: str) -> None:
    settings = chosen(tmp_path, database_url=database_url, model={"enabled": False})
    with fenced(database_url, settings.checkpoint("detect")):
        found = examined(settings)
        assert (found["detect"].state, found["ingest"].state) == ("warn", "ok")
        with pytest.raises(JobRunning), fenced(database_url, settings.checkpoint("detect")):
            pass
    assert examined(settings)["detect"].state == "ok"
    with fenced(database_url, settings.checkpoint("detect")):
        pass


def test_kafka_is_asked_only_when_events_come_from_it(tmp_path: Path, closed_port: int) -> None:
    assert "kafka" not in examined(chosen(tmp_path, model={"enabled": False}))
    source = {"kind": "kafka", "kafka_servers": f"127.0.0.1:{closed_port}"}
    found = examined(chosen(tmp_path, source=source, model={"enabled": False}))
    assert found["kafka"].state == "fail"
    assert "KAFKA_SERVERS" in found["kafka"].fix
    assert "landing" not in found


def test_a_port_that_is_taken_is_said_by_the_command_that_wants_it(conclave: Conclave, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for name in ("dashboard", "gateway"):
            done = conclave(name, "--port", port, cwd=tmp_path)
            assert done.returncode == 1
            assert f"CONCLAVE_{name.upper()}__PORT" in done.stderr
            assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_only_a_failure_is_exit_code_1(
    state: State, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: [doctor.Finding("thing", state, "how it is", "the [fix]")])
    with pytest.raises(typer.Exit) as ended:
        doctor.check()
    assert ended.value.exit_code == code
    assert "the [fix]" in capsys.readouterr().out
    with pytest.raises(typer.Exit):
        doctor.check(as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"what": "thing", "state": state, "said": "how it is", "fix": "the [fix]"}]
