"""The README stays true: its commands exist, its links lead somewhere, its settings are settings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from store.settings import known_variables

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))


def test_every_link_and_picture_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert len(links) > 8


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"(?:^|`)conclave ([a-z]+(?: (?:add|list|retry))?)", TEXT, re.MULTILINE)))
)
def test_every_command_has_its_help(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.app", *command.split(), "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_script_is_there_and_can_be_run() -> None:
    scripts = set(re.findall(r"\bscripts/\w+", TEXT))
    assert {"scripts/demo", "scripts/test"} <= scripts
    assert [name for name in scripts if not os.access(ROOT / name, os.X_OK)] == []
    assert all(shutil.which("bash") for _ in scripts)


def test_every_setting_is_one() -> None:
    named = set(re.findall(r"CONCLAVE_[A-Z_]*[A-Z]", TEXT)) - {"CONCLAVE_SECTION__FIELD"}
    assert named - known_variables() - {"CONCLAVE_HOME"} == set()


def test_what_is_submitted_is_there() -> None:
    assert [path for path in re.findall(r"spark-submit .* (jobs/\w+\.py)", SHELL) if not (ROOT / path).is_file()] == []
