"""The short schedule: each important kind of fault once, and every table as an undisturbed run leaves it."""

import tempfile
from pathlib import Path

import pytest

from chaos import report
from chaos.kinds import ESSENTIAL
from chaos.run import planned, run

pytestmark = [pytest.mark.spark, pytest.mark.process]


@pytest.mark.timeout(900)
def test_ten_faults_lose_nothing_and_repeat_nothing() -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="conclave-chaos-") as made:  # pytest closes its own folders to the database's account
        Path(made).chmod(0o755)
        result = run(1, planned(1, len(ESSENTIAL)), Path(made) / "c", kafka=False, pause_s=3, say=said.append)
    story = "\n".join([*said, *result.wrong, *map(report.said, result.differences)])
    assert result.passed, story
    assert len(result.outcomes) == len(ESSENTIAL) - len(result.skipped) >= 9, story
    assert result.rulings > 0, "a docket without rulings proves nothing"
    assert all(result.rows[name] for name in ("bronze", "quarantine", "anomalies", "episodes", "cases", "docket"))
