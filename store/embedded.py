"""The embedded Postgres: one server per home, on loopback TCP, started when needed and left running until stopped.

Files in HOME/postgres: `lock` (one starter at a time), `password` (mode 0600), `port` (kept over restarts while free),
`place` (where the data is, see store.place). It opens no unix socket, so no path can be too long for one.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from store import place
from store.errors import EmbeddedFailed

NAME = "conclave"  # of the role and of the database
TRIES = 5
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}


def start(home: Path, **options: str) -> str:
    """Start the server of `home` unless it runs, and return its URL.

    Safe to repeat and to race: one starter works, the others find its server. `options` are Postgres settings, used only
    when this call starts the server. Raises EmbeddedFailed with the server's last words.
    """
    with _alone(home) as folder:
        who = place.account()
        data = _settled(folder, who)
        if not _await_ready(data):
            _initialise(folder, data, who, durable=options.get("fsync") != "off")
            _launch(folder, data, who, OPTIONS | options)
        return _url(folder)


def exists(home: Path) -> bool:
    """Whether `home` has an embedded server yet, running or not."""
    return (home / "postgres" / "place").exists()


def revive(home: Path) -> str:
    """The URL of the server of `home`; it is started again only if it died without being told to.

    A clean stop removes postmaster.pid, so a client that outlives `stop` does not bring the server back.
    """
    folder = home.absolute() / "postgres"
    record = folder / "place"
    if record.exists() and (Path(record.read_text().strip()) / "postmaster.pid").exists():
        return start(home)
    return _url(folder)


def stop(home: Path) -> bool:
    """Stop the server of `home`; False when none was running. Clients are disconnected, nothing committed is lost."""
    if not exists(home):
        return False
    with _alone(home) as folder:
        return _stop(Path((folder / "place").read_text().strip()))


def remove(home: Path) -> None:
    """Stop the server of `home` and delete its data, wherever they are."""
    stop(home)
    folder = home.absolute() / "postgres"
    if (folder / "place").exists():
        data = Path((folder / "place").read_text().strip())
        shutil.rmtree(data if data.parent == folder else data.parent, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def pid(data: Path) -> int | None:
    """The pid of the server of this data folder; a number in a stale postmaster.pid is not believed.

    What counts is the process's own command line: it is `postgres -D <this folder>`, readable without privileges.
    """
    try:
        number = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(number)
        words = process.cmdline()
        alive = process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, NotADirectoryError, ValueError, psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    ours = bool(words) and Path(words[0]).name == "postgres" and "-D" in words and str(data) in words
    return number if alive and ours else None


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[Path]:
    folder = home.absolute() / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK) and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o711)  # the server's account passes through it to `data`; it may not list it
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _settled(folder: Path, who: place.Account | None) -> Path:
    """The data folder; what a deleted home left behind elsewhere is cleared away first."""
    fresh = not (folder / "place").exists()
    data = place.data_folder(folder, who)
    if fresh and data.exists() and not (folder / "password").exists():
        _stop(data)
        shutil.rmtree(data)
    return data


def _await_ready(data: Path, wait_s: float = 120) -> bool:
    """True once the server accepts connections, False when none is running."""
    deadline = time.monotonic() + wait_s
    while pid(data) is not None:
        lines = (data / "postmaster.pid").read_text().split("\n")
        if len(lines) > 7 and lines[7].strip() == "ready":
            return True
        if time.monotonic() > deadline:
            raise EmbeddedFailed(f"a server is starting or stopping in {data} and does not get ready.\n{_last_words(data)}")
        time.sleep(0.05)
    return False


def _initialise(folder: Path, data: Path, who: place.Account | None, *, durable: bool) -> None:
    if (data / "PG_VERSION").exists():
        return
    unfinished, word = data.with_name("data.new"), data.with_name("initdb.password")
    shutil.rmtree(unfinished, ignore_errors=True)
    _write_private(folder / "password", secrets.token_urlsafe(24))
    _write_private(word, (folder / "password").read_text())
    unfinished.mkdir(mode=0o700)
    if who is not None:
        for path in (unfinished, word):
            os.chown(path, who.uid, who.gid)
    bin_folder, sync = place.programs(who), [] if durable else ["--no-sync"]
    try:
        _checked([str(bin_folder / "initdb"), "-D", str(unfinished), "-U", NAME, f"--pwfile={word}", *sync, *INITDB], who)
        _checked([str(bin_folder / "postgres"), "--single", "-D", str(unfinished), "postgres"], who, f"create database {NAME}\n")
    finally:
        word.unlink()
    unfinished.rename(data)


INITDB = ("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def _launch(folder: Path, data: Path, who: place.Account | None, options: dict[str, str]) -> None:
    """Start the server; tried again for a port taken meanwhile and for a killed server's last backends."""
    for attempt in range(TRIES):
        _clear_stale(data)
        port = _port(folder)
        given = " ".join(f"-c {name}='{value}'" for name, value in (options | {"port": str(port)}).items())
        waits = ["-w", "-t", "120", "-l", str(_log(data)), "-o", given]
        command = [str(place.programs(who) / "pg_ctl"), "-D", str(data), *waits, "start"]
        done = place.run(command, who)
        if done.returncode == 0:
            return
        time.sleep(0.3 * (attempt + 1))
    raise EmbeddedFailed(f"\npg_ctl said: {done.stderr.strip()[-500:]}\n{_last_words(data)}")


def _clear_stale(data: Path) -> None:
    """Remove a postmaster.pid whose number now belongs to another process, or to a zombie; Postgres would refuse to start.

    One whose process is gone is left to Postgres, which first looks for the dead server's shared memory.
    """
    file = data / "postmaster.pid"
    if file.exists() and pid(data) is None:
        number = file.read_text().split("\n", 1)[0].strip()
        if not number.isdigit() or psutil.pid_exists(int(number)):
            file.unlink(missing_ok=True)
    if _log(data).exists() and _log(data).stat().st_size > 10_000_000:
        os.truncate(_log(data), 0)


def _stop(data: Path) -> bool:
    if pid(data) is None:
        return False
    who = place.account()
    for mode in ("fast", "immediate"):
        command = [str(place.programs(who) / "pg_ctl"), "-D", str(data), "-m", mode, "-w", "-t", "60", "stop"]
        if place.run(command, who).returncode == 0 or pid(data) is None:
            return True
    raise EmbeddedFailed(f"the server in {data} does not stop.\n{_last_words(data)}")


def _port(folder: Path) -> int:
    """The port used last time if it is free, else a new free one; written down."""
    file = folder / "port"
    wanted = int(file.read_text()) if file.exists() else 0
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                port = int(probe.getsockname()[1])
                file.write_text(str(port))
                return port
    raise EmbeddedFailed("no free TCP port on 127.0.0.1.")


def _url(folder: Path) -> str:
    try:
        password, port = (folder / "password").read_text(), (folder / "port").read_text()
    except FileNotFoundError:
        raise EmbeddedFailed(f"there is none in {folder} yet.") from None
    return f"postgresql://{NAME}:{password}@127.0.0.1:{port}/{NAME}"


def _checked(command: list[str], who: place.Account | None, given: str | None = None) -> None:
    done = place.run(command, who, given)
    if done.returncode != 0:
        raise EmbeddedFailed(f"{Path(command[0]).name} said: {(done.stderr or done.stdout).strip()[-2000:]}")


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


def _log(data: Path) -> Path:
    return data / "server.log"


def _last_words(data: Path) -> str:
    return "\n".join(_log(data).read_text(errors="replace").splitlines()[-15:]) if _log(data).exists() else "(no log)"
