"""Each check of a start: well, and broken on purpose; and a job that cannot start says so before Spark does."""

import json
import os
import socket
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from jobs import pinned, startup
from jobs.errors import NotReady, PortTaken
from jobs.run import run
from jobs.startup import checkpoints, machine, ports, servers, system
from jobs.startup.finding import Finding
from store.database import LIBPQ, connect
from store.settings import Settings

pytestmark = pytest.mark.process
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _no_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LIBPQ:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def chosen(home: Path, **given: Any) -> Settings:
    return Settings.model_validate({"home": home, **given})


def states(found: list[Finding]) -> dict[str, str]:
    return {finding.what: finding.state for finding in found}


def test_java_is_found_or_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.java().state == "ok"
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = machine.java()
    assert (found.state, "Java 11" in found.said, "install" in found.fix) == ("fail", True, True)
    old.unlink()
    assert machine.java().state == "fail"
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert machine.java().state == "ok"


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


def test_missing_and_damaged_jars_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.jars(chosen(tmp_path)).state == "ok"
    real = sorted(jar for jar in machine_jars() if jar.stat().st_size < 1_000_000)
    monkeypatch.setenv("CONCLAVE_JARS", str(tmp_path))
    found = machine.jars(chosen(tmp_path))
    assert (found.state, "conclave jars" in found.fix) == ("fail", True)
    (tmp_path / real[0].name).write_bytes(real[0].read_bytes()[:-1])
    assert machine.jars(chosen(tmp_path)).said == found.said


def machine_jars() -> list[Path]:
    from jobs.jars import folder

    return list(folder().glob("*.jar"))


@pytest.mark.parametrize(("free", "state"), [(499_999_999, "fail"), (500_000_000, "warn"), (5 * 10**9, "ok")])
def test_disk_space(free: int, state: str, tmp_path: Path) -> None:
    found = machine.disk_finding(free, tmp_path, 500)
    assert (found.state, "CONCLAVE_HOME" in found.fix) == (state, state != "ok")


