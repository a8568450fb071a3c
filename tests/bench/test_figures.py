"""The arithmetic of the runs of the whole product: percentiles, slopes with their uncertainty, what became of every case."""

import doctest
import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import figures, latency, overload, pictures, sustained
from bench.load import Events
from bench.watching import Sample

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def samples(lags: list[float]) -> list[Sample]:
    return [Sample(float(at), int(lag), 0, 0, 0, 0, 0, 0) for at, lag in enumerate(lags)]


def test_the_examples_hold() -> None:
    assert doctest.testmod(figures).failed == 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_a_histogram_counts_every_value_once(values: list[float]) -> None:
    assert sum(count for _, count in figures.histogram(values)) == len(values)


def test_nothing_measured_is_nothing_and_not_zero() -> None:
    assert figures.percentiles([]) == {"n": 0, "p50": None, "p95": None, "p99": None, "max": None}


@pytest.mark.parametrize("seed", range(5))
def test_a_saw_without_growth_does_not_grow_and_one_with_growth_does(seed: int) -> None:
    chance = np.random.default_rng(seed)
    saw = [20_000 * (at % 7) / 7 + chance.normal(0, 2_000) for at in range(480)]
    steady, rising = (
        sustained.judged(samples(saw), 30_000),
        sustained.judged(samples([v + 1_500 * t for t, v in enumerate(saw)]), 30_000),
    )
    assert (steady["grows"], steady["sure"]) == (False, True)
    assert (rising["grows"], rising["sure"]) == (True, True)
    assert rising["slope_per_s"] == pytest.approx(1_500, rel=0.1)


def test_a_run_too_short_to_judge_says_so() -> None:
    said = sustained.judged(samples([1.0, 500.0, 3.0]), 1_000)
    assert (said["grows"], said["sure"], said["within"]) == (False, False, None)


@given(st.integers(2, 200))
def test_students_quantile_falls_towards_the_normal_one(freedom: int) -> None:
    assert 1.96 <= figures.student(freedom + 1) <= figures.student(freedom)


def test_the_stages_add_up_to_the_whole() -> None:
    row: dict[str, Any] = {
        "event_time": NOON, "arrived_at": NOON + timedelta(seconds=0.5), "started_at": NOON + timedelta(seconds=2),
        "committed_at": NOON + timedelta(seconds=3.25), "detail": {"fold_s": 0.75, "rules_s": 0.0, "names_s": 0.125},
    }  # fmt: skip
    found = latency.stages(row, {row["arrived_at"]: NOON + timedelta(seconds=1.5)})
    assert found is not None
    assert list(found.values()) == [0.5, 1.0, 0.5, 0.75, 0.0, 0.125, 0.375]
    assert sum(found.values()) == latency.seconds(row["event_time"], row["committed_at"])
    assert latency.stages(row, {}) is None


def test_an_ingest_batch_is_found_in_deltas_log(tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    for version, text in enumerate(('{"metaData":{}}', '{"txn":{"appId":"q","version":7}}\n{"add":{}}')):
        (tmp_path / "_delta_log" / f"{version:020d}.json").write_text(text)
    (moment,) = latency.commits(tmp_path, [{"batch_id": 7, "started_at": NOON}, {"batch_id": 8, "started_at": NOON}]).values()
    assert moment.timestamp() == pytest.approx((tmp_path / "_delta_log" / f"{1:020d}.json").stat().st_mtime, abs=1e-3)


def test_a_case_without_ruling_and_place_is_lost() -> None:
    told = (
        ("batch", "done", True, 5), ("batch", "shed", False, 4), ("immediate", "waiting", False, 3), ("filed", "none", False, 9),
        ("batch", "done", False, 1), ("batch", "none", False, 1),
    )  # fmt: skip
    cases = [dict(zip(("lane", "state", "ruled", "cases"), one, strict=True)) for one in told]
    said = overload.account(cases)
    assert said == {"cases": 14, "below_the_bar": 9, "ruled": 5, "dead": 0, "still_filed": 4, "waiting": 3, "lost": 2}


def test_the_picture_is_svg_and_names_its_curves() -> None:
    drawn = pictures.lag_picture(samples([0, 5, 10]), 30_000)
    ET.fromstring(drawn)
    assert drawn.count("<polyline") == 2
    assert "waits for ingest" in drawn
    assert pictures.lag_picture([], 1).endswith("</svg>\n")


def test_the_load_is_valid_spread_over_all_accounts_and_hot_as_asked() -> None:
    from jobs.events import Accepted, Rules, validate

    events = [line for _, line in Events(50, 100, 2, 7).take(1_000, "2026-03-01T12:00:00.000000Z")]
    assert len(set(events)) == 1_000
    accounts = [line.split(b'"account_id":"')[1].split(b'"')[0] for line in events if b"account_id" in line]
    counts = [accounts.count(one) for one in set(accounts)]
    assert len(counts) == 50
    assert max(counts) - min(counts) <= 2
    amounts = sorted(float(line.split(b'"amount":')[1].split(b",")[0]) for line in events if b"account_id" in line)
    assert sum(amount > 500 for amount in amounts) == 5
    assert not math.isnan(amounts[0])
    rules = Rules(NOON, 3600, 65_536, "main")
    assert {type(validate(line, rules)) for line in events[:60]} == {Accepted}
