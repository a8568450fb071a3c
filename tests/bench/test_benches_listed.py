"""scripts/bench names every benchmark there is, and none that is not."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "bench"
TOOLS = {"plots", "scaling", "load"}  # programs beside the benches that measure nothing


def said(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [(), ("--help",), ("nonsense",), ("through",)])
def test_without_a_name_that_is_known_all_are_listed(words: tuple[str, ...]) -> None:
    done = said(*words)
    assert (done.returncode, done.stdout) == (64, "")
    listed = {line.split()[1] for line in done.stderr.splitlines() if line.strip().startswith("scripts/bench ")}
    programs = {file.stem for file in (ROOT / "bench").glob("*.py") if '__name__ == "__main__"' in file.read_text()}
    assert listed == programs - TOOLS


def test_each_begins_by_saying_what_it_measures() -> None:
    for line in said().stderr.splitlines():
        if line.strip().startswith("scripts/bench "):
            text = (ROOT / "bench" / f"{line.split()[1]}.py").read_text()
            assert text.startswith('"""'), line
            assert "ArgumentParser(" in text
            assert "description=" in text, f"{line.split()[1]} --help does not say what it measures"
