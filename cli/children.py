"""Processes that the demo starts: each in a session of its own, watched, and stopped in order with all that they started."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

POLITE_S = 15.0
KILLED_S = 10.0


@dataclass
class Child:
    """A started process; its output goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self.process.poll()

    def last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Children:
    """The demo's processes, in the order in which they were started; stopped in the order given by `stop`.

    `register` is a file that outlives us: a demo that was killed leaves its children behind, and the next one ends them.
    """

    def __init__(self, logs: Path, register: Path) -> None:
        self._logs, self._register = logs, register
        self._children: list[Child] = []

    def start(self, name: str, command: list[str], env: dict[str, str]) -> Child:
        """Start a process apart from our terminal: Ctrl-C reaches us alone, and we pass it on in order."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True
            )
        child = Child(name, process, log)
        self._children.append(child)
        self._write_register()
        return child

    def ended(self, name: str) -> bool:
        """Whether the child of this name has ended well; True also when none was started."""
        return all(child.code == 0 for child in self._children if child.name == name)

    def dead(self, may_end: tuple[str, ...] = ()) -> Child | None:
        """A child that ended although it should not have: any end, or only a failure for those that may end."""
        for child in self._children:
            if child.code is not None and (child.code != 0 or child.name not in may_end):
                return child
        return None

    def pids(self) -> dict[str, int]:
        """The leaders' pids by name."""
        return {child.name: child.process.pid for child in self._children}

    def stop(self) -> None:
        """Ask the children to end, the newest last, then end what is left of their sessions."""
        for child in self._children:
            _stop(child.process.pid, child.process)
        self._children.clear()
        self._register.unlink(missing_ok=True)

    def _write_register(self) -> None:
        entries = [{"pid": child.process.pid, "born": _born(child.process.pid)} for child in self._children]
        self._register.write_text(json.dumps(entries))


def end_leftovers(register: Path) -> int:
    """End the children of a demo that was killed; a pid counts only with the birth time that was written down."""
    if not register.exists():
        return 0
    left = [entry["pid"] for entry in json.loads(register.read_text()) if any(members(entry["pid"], entry["born"]))]
    for pid in left:
        _stop(pid, None)
    register.unlink()
    return len(left)


def members(pid: int, born: float | None = None) -> Iterator[psutil.Process]:
    """The living processes of the session that `pid` leads, also those whose parents are gone.

    With `born`, the leader must be that very process or be gone: a session's number is not given again while it has members.
    """
    now = _born(pid)
    if born is not None and now is not None and abs(now - born) > 1:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _stop(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    """SIGTERM to the leader, who ends its own; after a while SIGKILL to whatever is left of the session."""
    if process is None or process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + POLITE_S
    while list(members(pid)) and time.monotonic() < deadline:
        if _gone(pid, process):
            deadline = min(deadline, time.monotonic() + 2)  # the leader is gone: what is left has no one to tell it
        time.sleep(0.05)
    _kill(pid)
    if process is not None:
        process.wait()


def _kill(pid: int) -> None:
    """SIGKILL to what is left of a session, until it is really gone; it may start more while it is killed."""
    deadline = time.monotonic() + KILLED_S
    while (left := list(members(pid))) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.02)


def _gone(pid: int, process: subprocess.Popen[bytes] | None) -> bool:
    return process.poll() is not None if process is not None else _born(pid) is None


def _born(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