def test_a_nearly_full_disk_keeps_jobs_from_starting(tmp_path: Path) -> None:
    full = chosen(tmp_path / "a" / "b", min_free_mb=999_999_999)
    assert machine.disk(full).state == "fail"
    assert "CONCLAVE_MIN_FREE_MB" in machine.disk(full).fix
    assert machine.scratch(full).state == "fail"
    assert not (tmp_path / "a").exists()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    found = machine.folders(chosen(tmp_path / "file" / "home"))
    assert (found[0].state, "CONCLAVE_HOME" in found[0].fix) == ("fail", True)
    landing = chosen(tmp_path, source={"folder": tmp_path / "file"})
    assert states(machine.folders(landing, ("ingest",))) == {"home": "ok", "landing": "fail"}
    assert states(machine.folders(landing, ("detect",))) == {"home": "ok"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    closed: Path | None = tmp_path / "closed"
    (tmp_path / "closed").mkdir(0o500)
    if os.geteuid() == 0:  # whom modes do not stop, but a file system that only reads does
        closed = next((place for place, options in mounts() if "ro" in options and place.is_dir()), None)
    if closed is None:
        pytest.skip("no file system here is mounted read-only")
    found = machine.folder("home", closed / "conclave", "CONCLAVE_HOME")
    assert (found.state, "CONCLAVE_HOME" in found.fix) == ("fail", True)


def mounts() -> list[tuple[Path, list[str]]]:
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [(Path(line[1]), line[3].split(",")) for line in lines]


def test_scratch_space_that_runs_nothing(tmp_path: Path) -> None:
    assert machine.scratch(chosen(tmp_path, min_free_mb=0)).state == "ok"
    writable = [(place, options) for place, options in mounts() if os.access(place, os.W_OK | os.X_OK) and place.is_dir()]
    noexec = next((place for place, options in writable if {"noexec", "rw"} <= set(options)), None)
    if noexec is not None:
        found = machine.scratch(chosen(tmp_path, min_free_mb=0), noexec)
        assert (found.state, "noexec" in found.said, "remount,exec" in found.fix) == ("fail", True, True)
    assert machine.scratch(chosen(tmp_path), tmp_path / "none").state == "fail"


def test_too_few_open_files(tmp_path: Path) -> None:
    assert machine.open_files(chosen(tmp_path)).state == "ok"
    many = chosen(tmp_path, spark={"shuffle_partitions": 200})
    assert machine.open_files(many, 4096).state == "fail"
    assert machine.open_files(many, 20_000).state == "ok"
    assert "ulimit" in machine.open_files(many, 4096).fix


def test_an_embedded_database_is_not_made_only_to_be_checked(tmp_path: Path) -> None:
    assert states(servers.database(chosen(tmp_path), NOW)) == {"database": "ok"}
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_looked_at(tmp_path: Path, database_url: str) -> None:
    settings = chosen(tmp_path, database_url=database_url)
    well = dict.fromkeys(("database", "pgvector", "role", "schema", "clock"), "ok")
    assert states(servers.database(settings, datetime.now(UTC))) == well
    with connect(database_url) as connection:
        connection.execute("delete from schema_migrations where number = 2")
    assert states(servers.database(settings, datetime.now(UTC))) == well | {"schema": "warn"}


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path, database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("insert into schema_migrations (number, name, sha256) values (9999, 'later', 'x')")
    with pytest.raises(NotReady, match=r"database: .*update this installation.*9999"):
        startup.require(chosen(tmp_path, database_url=database_url), "detect")


def test_a_login_that_sees_or_writes_too_little_is_refused(tmp_path: Path, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(f"onlooker_{os.getpid()}")
        connection.execute(sql.SQL("create role {} login password 'x'").format(name))
        try:
            connection.execute(sql.SQL("grant conclave_app to {}").format(name))
            address = database_url.replace(database_url.split("//")[1].split("@")[0], f"onlooker_{os.getpid()}:x")
            found = {one.what: one for one in servers.database(chosen(tmp_path, database_url=address), datetime.now(UTC))}
            assert (found["role"].state, "owner" in found["role"].fix) == ("fail", True)
        finally:
            connection.execute(sql.SQL("drop role {}").format(name))


def test_what_a_server_can_be_told_to_lack() -> None:
    assert servers.extensions({}, has_vectors=False).state == "fail"
    assert servers.extensions({}, has_vectors=True).state == "ok"
    assert "timescaledb" in servers.extensions({"vector": "0.8", "timescaledb": "2"}, has_vectors=True).said
    rights = {"writes": True, "sees_one_tenant": False, "acts_for_tenants": True}
    assert servers.role({"role": "me", "reads_only": True}, rights).state == "fail"
    assert (
        "grant conclave_app to me" in servers.role({"role": "me", "reads_only": False}, rights | {"acts_for_tenants": False}).fix
    )
    assert servers.schema(2, makes_tables=False).state == "fail"


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0, "ok"), (-30, "ok"), (31, "warn"), (-3600, "warn"), (3601, "fail"), (-3601, "fail")]
)
def test_clocks_that_differ(ahead_s: float, state: str) -> None:
    found = servers.clock(ahead_s, 3600)
    assert (found.state, "NTP" in found.fix) == (state, state != "ok")


def test_a_clock_far_off_keeps_jobs_from_starting(tmp_path: Path, database_url: str) -> None:
    settings = chosen(tmp_path, database_url=database_url)
    startup.require(settings, "ingest", "detect")
    with pytest.raises(NotReady, match=r"clock: the database's clock is .* ahead of this machine's: set both by NTP"):
        startup.require(settings, "ingest", now=datetime.now(UTC) - timedelta(hours=2))


def put(settings: Settings, job: str, text: str) -> None:
    place = Path(settings.checkpoint(job))
    place.mkdir(parents=True, exist_ok=True)
    (place / pinned.FILE).write_text(text)


BROKEN: list[tuple[str, Callable[[Settings], str], str]] = [
    ("detect", lambda s: json.dumps(pinned.of_detect(s) | {"shards": 3}), r"detect\.shards was 3, is now 64"),
    ("detect", lambda s: json.dumps(pinned.of_detect(s) | {"state": 99}), r"detect --rebuild`: It is state version 99"),
    ("detect", lambda s: json.dumps(pinned.of_detect(s) | {"schema": "x"}), r"the state's schema was x"),
    ("detect", lambda _: "{", r"conclave\.json is damaged: run `conclave detect --rebuild`"),
    ("ingest", lambda _: '{"job": "ingest", "source": "kafka"}', r"CONCLAVE_HOME\): source\.kind was kafka, is now files"),
]


