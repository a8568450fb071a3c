"""Each detector against its naive reference, and the coding of amounts, gaps and latencies against its stated precision."""

import math
from dataclasses import replace

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from streams import START, S, even, scored, scores

from jobs.detectors import ALL
from jobs.detectors.detector import normal_score
from jobs.points import SERIES, SERVICE, Points
from jobs.policy import Policy
from jobs.service_windows import level_of, quantile_level, upper_ms
from jobs.windows import GAPS as SIXTEENTHS
from jobs.windows import decode_amounts, encode_amounts, encode_gaps, window_sums

UNIT = Policy(window=40, warm_up=20, thresholds=dict.fromkeys(ALL, 1.0))


def account(seed: int, n: int = 400) -> Points:
    """Log-normal amounts and exponential gaps, with outliers, a burst and a shift."""
    rng = np.random.default_rng(seed)
    amounts = rng.lognormal(3.5, 0.5, n) * np.where(rng.random(n) < 0.04, 20, 1) * np.where(np.arange(n) > 300, 5, 1)
    gaps = rng.exponential(3600, n)
    gaps[200:215] = rng.exponential(5, 15)
    return replace(even(np.round(amounts, 2)), time=START + (np.cumsum(gaps) * S).astype(np.int64))


def on_the_grid(points: Points) -> Points:
    """The same with amounts and gaps that the coding keeps exactly."""
    gaps_us = np.diff(points.time, prepend=points.time[0])
    exact_us = SIXTEENTHS[encode_gaps(gaps_us)] * (S // 16)
    return replace(points, value=decode_amounts(encode_amounts(points.value)), time=START + np.cumsum(exact_us))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["amount_z", "amount_robust_z", "velocity"])
def test_account_detectors_equal_their_reference_where_the_coding_is_exact(name, seed):
    points = on_the_grid(account(seed))
    ours, reference = scores(points, name, UNIT), np.abs(np.array(naive.amount_scores(points, 40, 20)[name]))
    np.testing.assert_allclose(np.abs(ours), reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "within"), [("amount_z", 0.03), ("amount_robust_z", 0.06)])
def test_amount_detectors_equal_their_reference_within_the_coding(name, within, seed):
    points = account(seed)
    ours, reference = scores(points, name, UNIT), np.array(naive.amount_scores(points, 40, 20)[name])
    gated = (ours == 0) != (reference == 0)  # within the coding of the gate's edge
    assert gated.mean() < 0.02
    np.testing.assert_allclose(ours[~gated], reference[~gated], atol=within, rtol=0.02)
    assert np.nanmax(ours) > 4


@pytest.mark.parametrize("seed", range(3))
def test_velocity_equals_its_reference_within_the_coding_of_gaps(seed):
    points = account(seed)
    ours, reference = scores(points, "velocity", UNIT), np.array(naive.amount_scores(points, 40, 20)["velocity"])
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(reference))
    assert np.nanmax(np.abs(ours - reference)) < 0.35
    assert np.nanmean(np.abs(ours - reference)) < 0.08
    assert np.nanmax(ours) > 4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["value_z", "difference_z"])
