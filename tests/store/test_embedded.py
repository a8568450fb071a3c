"""The embedded server: made once, found again, raced for, killed, and kept from other processes' pids."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from store import embedded, place
from store.errors import DatabaseAway, EmbeddedFailed
from store.settings import Settings

pytestmark = pytest.mark.database


@pytest.fixture
def home() -> Iterator[Path]:
    base = Path(tempfile.gettempdir()) / f"conclave-embedded-{os.getuid()}"
    base.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=base))
    made.chmod(0o755)
    yield made
    embedded.remove(made)
    shutil.rmtree(made)


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.02)


def data(home: Path) -> Path:
    return Path((home / "postgres" / "place").read_text().strip())


def server_pid(home: Path) -> int:
    found = embedded.pid(data(home))
    assert found is not None
    return found


def value(address: str, query: str, before: str = "select 1") -> object:
    with psycopg.connect(address) as connection:
        connection.execute(before.encode())
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_it_starts_once_keeps_its_address_and_its_rows(home: Path) -> None:
    first = embedded.start(home)
    value(first, "select x from kept", before="create table kept as select 7 as x")
    pid = server_pid(home)
    assert embedded.start(home) == first
    assert server_pid(home) == pid
    assert embedded.stop(home)
    assert not embedded.stop(home)
    assert embedded.start(home) == first
    assert value(first, "select x from kept") == 7


def test_it_is_a_utf8_database_on_loopback_that_asks_for_the_password(home: Path) -> None:
    address = embedded.start(home)
    assert value(address, "select getdatabaseencoding()") == "UTF8"
    assert value(address, "show listen_addresses") == "127.0.0.1"
    assert value(address, "show unix_socket_directories") == ""
    secret = (home / "postgres" / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.replace(secret, "guess"))


def test_the_password_is_for_its_owner_only_and_the_data_for_the_server(home: Path) -> None:
    embedded.start(home)
    assert stat.S_IMODE((home / "postgres" / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(data(home).stat().st_mode) == 0o700
    who = place.account()
    assert data(home).stat().st_uid == (os.getuid() if who is None else who.uid)
    assert not list(home.rglob("initdb.password"))


def test_a_taken_port_is_given_up_for_another(home: Path) -> None:
    first = embedded.start(home)
    embedded.stop(home)
    port = int((home / "postgres" / "port").read_text())
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        second = embedded.start(home)
    assert second != first
    assert value(second, "select 1") == 1


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGQUIT])
def test_a_killed_server_comes_back_with_what_was_committed(home: Path, signal_number: int) -> None:
    address = embedded.start(home)
    value(address, "select x from kept", before="create table kept as select 7 as x")
    killed = server_pid(home)
    os.kill(killed, signal_number)
    until(lambda: embedded.pid(data(home)) is None)
    assert value(embedded.start(home), "select x from kept") == 7
    assert server_pid(home) != killed


def test_a_pid_of_another_process_is_neither_believed_nor_ended(home: Path) -> None:
    address = embedded.start(home)
    embedded.stop(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (data(home) / "postmaster.pid").write_text(f"{stranger.pid}\n{data(home)}\n")
        assert not embedded.stop(home)
        assert stranger.poll() is None
        assert value(embedded.start(home), "select 1") == 1
        assert stranger.poll() is None
        stranger.kill()
    assert embedded.start(home) == address


def test_many_starters_make_one_server(home: Path) -> None:
    code = "import sys; from pathlib import Path; from store import embedded; print(embedded.start(Path(sys.argv[1])))"
    racers = [subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {racer.communicate(timeout=120)[0] for racer in racers}
    assert len(said) == 1
    assert value(said.pop().strip(), "select 1") == 1


def test_it_outlives_the_process_that_started_it(home: Path) -> None:
    code = "import os, sys, pathlib, store.embedded as e; e.start(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(home)], check=False).returncode == -9
    assert value(embedded.start(home), "select 1") == 1


def test_an_interrupted_initdb_is_done_again(home: Path) -> None:
    embedded.start(home)
    embedded.stop(home)
    shutil.rmtree(data(home))
    data(home).with_name("data.new").mkdir()
    (data(home).with_name("data.new") / "half").touch()
    assert value(embedded.start(home), "select 1") == 1


def test_an_open_database_revives_a_killed_server_but_not_a_stopped_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.database import LIBPQ, open_database, wait_for

    for name in LIBPQ:
        monkeypatch.delenv(name, raising=False)
    with open_database(Settings(home=home)) as database:
        os.kill(server_pid(home), signal.SIGKILL)
        until(lambda: embedded.pid(data(home)) is None)
        assert wait_for(lambda: database.fetch("status_server"), 60)
        embedded.stop(home)
        with pytest.raises(DatabaseAway):
            wait_for(lambda: database.fetch("status_server"), 1)
        assert embedded.pid(data(home)) is None


def test_removing_leaves_neither_process_nor_file(home: Path) -> None:
    embedded.start(home)
    pid, where = server_pid(home), data(home)
    embedded.remove(home)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not where.exists()
    assert list(home.iterdir()) == []


def test_what_does_not_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedFailed, match="no_such_option"):
        embedded.start(home, no_such_option="1")


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts the server under another account")
def test_a_home_that_the_account_cannot_enter_is_left_closed(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    address = embedded.start(closed)
    assert value(address, "select 1") == 1
    assert place.SHARED in data(closed).parents
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    shutil.rmtree(closed)  # a person deletes the home; what it left elsewhere is cleared at the next start
    closed.mkdir(mode=0o700)
    orphan = subprocess.run(["pgrep", "-f", str(place.SHARED)], capture_output=True, text=True, check=False).stdout.split()
    assert orphan
    assert embedded.start(closed) != address
    embedded.remove(closed)
    assert not data_elsewhere(closed).exists()


def data_elsewhere(home: Path) -> Path:
    return place.elsewhere(home / "postgres")


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts the server under another account")
def test_programs_that_the_account_cannot_reach_are_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    who = place.account()
    copies = home / "shared"
    monkeypatch.setattr(place, "SHARED", copies)
    monkeypatch.setattr(place, "reaches", lambda _who, folder: copies in folder.parents)
    programs = place.programs(who)
    assert copies in programs.parents
    assert place.run([str(programs / "postgres"), "-V"], who).stdout.startswith("postgres (PostgreSQL) 18")
    assert place.programs(who) == programs
