"""The product's processes: started, killed whole or in part, and started again by a watchdog with the same command."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaos.schedule import Part

LOOK_S, ALONE_S, STOP_S = 0.1, 20.0, 30.0


@dataclass
class Process:
    """A command in a session of its own; `restarts` counts the watchdog's starts, `leftovers` what outlived its leader."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    leftovers: int = 0
    wanted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        with self._lock, self.log.open("ab") as out:
            out.write(f"\n--- {self.name}, start {self.restarts}\n".encode())
            out.flush()
            self.wanted = True
            self.running = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=self.env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def members(self) -> list[psutil.Process]:
        """All living processes of the session, the leader first."""
        return sorted(session(self.pid), key=lambda one: one.pid != self.pid)

    def signal(self, number: int, part: Part = "whole") -> None:
        """Send a signal to all of the session, or to its Python leader or its JVM only."""
        for one in self.members():
            if part == "whole" or ((one.pid == self.pid) == (part == "python") and (part == "python" or is_jvm(one))):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)

    def look(self) -> bool:
        """Start it again when it ended though it should run; whether it was."""
        if not self.wanted or self.running is None or self.running.poll() is None:
            return False
        self._clear()
        if not self.wanted:
            return False
        self.restarts += 1
        self.start()
        return True

    def wait(self, wait_s: float) -> None:
        """Wait for its own end."""
        assert self.running is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.wait(wait_s)

    def stop(self) -> int | None:
        """Ask it to end, and end it when it does not; its exit code."""
        self.wanted = False
        if self.running is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.running.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.running.wait(STOP_S)
        self.signal(signal.SIGKILL)
        return self.running.wait()

    def _clear(self) -> None:
        """What is left of a dead leader's session gets a while to end by itself, as from a service manager."""
        deadline = time.monotonic() + ALONE_S
        while list(session(self.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for one in session(self.pid):
            self.leftovers += 1
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def session(leader: int) -> Iterator[psutil.Process]:
    """The living processes of the session that `leader` leads, also those whose parents are gone."""
    for pid in psutil.pids():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader and (one := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
                yield one


def is_jvm(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name() == "java"
    return False


class Watchdog:
    """Looks at the processes and starts again what ended. A context manager; leaving it stops all of them."""

    def __init__(self, processes: dict[str, Process]) -> None:
        self.processes = processes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="watchdog")

    def __enter__(self) -> "Watchdog":
        for process in self.processes.values():
            process.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask all of them to end, and see to it; safe to repeat."""
        self._stop.set()
        for process in self.processes.values():
            process.wanted = False
        self._thread.join()
        for process in self.processes.values():
            process.stop()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            for process in self.processes.values():
                process.look()

    @property
    def restarts(self) -> dict[str, int]:
        return {name: process.restarts for name, process in self.processes.items()}
