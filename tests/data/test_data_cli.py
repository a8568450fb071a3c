"""The commands as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.data import BUNDLED, dataset_paths
from jobs.errors import UnknownDataset

pytestmark = pytest.mark.process


def conclave(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.app", *arguments], capture_output=True, text=True, timeout=120)


def test_simulate_then_produce(tmp_path: Path) -> None:
    made = conclave("simulate", "--out", str(tmp_path / "data"), "--days", "2", "--accounts", "160", "--seed", "3", "--json")
    assert made.returncode == 0, made.stderr
    events = json.loads(made.stdout)["events"]
    files = [str(path) for path in sorted((tmp_path / "data").glob("*.jsonl.gz"))]
    done = conclave("produce", *files, "--folder", str(tmp_path / "landing"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == sum(events.values())
    landed = sum(len(file.read_bytes().splitlines()) for file in (tmp_path / "landing").iterdir())
    assert landed == sum(events.values())
    assert done.stderr == ""


def test_a_wrong_name_is_one_sentence(tmp_path: Path) -> None:
    failed = conclave("produce", "transaction", "--folder", str(tmp_path))
    assert failed.returncode == 1
    assert "no such data set" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_bundled_names_and_files_may_be_mixed(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text("{}\n")
    assert dataset_paths(["requests", str(own)], BUNDLED) == [BUNDLED / "requests.jsonl.gz", own]
    with pytest.raises(UnknownDataset, match="nothing"):
        dataset_paths(["nothing", "requests"], BUNDLED)
