"""The demo's decisions: what it may delete, what it calls a fault, what it says."""

import fcntl
from pathlib import Path
from typing import Any

import pytest

from cli import demo_home, summary
from cli.errors import DemoFailed
from cli.stages import stages

ROW = {"bronze": 900, "quarantined": 100, "scored": 400, "anomalies": 7, "cases": 4, "rulings": 1, "open": 3, "dead": 0}
GOOD: dict[str, Any] = {
    **ROW, "scored": 900, "open": 0, "events": 1000, "expected_quarantined": 100, "seconds": 80.0, "late": 1, "duplicates": 2,
    "filed": 1, "hits": 9, "episodes": 4, "detectors": {"latency": 7}, "rulings_by": [("confirmed", "rules", 1)],
    "commands": [("watch", "proposed", 1)], "to_anomaly_s": [1.0, 2.0], "to_ruling_s": None, "injected": 5, "found": 4,
    "confirmed": 4, "confirmed_cases": 6, "confirmed_not_injected": 1, "anomalies_not_injected": 3,
}  # fmt: skip


def test_a_folder_that_no_demo_made_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoFailed, match="--home"), demo_home.opened(tmp_path, keep=False):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_a_demos_own_folder_is_begun_afresh_unless_kept(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with demo_home.opened(home, keep=False):
        (home / "old").touch()
    with demo_home.opened(home, keep=True):
        assert (home / "old").exists()
    with demo_home.opened(home, keep=False):
        assert not (home / "old").exists()


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (tmp_path / ".demo.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DemoFailed, match="another demo"), demo_home.opened(tmp_path / "demo", keep=False):
            pass


def test_a_good_run_has_no_fault() -> None:
    assert summary.faults(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bronze": 899, "scored": 899}, "999 are in bronze or quarantine"),
        ({"scored": 899}, "detect read 899"),
        ({"quarantined": 101, "bronze": 899, "scored": 899}, "100 should have been"),
        ({"anomalies": 0}, "No anomaly"),
        ({"rulings": 0}, "no ruling"),
        ({"open": 2}, "2 cases wait"),
        ({"dead": 1}, "could not be heard"),
    ],
)
def test_each_fault_is_said(change: dict[str, int], words: str) -> None:
    said = summary.faults(GOOD | change)
    assert len(said) == 1
    assert words in said[0]


def test_the_summary_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    summary.show(GOOD)
    said = capsys.readouterr().out
    for words in (
        "1,000 sent",
        "7 latency",
        "1 confirmed by rules",
        "1 watch (proposed)",
        "p50 1.0 s, p95 2.0 s",
        "nothing to measure",
    ):
        assert words in said
    assert "5: 4 found, 4 confirmed" in said


def test_stages_say_how_far_it_is() -> None:
    taken, scored, ruled = stages(ROW, 1000)
    assert taken[:2] == (1000, 1000)
    assert scored[:2] == (400, 900)
    assert ruled[:2] == (1, 4)
    assert stages(ROW | {"cases": 0, "open": 0}, 1000)[2][1] is None