def test_series_detectors_equal_their_reference(name, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(50, 3, 300) + np.where(np.arange(300) > 200, 30, 0) + np.where(rng.random(300) < 0.03, 40, 0)
    points = even(values, kind=SERIES)
    ours, reference = scores(points, name, UNIT), np.array(naive.series_scores(points, 40, 20)[name])
    np.testing.assert_allclose(ours, reference, rtol=1e-9, atol=1e-12)
    assert np.nanmax(ours) > 4


@pytest.mark.parametrize("gap_s", [1.3, 11.0, 85.0])
@pytest.mark.parametrize("name", ["error_rate", "latency"])
def test_service_detectors_equal_their_reference(name, gap_s):
    """Busy, middling and so quiet that a bucket closes by its length."""
    policy = replace(UNIT, service_buckets=6, min_count=8)
    rng = np.random.default_rng(int(gap_s))
    n, bad = 900, (np.arange(900) > 500) & (np.arange(900) < 540)
    ms = rng.lognormal(4, 0.4, n) * np.where(bad, 8, 1)
    ms[rng.random(n) < 0.1] = np.nan
    gaps = rng.exponential(gap_s, n)
    failed = rng.random(n) < np.where(bad, 0.6, 0.01)
    points = replace(even(ms, kind=SERVICE, errors=failed), time=START + (np.cumsum(gaps) * S).astype(np.int64))
    reference = np.array(naive.service_scores(points, 8, policy.min_error_rate, 6)[name])
    for batches in (1, 7):
        ours = scores(points, name, policy, batches)
        np.testing.assert_allclose(ours, reference, rtol=1e-9, atol=1e-12)
    assert np.nanmax(reference) > (3 if gap_s < 60 else 1)


def test_the_p95_of_the_open_bucket_is_the_sample_s_within_a_level():
    rng = np.random.default_rng(1)
    points = even(rng.lognormal(5, 0.8, 200), gap_s=0.1, kind=SERVICE)
    past = scored(points, Policy())[0].past
    for n in (1, 2, 20, 77, 200):
        level = int(past.p95[n - 1])
        assert upper_ms(level - 1) <= np.quantile(points.value[:n], 0.95, method="inverted_cdf") <= upper_ms(level)


def test_normal_scores_agree_with_tables_of_students_t():
    """Two-sided 5 %, 1 % and 0.1 % points of Student's t against those of the normal law."""
    table = {9: (2.262, 3.250, 4.781), 19: (2.093, 2.861, 3.883), 99: (1.984, 2.626, 3.392)}
    for freedom, points in table.items():
        found = normal_score(np.array(points), np.full(3, freedom))
        np.testing.assert_allclose(found, (1.960, 2.576, 3.291), atol=0.02)


@given(st.floats(1e-3, 1e12))
def test_an_amount_is_kept_within_a_twentieth_of_a_percent(amount):
    back = float(decode_amounts(encode_amounts(np.array([amount])))[0])
    assert abs(back / amount - 1) <= math.expm1(0.5 / 1024) + 1e-9
    assert encode_amounts(np.array([-amount]))[0] == encode_amounts(np.array([amount]))[0]


@given(arrays.arrays(np.float64, 20, elements=st.floats(-1e100, 1e100)))
def test_amounts_keep_their_order_and_never_take_the_code_of_an_absent_place(amounts):
    sizes = np.sort(np.abs(amounts))
    codes = encode_amounts(sizes)
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert (codes < 32_767).all()


@given(st.integers(0, 10 * 365 * 86_400 * S))
def test_a_gap_is_kept_within_a_twentieth_or_a_sixteenth_of_a_second(gap_us):
    back_s = float(SIXTEENTHS[encode_gaps(np.array([gap_us]))[0]]) / 16
    limit_s = float(SIXTEENTHS[-1]) / 16
    assert abs(back_s - min(gap_us / S, limit_s)) <= max(0.05 * gap_us / S, 1 / 16)


@run_settings(max_examples=50)
@given(arrays.arrays(np.int64, st.integers(1, 60), elements=st.integers(-(2**62), 2**62)), st.data())
def test_window_sums_are_exact(values, data):
    low = data.draw(st.integers(0, len(values)))
    high = data.draw(st.integers(low, len(values)))
    exact = sum(int(x) for x in values[low:high])
    found = int(window_sums(values, np.array([low]), np.array([high]))[0])
    assert (found - exact) % 2**64 == 0


@given(st.floats(0, 1e7))
def test_a_latency_lies_within_its_level(ms):
    level = int(level_of(np.array([ms]))[0])
    assert level == 63 or ms <= upper_ms(level) * (1 + 1e-12)
    assert level == 0 or ms >= upper_ms(level - 1) * (1 - 1e-12)


@given(st.lists(st.integers(0, 63), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_level_has_enough_counts_up_to_it_and_too_few_before(levels, q):
    found = quantile_level(np.bincount(levels, minlength=64), q)
    assert sum(one <= found for one in levels) >= q * len(levels)
    assert sum(one < found for one in levels) < q * len(levels)
