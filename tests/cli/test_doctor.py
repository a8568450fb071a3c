"""Each check: well, and broken on purpose."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import doctor, system
from store.database import LIBPQ, connect
from store.settings import Settings

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _no_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIBPQ:
        monkeypatch.delenv(name, raising=False)


def chosen(tmp_path: Path, **given: Any) -> Settings:
    return Settings.model_validate({"home": tmp_path, **given})


def states(found: doctor.Finding | list[doctor.Finding]) -> dict[str, str]:
    return {finding.what: finding.state for finding in (found if isinstance(found, list) else [found])}


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


def test_java_is_found_or_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.java(chosen(tmp_path)).state == "ok"
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = doctor.java(chosen(tmp_path))
    assert found.state == "fail"
    assert "Java 11" in found.said
    assert "install" in found.fix
    old.unlink()
    assert doctor.java(chosen(tmp_path)).state == "fail"


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_292"', 8),
        ('openjdk version "24-ea" 2025', 24),
        ("no", None),
    ],
)
def test_javas_own_words_are_understood(said: str, major: int | None) -> None:
    assert system.java_major(said) == major


@pytest.mark.parametrize("manager", system.PACKAGES)
def test_each_system_has_its_command(manager: str) -> None:
    command = system.install_command("java", [manager], root=False)
    assert command is not None
    assert manager in command
    assert ("sudo" in command) == (manager != "brew")
    assert system.install_command("java", [], root=True) is None


def test_missing_jars_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCLAVE_JARS", str(tmp_path))
    found = doctor.jars(chosen(tmp_path))
    assert found.state == "fail"
    assert "conclave jars" in found.fix


@pytest.mark.parametrize(("free", "state"), [(10**8, "fail"), (10**9, "warn"), (5 * 10**9, "ok")])
def test_disk_space(free: int, state: str, tmp_path: Path) -> None:
    assert doctor.disk_finding(free, tmp_path).state == state


def test_the_disk_of_a_home_that_is_not_there_yet(tmp_path: Path) -> None:
    assert doctor.disk(chosen(tmp_path, home=tmp_path / "a" / "b")).what == "disk"


def test_an_embedded_database_is_not_made_only_to_be_checked(tmp_path: Path) -> None:
    assert states(doctor.database(chosen(tmp_path))) == {"database": "ok"}
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_looked_at(tmp_path: Path, database_url: str) -> None:
    settings = chosen(tmp_path, database_url=database_url)
    assert states(doctor.database(settings)) == {"database": "ok", "pgvector": "ok", "schema": "ok"}
    with connect(database_url) as connection:
        connection.execute("delete from schema_migrations where number = 2")
    assert states(doctor.database(settings))["schema"] == "warn"


def test_a_database_that_is_away_or_newer_is_a_failure_among_the_other_checks(
    tmp_path: Path, closed_port: int, database_url: str
) -> None:
    away = chosen(tmp_path, database_url=f"postgresql://x@127.0.0.1:{closed_port}/x", model={"enabled": False})
    found = {finding.what: finding for finding in doctor.examine(away)}
    assert found["database"].state == "fail"
    assert set(found) >= {"python", "java", "jars", "model", "disk"}
    with connect(database_url) as connection:
        connection.execute("insert into schema_migrations (number, name, sha256) values (9999, 'later', 'x')")
    newer = {finding.what: finding for finding in doctor.examine(chosen(tmp_path, database_url=database_url))}
    assert "9999" in newer["database"].said


def test_kafka_is_asked_only_when_events_come_from_it(tmp_path: Path, closed_port: int) -> None:
    assert "kafka" not in {finding.what for finding in doctor.examine(chosen(tmp_path))}
    source = {"kind": "kafka", "kafka_servers": f"127.0.0.1:{closed_port}"}
    found = doctor.kafka(chosen(tmp_path, source=source))
    assert found.state == "fail"
    assert "KAFKA_SERVERS" in found.fix


def test_missing_extension_is_a_failure() -> None:
    assert doctor._extensions({}, set()).state == "fail"
    assert doctor._extensions({}, {"vector"}).state == "ok"
    assert "timescaledb" in doctor._extensions({"vector": "0.8"}, {"timescaledb"}).said


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_only_a_failure_is_exit_code_1(
    state: doctor.State, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [doctor.Finding("thing", state, "how it is", "the [fix]")])
    with pytest.raises(typer.Exit) as ended:
        doctor.doctor()
    assert ended.value.exit_code == code
    assert "the [fix]" in capsys.readouterr().out
    with pytest.raises(typer.Exit):
        doctor.doctor(as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"what": "thing", "state": state, "said": "how it is", "fix": "the [fix]"}]
