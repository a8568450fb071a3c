"""What feedback says of detectors."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule.errors import JobFailed
from schedule.jobs import retrain
from schedule.registry import Context
from store.settings import read

LABELS = st.lists(st.tuples(st.floats(1, 10), st.booleans()), max_size=60)


@given(LABELS)
def test_a_proposal_keeps_more_good_than_today(labels: list[retrain.Label]) -> None:
    factor = retrain.better(labels)
    today = sum(1 if good else -1 for _, good in labels)
    if factor is not None:
        assert sum(1 if good else -1 for score, good in labels if score >= factor) > today


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share(hits: int, misses: int) -> None:
    low, high = retrain.wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low - 1e-9 <= hits / (hits + misses) <= high + 1e-9


def test_few_verdicts_propose_nothing() -> None:
    assert retrain.advise("amount_z", [(1.1, False)] * 5 + [(3.0, True)] * 5).factor is None
    assert retrain.advise("amount_z", [(1.1, False)] * 15 + [(3.0, True)] * 15).factor == 3.0


def test_labels_are_where_a_detector_fired() -> None:
    rows = [
        {"scores": {"amount_z": 2.0, "velocity": 0.4}, "verdict": "confirm"},
        {"scores": {"velocity": 1.0}, "verdict": "dismiss"},
    ]
    assert retrain.by_detector(rows) == {"amount_z": [(2.0, True)], "velocity": [(1.0, False)]}


ROWS = [
    {
        "anomaly_id": "a",
        "detector": "amount_z",
        "scores": {"amount_z": 2.0},
        "severity": 0.7,
        "verdict": "confirm",
        "reason": None,
        "at": datetime(2026, 7, 1, tzinfo=UTC),
    }
]


def test_the_hook_gets_the_file(tmp_path: Path) -> None:
    file = retrain.write(ROWS, tmp_path / "feedback", "now")
    assert pq.read_table(file).to_pylist()[0]["scores"] == [("amount_z", 2.0)]
    count = f"import pyarrow.parquet as pq; print(pq.read_table({'{feedback}'!r}).num_rows)"
    given = {"retrain_command": [sys.executable, "-c", count]}
    context = Context(None, read(home=tmp_path, schedule=given), "main", {}, ROWS[0]["at"])  # type: ignore[arg-type]
    assert retrain.hook(context, file).strip().endswith("1")


def test_a_failing_hook_is_said(tmp_path: Path) -> None:
    given = {"retrain_command": [sys.executable, "-c", "raise SystemExit('no luck')"]}
    context = Context(None, read(home=tmp_path, schedule=given), "main", {}, ROWS[0]["at"])  # type: ignore[arg-type]
    with pytest.raises(JobFailed, match="no luck"):
        retrain.hook(context, tmp_path / "x")
