"""False alarms on clean data: a score is a normal deviate, so each threshold claims a rate, and the rate is of that order."""

from statistics import NormalDist

import numpy as np
import pytest
from streams import START, S, joined, scores, spread

from jobs.detectors import ALL
from jobs.points import ACCOUNT, SERIES, SERVICE, Points
from jobs.policy import Policy

POLICY = Policy()
SIDES = {"amount_z": 2, "amount_robust_z": 2, "velocity": 1, "value_z": 2, "difference_z": 2, "error_rate": 1, "latency": 1}
COARSE = {"amount_robust_z": 0.5}  # a median deviation of so few points is coarser than the t law allows for


def entities(many: int, n: int, kind: int, seed: int) -> Points:
    """`many` entities with n clean points each: log-normal amounts or latencies, or normal values; Poisson arrivals."""
    rng = np.random.default_rng(seed)
    mean_s = {ACCOUNT: 7200.0, SERIES: 300.0, SERVICE: 2.0}[kind]
    gaps = rng.exponential(mean_s, (many, n)) if kind != SERIES else np.full((many, n), mean_s)
    levels = rng.normal(0, 1, (many, 1))
    noise = rng.normal(0, 1, (many, n))
    value = 1000 + 30 * noise if kind == SERIES else np.exp(4 + levels + 0.5 * noise)
    number = np.arange(many * n)
    return Points(
        np.full(many * n, kind, np.int8), np.repeat(np.arange(1, many + 1), n),
        START + (np.cumsum(gaps, axis=1) * S).astype(np.int64).ravel(), spread(number + 1),
        np.zeros(many * n, np.uint8), value.ravel(), rng.random(many * n) < 0.01, number,
    )  # fmt: skip


@pytest.fixture(scope="module")
def clean() -> dict[int, Points]:
    return {
        ACCOUNT: entities(600, 400, ACCOUNT, 1),
        SERIES: entities(250, 400, SERIES, 2),
        SERVICE: entities(40, 3000, SERVICE, 3),
    }


def deviates(name: str, clean: dict[int, Points]) -> np.ndarray:
    """Scores where the detector judged, of all entities."""
    points = clean[ALL[name].watches[0]]
    ratios = scores(points, name, Policy(detectors=(name,)))
    return ratios[~np.isnan(ratios)] * ALL[name].threshold


def claimed(name: str, score: float) -> float:
    return SIDES[name] * NormalDist().cdf(-score)


@pytest.mark.parametrize("name", sorted(ALL))
def test_false_alarms_are_of_the_order_the_threshold_claims(name, clean):
    found = deviates(name, clean)
    assert len(found) > 40_000
    alarms = int((found >= ALL[name].threshold).sum())
    expected = claimed(name, ALL[name].threshold - COARSE.get(name, 0.0)) * len(found)
    assert alarms <= 10 * expected + 3, (alarms, expected)


@pytest.mark.parametrize("name", ["amount_z", "velocity", "value_z", "difference_z"])
@pytest.mark.parametrize("score", [2.0, 3.0])
def test_a_score_is_a_normal_deviate(name, score, clean):
    found = deviates(name, clean)
    share = float((found >= score).mean())
    assert claimed(name, score) / 3 <= share <= claimed(name, score) * 3


def test_a_daily_rhythm_is_not_a_burst():
    """Busy days and silent nights, over and over."""
    rng = np.random.default_rng(9)
    parts = []
    for entity in range(1, 101):
        days = START + np.arange(40)[:, None] * 86_400 * S
        hours = np.sort(rng.uniform(9 * 3600, 17 * 3600, (40, 12)), axis=1) * S
        time = (days + hours).astype(np.int64).ravel()
        number = np.arange(len(time)) + entity * 10_000
        parts.append(
            Points(np.full(480, ACCOUNT, np.int8), np.full(480, entity), time, spread(number), np.zeros(480, np.uint8),
                   rng.lognormal(3, 0.3, 480), np.zeros(480, bool), number)
        )  # fmt: skip
    found = scores(joined(parts), "velocity", POLICY)
    assert np.nanmean(found >= 1) < 1e-4


def test_quieter_thresholds_alarm_less(clean):
    found = deviates("amount_z", clean)
    assert (found >= 2).sum() > (found >= 3).sum() > (found >= 4).sum()
