"""A process is killed with all that it started, or in part, and started again with the same command."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psutil
import pytest

from chaos.processes import Process, Watchdog
from chaos.servers import Broker, Disk, kafka_missing, mounts_missing
from chaos.source import Source

pytestmark = pytest.mark.process
WAIT_S = 30.0
CHILD = "import time; time.sleep(600)"
LEADER = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {CHILD!r}]); print('up', flush=True); time.sleep(600)"
)


def until(condition: Callable[[], bool]) -> None:
    end, tick = time.monotonic() + WAIT_S, Event()
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        tick.wait(0.02)


def two(process: Process) -> bool:
    return len(process.members()) == 2


def test_what_dies_is_started_again_and_in_the_end_nothing_is_left(tmp_path: Path) -> None:
    process = Process("it", [sys.executable, "-c", LEADER], dict(os.environ), tmp_path / "it.log")
    with Watchdog({"it": process}) as watchdog:
        until(lambda: two(process))
        first = process.members()
        process.signal(signal.SIGKILL)
        until(lambda: process.pid != first[0].pid and two(process))
        assert watchdog.restarts == {"it": 1}
        second = process.members()
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in [*first, *second]))
    assert process.log.read_text().count("up") == 2


def test_only_the_leader_or_only_the_jvm_is_hit(tmp_path: Path) -> None:
    process = Process("it", [sys.executable, "-c", LEADER], dict(os.environ), tmp_path / "it.log")
    process.start()
    until(lambda: two(process))
    try:
        leader, child = process.members()
        process.signal(signal.SIGSTOP, "jvm")
        assert leader.status() != psutil.STATUS_STOPPED, "there is no JVM here"
        process.signal(signal.SIGSTOP, "python")
        until(lambda: leader.status() == psutil.STATUS_STOPPED)
        assert child.status() != psutil.STATUS_STOPPED
    finally:
        process.signal(signal.SIGKILL)
        process.stop()


def test_a_disk_is_full_to_the_last_byte_and_free_again(tmp_path: Path) -> None:
    if why := mounts_missing(tmp_path):
        pytest.skip(why)
    with Disk(tmp_path / "small", 2) as disk:
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(b"x" * 8192)
        disk.free()
        assert (disk.folder / "more").write_bytes(b"x" * 8192) == 8192
    assert not os.path.ismount(tmp_path / "small")


@pytest.mark.kafka
def test_a_killed_broker_has_what_it_had_taken(tmp_path: Path) -> None:
    if why := kafka_missing():
        pytest.skip(why)
    broker = Broker(tmp_path / "broker")
    try:
        broker.start()
        broker.make_topic()
        source = Source(tmp_path, broker)
        source.put([b"%d" % n for n in range(100)])
        broker.kill()
        broker.start()
        source.put([b"%d" % n for n in range(100, 150)])
        assert source.places() == [("events/0", offset) for offset in range(150)]
    finally:
        broker.stop()
