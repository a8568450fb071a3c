"""The peers' rule in plain numbers: what it flags is what the product's fold flags, however it is cut and kept."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.peers import rule
from bench.peers.plain_loop import Loop
from bench.peers.rule import Window
from jobs.detectors import amount_z
from jobs.policy import Policy
from jobs.state import State
from jobs.windows import LEAST_AMOUNT, NATS

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from streams import even, joined

from jobs.fold import observe

POLICY = Policy(detectors=("amount_z",))


def by_the_product(amounts: list[float]) -> list[int]:
    points = joined([even(amounts, entity=7, gap_s=3600)])  # an hour apart, so that each hit is an episode of its own
    _, found = observe(State.empty(POLICY), points, POLICY)
    return sorted(row["row"] for row in found["anomaly"].to_pylist()) if "anomaly" in found else []


def by_the_loop(amounts: list[float]) -> list[int]:
    rows = range(1, len(amounts) + 1)
    return Loop().flagged(rows, ["A"] * len(amounts), rule.encode(np.array(amounts)).tolist())


def test_the_rule_has_the_products_numbers() -> None:
    assert (POLICY.window, POLICY.warm_up) == (rule.WINDOW, rule.WARM_UP)
    assert (rule.NATS, rule.FLOOR, rule.LEAST_AMOUNT) == (NATS, amount_z.FLOOR, LEAST_AMOUNT)
    assert amount_z.DETECTOR.threshold == rule.THRESHOLD


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 160), st.sampled_from([0.0, 0.02, 0.3, 2.0]))
def test_the_loop_flags_what_the_product_flags(seed: int, count: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    usual = np.exp(3 + rng.normal(size=count) * spread)
    amounts = (usual * np.where(rng.random(count) < 0.08, rng.choice([1.3, 4, 40], count), 1)).tolist()
    assert by_the_loop(amounts) == by_the_product(amounts)


def test_something_is_flagged_at_all() -> None:
    amounts = [20.0 + i % 3 for i in range(150)]
    amounts[19], amounts[20], amounts[140] = 900.0, 25.0, 900.0
    assert by_the_product(amounts) == by_the_loop(amounts) == [141]  # the 20th point comes too early to be judged


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(-32_767, 32_766), max_size=260), st.integers(0, 260))
def test_a_ring_kept_and_restored_flags_what_the_deque_flags(codes: list[int], cut: int) -> None:
    window, flagged = Window(), []
    for row, code in enumerate(codes):
        if row == cut:
            window = Window.restored(window.snapshot())
        if window.flags(code):
            flagged.append(row)
    assert flagged == Loop().flagged(range(len(codes)), ["A"] * len(codes), codes)


@pytest.mark.parametrize("n", [20, 21, 57, 100])
def test_the_bound_is_the_normal_score_turned_round(n: int) -> None:
    from jobs.detectors.detector import normal_score

    t = np.sqrt(rule.least_t_squared(n))
    below, above = (float(normal_score(np.array([t * factor]), np.array([n - 1]))[0]) for factor in (1 - 1e-12, 1 + 1e-12))
    assert below < rule.THRESHOLD + 1e-9
    assert above > rule.THRESHOLD - 1e-9
    assert above - below < 1e-9
