"""Sampling keeps what matters and loses nothing on average: the weighted estimates are unbiased."""

import itertools
import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from observe import estimates, sampling
from observe.estimates import Estimate
from observe.sampling import Case, Policy, decide, draw, novel, shapes

VALUES = st.floats(-1e3, 1e3)
NAMES = st.text(min_size=1, max_size=20)


def case(trace_id: str = "t", **given: object) -> Case:
    plain = {"error": False, "latency_ms": 1.0, "cost": 0.001, "low": False, "flagged": False, "novel": False}
    return Case(trace_id, **(plain | given))  # type: ignore[arg-type]


@given(
    NAMES,
    st.sampled_from([{"error": True}, {"low": True}, {"flagged": True}, {"novel": True}, {"latency_ms": 9e4}, {"cost": 2.0}]),
)
def test_what_matters_is_always_kept_and_stands_for_itself(trace_id: str, reason: dict[str, object]) -> None:
    decision = decide(case(trace_id, **reason), Policy(0.01, 20_000, 1.0))
    assert (decision.keep, decision.weight) == (True, 1.0)
    assert "share" not in decision.why


@given(NAMES, st.floats(0.01, 1))
def test_the_rest_is_kept_by_its_id_alone(trace_id: str, share: float) -> None:
    first, again = (decide(case(trace_id, latency_ms=ms), Policy(share, None, None)) for ms in (1.0, None))
    assert first == again
    assert first.keep == (draw(trace_id) < share)
    assert first.weight == pytest.approx(1 / share)


@given(NAMES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_share_keeps_at_least_the_same(trace_id: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert decide(case(trace_id), Policy(large, None, None)).keep >= decide(case(trace_id), Policy(small, None, None)).keep


def test_ids_in_a_row_are_drawn_evenly() -> None:
    draws = sorted(draw(f"trace-{n}") for n in range(10_000))
    worst = max(abs(found - n / 10_000) for n, found in enumerate(draws))
    assert worst < 1.95 / math.sqrt(10_000)  # Kolmogorov-Smirnov at 0.1 %


@given(st.lists(st.tuples(VALUES, st.floats(0.05, 1)), min_size=1, max_size=6))
def test_the_estimate_of_a_sum_is_unbiased(rows: list[tuple[float, float]]) -> None:
    """Exactly: over all 2ⁿ outcomes of the draws, weighted by their probability, the estimates average to the truth."""
    average = variance = guessed = 0.0
    truth = sum(value for value, _ in rows)
    for outcome in itertools.product((True, False), repeat=len(rows)):
        chance = math.prod(p if kept else 1 - p for kept, (_, p) in zip(outcome, rows, strict=True))
        values = [value for kept, (value, _) in zip(outcome, rows, strict=True) if kept]
        weights = [1 / p for kept, (_, p) in zip(outcome, rows, strict=True) if kept]
        estimate = estimates.total(values, weights)
        average += chance * estimate
        variance += chance * (estimate - truth) ** 2
        guessed += chance * estimates.total_variance(values, weights)
    assert average == pytest.approx(truth, rel=1e-9, abs=1e-6)
    assert guessed == pytest.approx(variance, rel=1e-6, abs=1e-3)  # and so is the estimate of its variance


@given(st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=10), st.floats(0.1, 0.9))
def test_keeping_what_matters_for_certain_stays_unbiased(rows: list[tuple[float, bool]], share: float) -> None:
    """The decision itself, with draws put in for the hash: what matters has weight 1, the rest 1 / share."""
    kept = [(decide(case(error=matters), Policy(share, None, None)).weight, value, matters) for value, matters in rows]
    expected = sum(weight * value * (1 if matters else share) for weight, value, matters in kept)
    assert expected == pytest.approx(sum(value for value, _ in rows), rel=1e-9, abs=1e-6)


def test_intervals_cover_as_often_as_they_say() -> None:
    """300 samples of a known population, seeded: 95 % of the intervals hold the true mean (within 3 standard errors)."""
    rng = random.Random(7)
    population = [(rng.gauss(10, 3), rng.random() < 0.1) for _ in range(800)]
    truth = sum(value for value, _ in population) / len(population)
    hits = 0
    for _ in range(300):
        kept = [(value, 1.0 if sure else 4.0) for value, sure in population if sure or rng.random() < 0.25]
        found = estimates.mean([value for value, _ in kept], [weight for _, weight in kept])
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 300 <= 1.0


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.floats(1, 20))
def test_a_rate_and_its_interval_stay_in_0_to_1(hits: list[bool], weight: float) -> None:
    found = estimates.rate(hits, [weight] * len(hits))
    assert found.value == pytest.approx(sum(hits) / len(hits))
    if found.low is not None and found.high is not None and found.value is not None:
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 5)), min_size=1, max_size=15), st.sampled_from([0.5, 0.95]))
def test_a_weighted_quantile_is_that_of_the_repeated_values(rows: list[tuple[float, int]], share: float) -> None:
    repeated = sorted(value for value, times in rows for _ in range(times))
    place = max(math.ceil(share * len(repeated) - 1e-9) - 1, 0)
    assert estimates.quantile([value for value, _ in rows], [float(times) for _, times in rows], share) == repeated[place]


def test_too_little_is_unknown() -> None:
    assert estimates.mean([], []) == Estimate(None)
    assert estimates.rate([], []) == Estimate(None)
    assert estimates.quantile([], [], 0.5) is None
    assert estimates.mean([1.0, 2.0], [1, 1]).low is None
    assert estimates.difference(Estimate(None), Estimate(1.0)) == Estimate(None)


def test_a_difference_is_clear_when_its_interval_leaves_out_zero() -> None:
    gap = estimates.difference(Estimate(0.2, 0.1, 0.3, 9), Estimate(0.8, 0.7, 0.9, 9))
    assert gap.value == pytest.approx(0.6)
    assert gap.low is not None
    assert 0 < gap.low < gap.value


def test_like_questions_share_a_shape_and_others_do_not() -> None:
    seen = frozenset(shapes("How long do refunds take to arrive?", "m", "p"))
    assert not novel(shapes("How long do the refunds take to arrive, please?", "m", "p"), seen)
    assert novel(shapes("Who owns the ledger service in Lisbon?", "m", "p"), seen)
    assert novel(shapes("How long do refunds take to arrive?", "m", "another prompt"), seen)


@given(st.text(max_size=50))
def test_shapes_fit_a_bigint_and_are_the_same_each_time(query: str) -> None:
    own = shapes(query, "m", "p")
    assert own == shapes(query, "m", "p")
    assert all(-(1 << 63) <= shape < 1 << 63 for shape in own)
    assume(query.strip())
    assert len(own) == sampling.BANDS
