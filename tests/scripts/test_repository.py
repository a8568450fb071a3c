"""Rules of the repository that a person forgets: no host of a registry, no machine's path, small modules, clean scripts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ["scripts/setup", "scripts/demo", "scripts/test", "scripts/check", "scripts/bench", ".ci/run"]
# Written in pieces, so that this file does not name them itself.
HOSTS = [name.replace("!", ".") for name in (
    "pypi!org", "pythonhosted!org", "registry!npmjs!org", "repo1!maven!org", "repo!maven!apache!org", "maven!org/maven2",
    "proxy!golang!org", "static!crates!io", "deb!debian!org", "files!pythonhosted")]  # fmt: skip
PATHS = re.compile(r"(?<![\w.~/-])/(?:work|root)/\w")


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    found = []
    for file in committed():
        content = file.read_bytes()
        if b"\0" not in content[:4096] and file.suffix not in (".gz", ".png", ".jsonl"):
            found.append((str(file.relative_to(ROOT)), content.decode(errors="replace")))
    return found


def test_no_file_names_a_registry() -> None:
    named = [f"{name}: {host}" for name, text in texts() for host in HOSTS if host in text]
    assert named == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [f"{name}: {found.group()}" for name, text in texts() if (found := PATHS.search(text))] == []


def test_no_module_is_too_long_to_read() -> None:
    packages = ("store/", "jobs/", "rag/", "dashboard/", "cli/")
    lengths = {name: len(text.splitlines()) for name, text in texts() if name.endswith(".py") and name.startswith(packages)}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_scripts_are_clean() -> None:
    done = subprocess.run(["shellcheck", "-x", *SCRIPTS], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_is_bash_and_runs_from_anywhere(script: str) -> None:
    text = (ROOT / script).read_text()
    if script != "scripts/setup":
        assert text.startswith("#!/usr/bin/env bash\n")
        assert "set -euo pipefail" in text
        assert (ROOT / script).stat().st_mode & 0o111
    assert "BASH_SOURCE" in text