@pytest.mark.parametrize(("job", "text", "told"), BROKEN)
def test_a_checkpoint_that_does_not_fit_is_refused_before_spark_starts(
    tmp_path: Path, job: str, text: Callable[[Settings], str], told: str
) -> None:
    settings = chosen(tmp_path)
    put(settings, job, text(settings))
    begun = time.process_time()
    with pytest.raises(NotReady, match=told):
        run(job, settings)
    assert time.process_time() - begun < 2
    assert not (tmp_path / "postgres").exists()


def test_a_checkpoint_of_another_program_or_an_older_version(tmp_path: Path) -> None:
    settings = chosen(tmp_path)
    assert checkpoints.pinned_as(settings, "detect").state == "ok"
    Path(settings.checkpoint("detect")).mkdir(parents=True)
    (Path(settings.checkpoint("detect")) / "metadata").write_text("{}")
    assert "another program" in checkpoints.pinned_as(settings, "detect").said
    first = {"job": "detect", "shards": 64, "layout": pinned.layout_hash_1(pinned.Layout(100, 32, 60))}
    put(settings, "detect", json.dumps(first))
    assert "from version 1 to" in checkpoints.pinned_as(settings, "detect").said
    put(settings, "detect", json.dumps(pinned.of_detect(settings) | {"layout": [50, 8, 8]}))
    assert checkpoints.pinned_as(settings, "detect").state == "ok"


def test_every_reason_is_told_at_once_and_soon(tmp_path: Path, closed_port: int) -> None:
    (tmp_path / "landing").write_text("x")
    settings = chosen(
        tmp_path, database_url=f"postgresql://x:topsecret@127.0.0.1:{closed_port}/x", min_free_mb=999_999_999,
        source={"folder": tmp_path / "landing"},
    )  # fmt: skip
    with pytest.raises(NotReady) as error:
        run("ingest", settings)
    said = str(error.value)
    for word in ("conclave check", "landing: ", "disk: ", "database: The database cannot be reached", "CONCLAVE_DATABASE_URL"):
        assert word in said
    assert "topsecret" not in said


def test_kafka_that_does_not_answer_keeps_ingest_from_starting_but_not_detect(tmp_path: Path, closed_port: int) -> None:
    settings = chosen(tmp_path, source={"kind": "kafka", "kafka_servers": f"127.0.0.1:{closed_port}"})
    with pytest.raises(NotReady, match=r"kafka: 127\.0\.0\.1:\d+ does not answer.*CONCLAVE_SOURCE__KAFKA_SERVERS"):
        startup.require(settings, "ingest")
    startup.require(settings, "detect")


@pytest.mark.kafka
def test_a_topic_that_is_missing_is_named(tmp_path: Path) -> None:
    broker = os.environ.get("CONCLAVE_TEST_KAFKA")
    if not broker:
        pytest.skip("CONCLAVE_TEST_KAFKA names no broker")
    found = servers.kafka(chosen(tmp_path, source={"kind": "kafka", "kafka_servers": broker, "kafka_topics": "no-such-topic"}))
    assert (found.state, found.said) == ("fail", "no topic no-such-topic")


def test_a_port_that_is_taken(closed_port: int) -> None:
    assert ports.port("gateway", "127.0.0.1", closed_port).state == "ok"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert ports.port("gateway", "127.0.0.1", number).state == "warn"
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{number} .*CONCLAVE_GATEWAY__PORT"):
            ports.require_free("gateway", "127.0.0.1", number)


def test_state_partitions_that_spark_will_not_change_are_told(tmp_path: Path) -> None:
    """Of a real checkpoint, made with two."""
    with tarfile.open(Path(__file__).parents[1] / "data" / "states" / "checkpoint-1.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    for partitions, state in ((2, "ok"), (4, "warn")):
        settings = chosen(tmp_path, detect={"shards": 4}, spark={"shuffle_partitions": partitions})
        found = checkpoints.pinned_as(settings, "detect")
        assert (found.state, "2 state partitions" in found.said) == (state, state == "warn")
    assert checkpoints.pinned_as(chosen(tmp_path), "ingest").state == "ok"
    with pytest.raises(NotReady, match=r"detect\.shards was 4, is now 64"):
        startup.require(chosen(tmp_path, database_url=None), "detect")
