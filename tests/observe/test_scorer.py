"""Faithfulness on a labelled set of our own: 80 answers, half of them held out while the scorer was made."""

import json
from pathlib import Path
from typing import Any

import pytest

from observe.claims import claims

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "answers.jsonl").read_text(encoding="utf-8").splitlines()
]


def figures(part: str) -> tuple[float, float, float]:
    """Precision, recall and accuracy of `some claim is marked` as a sign that the answer is not faithful."""
    marked = {n: any(not claim.supported for claim in claims(r["answer"], r["contexts"], r["query"])) for n, r in enumerate(ROWS)}
    own = [(marked[n], not row["faithful"]) for n, row in enumerate(ROWS) if row["part"] == part]
    hits = sum(found and bad for found, bad in own)
    return hits / sum(found for found, _ in own), hits / sum(bad for _, bad in own), sum(a == b for a, b in own) / len(own)


@pytest.mark.parametrize(("part", "precision", "recall", "accuracy"), [("dev", 0.958, 1.0, 0.975), ("held", 0.909, 0.833, 0.85)])
def test_the_figures_that_docs_state(part: str, precision: float, recall: float, accuracy: float) -> None:
    """docs/how-to/watch-language-models.md prints these; a change of the scorer that changes them must change the page."""
    assert figures(part) == pytest.approx((precision, recall, accuracy), abs=0.001)


def test_the_set_is_what_it_says() -> None:
    assert len(ROWS) == 80
    assert [sum(row["part"] == part for row in ROWS) for part in ("dev", "held")] == [40, 40]
    assert 0.4 < sum(row["faithful"] for row in ROWS) / len(ROWS) < 0.6
    assert len({row["kind"] for row in ROWS}) >= 20
