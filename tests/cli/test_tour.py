"""The tour: the whole product through its public API, as processes, to the end."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.tour.walk import steps

pytestmark = [pytest.mark.process, pytest.mark.spark]


@pytest.mark.timeout(600)
def test_the_tour_gets_through(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.app", "tour", "--home", str(tmp_path / "tour")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.count(" ✓ ") == len(list(steps()))
