"""docs/promises.md names tests that exist, and every promise of the design has one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "promises.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_test_named_exists() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if not defines(ROOT / file, name)]
    assert missing == []
    assert len(NAMED) > 50


def defines(file: Path, name: str) -> bool:
    return file.exists() and re.search(rf"^(async )?def {name}\(", file.read_text(), re.MULTILINE) is not None


def test_every_promise_and_every_row_has_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not re.match(r"\| (\| )?(promise|rule) \|", line)]
    assert [row for row in rows if "::" not in row] == []
    assert {row.split("|")[1].strip() for row in rows if row.count("|") == 4} >= {str(number) for number in range(1, 8)}
