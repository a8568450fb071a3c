"""Processes and all that they start: watched, stopped in order, none left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.children import Children, end_leftovers

pytestmark = pytest.mark.process


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"
# Like a Spark driver: its worker is in a process group of its own, outlives it and does not listen.
PARENT = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], stdout=subprocess.PIPE, preexec_fn=lambda: os.setpgid(0, 0))
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    made = Children(tmp_path / "logs", tmp_path / "children.json")
    yield made
    made.stop()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        threading.Event().wait(0.02)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_stopping_leaves_no_process_not_even_one_that_does_not_listen(children: Children) -> None:
    parent = children.start("parent", python(PARENT), dict(os.environ))
    until(parent.log.read_text)
    worker = int(parent.log.read_text())
    assert alive(worker)
    children.stop()
    assert not alive(parent.process.pid)
    assert not alive(worker)


def test_they_are_asked_first_and_in_order(children: Children, tmp_path: Path) -> None:
    told = str(tmp_path / "told")
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (open({!r}, "a").write({!r}), sys.exit()))
print("up", flush=True)
signal.pause()
"""
    for name in ("ingest", "detect", "council"):
        child = children.start(name, python(code.format(told, f"{name} ")), dict(os.environ))
        until(child.log.read_text)
    children.stop()
    assert Path(told).read_text() == "ingest detect council "


def test_ctrl_c_on_our_terminal_does_not_reach_them(children: Children) -> None:
    child = children.start("child", python("import time; time.sleep(300)"), dict(os.environ))
    assert os.getsid(child.process.pid) == child.process.pid != os.getsid(0)


def test_a_dead_child_is_noticed_with_its_last_words(children: Children) -> None:
    well = children.start("produce", python("print('done')"), dict(os.environ))
    ill = children.start("council", python("print('first'); raise SystemExit('the reason')"), dict(os.environ))
    until(lambda: well.code is not None and ill.code is not None)
    assert children.dead(may_end=("produce",)) is ill
    assert ill.code == 1
    assert ill.last_words(1) == "the reason"


def test_an_end_is_well_only_for_those_that_may(children: Children) -> None:
    child = children.start("produce", python(""), dict(os.environ))
    until(lambda: child.code == 0)
    assert children.dead(may_end=("produce",)) is None
    assert children.dead() is child
    assert children.ended("produce")


def test_a_failed_child_has_not_ended_well(children: Children) -> None:
    child = children.start("streams", python("raise SystemExit(3)"), dict(os.environ))
    until(lambda: child.code == 3)
    assert not children.ended("streams")
    assert children.dead(may_end=("streams",)) is child


def test_what_a_killed_demo_left_is_ended_by_the_next(tmp_path: Path) -> None:
    demo = f"""
import os, time
from pathlib import Path
from cli.children import Children
children = Children(Path({str(tmp_path)!r}) / "logs", Path({str(tmp_path)!r}) / "children.json")
print(children.start("parent", [{sys.executable!r}, "-c", {PARENT!r}], dict(os.environ)).process.pid, flush=True)
time.sleep(300)
"""
    with subprocess.Popen(python(demo), stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        parent = int(killed.stdout.readline())
        log = tmp_path / "logs" / "parent.log"
        until(log.read_text)
        killed.send_signal(signal.SIGKILL)
    worker = int(log.read_text())
    assert alive(parent)
    assert end_leftovers(tmp_path / "children.json") == 1
    assert not alive(parent)
    assert not alive(worker)
    assert end_leftovers(tmp_path / "children.json") == 0


def test_a_pid_that_another_process_got_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(python("import time; time.sleep(300)"), start_new_session=True) as stranger:
        (tmp_path / "children.json").write_text(json.dumps([{"pid": stranger.pid, "born": time.time() - 5000}]))
        assert end_leftovers(tmp_path / "children.json") == 0
        assert stranger.poll() is None
        stranger.kill()
