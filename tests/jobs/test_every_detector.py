"""One list of laws that every detector must pass; a new one is held to them by its calm and its strange stream here."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from streams import START, S, cut, even, fold, joined, scored, scores, together

from jobs.detectors import ALL, chosen
from jobs.errors import UnknownDetector
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, Points
from jobs.policy import Policy

POLICY = Policy()


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def amounts(seed: int, n: int, size: float = 40.0, start: int = START, first: int = 1) -> Points:
    return even(random(seed).lognormal(math.log(size), 0.4, n), gap_s=600, start=start, first=first)


def paced(seed: int, n: int, mean_s: float = 3600.0, start: int = START, first: int = 1) -> Points:
    steady = even([25.0] * n, first=first)
    gaps = random(seed).exponential(mean_s, n)
    return replace(steady, time=start + (np.cumsum(gaps) * S).astype(np.int64))


def requests(seed: int, n: int, errors: float = 0.005, ms: float = 80.0, start: int = START, first: int = 1) -> Points:
    rng = random(seed)
    return even(
        rng.lognormal(math.log(ms), 0.3, n), gap_s=1.5, kind=SERVICE, errors=rng.random(n) < errors, start=start, first=first
    )


def values(seed: int, n: int, level: float = 50.0, start: int = START, first: int = 1) -> Points:
    return even(random(seed).normal(level, 2.0, n), gap_s=300, kind=SERIES, start=start, first=first)


@dataclass(frozen=True)
class Case:
    """What a detector must keep quiet about and what it must see: `calm(n)`, then `strange(start, first)`."""

    calm: Callable[[int], Points]
    strange: Callable[[int, int], Points]
    learned_after: int  # points of the strange regime after which it is the new normal
    constant: Callable[[int], Points]
    first_judged: int  # index of the first point that is judged in the constant stream


CASES = {
    "amount_z": Case(lambda n: amounts(1, n), lambda start, first: amounts(2, 400, 1500.0, start, first), 140,
                     lambda n: even([25.0] * n), 20),
    "amount_robust_z": Case(lambda n: amounts(1, n), lambda start, first: amounts(2, 400, 1500.0, start, first), 140,
                            lambda n: even([25.0] * n), 20),
    "velocity": Case(lambda n: paced(3, n), lambda start, first: paced(4, 400, 20.0, start, first), 140,
                     lambda n: even([25.0] * n), 30),
    "error_rate": Case(lambda n: requests(5, n), lambda start, first: requests(6, 8000, 0.6, start=start, first=first), 3400,
                       lambda n: even([80.0] * n, gap_s=1.5, kind=SERVICE), 139),
    "latency": Case(lambda n: requests(5, n), lambda start, first: requests(6, 8000, ms=900.0, start=start, first=first), 3400,
                    lambda n: even([80.0] * n, gap_s=1.5, kind=SERVICE), 139),
    "value_z": Case(lambda n: values(7, n), lambda start, first: values(8, 400, 95.0, start, first), 140,
                    lambda n: even([50.0] * n, kind=SERIES), 20),
    "difference_z": Case(lambda n: values(7, n), lambda start, first: values(8, 400, 95.0, start, first), 140,
                         lambda n: even([50.0] * n, kind=SERIES), 21),
}  # fmt: skip
every = pytest.mark.parametrize("name", sorted(ALL))


def only(name: str, **more: Any) -> Policy:
    return replace(POLICY, detectors=(name,), **more)


def calm_then_strange(name: str) -> tuple[Points, int]:
    calm = CASES[name].calm(400)
    return joined([calm, CASES[name].strange(int(calm.time.max()) + S, 1001)]), len(calm)


def test_every_detector_has_a_case():
    assert CASES.keys() == ALL.keys()


def test_an_unknown_detector_is_refused_with_the_known_names():
    with pytest.raises(UnknownDetector, match=r"speed; known are amount_robust_z, .*velocity"):
        chosen(("amount_z", "speed"))


@every
def test_it_says_what_it_is(name):
    detector = ALL[name]
    assert detector.name == name
    assert detector.unit in {"amount", "ms", "error rate", "events", "value"}
    assert detector.threshold > 0
    assert set(detector.watches) <= {ACCOUNT, COUNTERPARTY, SERVICE, SERIES}


@every
def test_it_works_before_learning(name):
    found = scores(CASES[name].calm(3), name, only(name))
    assert np.isnan(found).all()


@every
def test_the_warm_up_ends_exactly_where_it_should(name):
    case = CASES[name]
    found = scores(case.constant(200), name, only(name))
    judged = np.flatnonzero(~np.isnan(found))
    assert judged[0] == case.first_judged
    assert len(judged) == 200 - case.first_judged or name in {"error_rate", "latency"}


@every
@pytest.mark.parametrize("warm_up", [5, 33])
def test_the_warm_up_is_a_setting(name, warm_up):
    first = {"velocity": 10 + max(20, warm_up), "difference_z": warm_up + 1, "error_rate": 139, "latency": 139}.get(name, warm_up)
    found = scores(CASES[name].constant(200), name, only(name, warm_up=warm_up))
    assert np.flatnonzero(~np.isnan(found))[0] == first


@every
def test_zero_variance_is_no_anomaly_and_no_warning(name):
    with np.errstate(all="raise", under="ignore"):
        found = scores(CASES[name].constant(300), name, only(name))
    assert np.nanmax(found) <= 0.0
    assert np.isfinite(found[~np.isnan(found)]).all()


@every
def test_it_sees_what_is_strange(name):
    stream, calm = calm_then_strange(name)
    found = scores(stream, name, only(name))
    assert not (found[:calm] >= 1).any()
    assert (found[calm : calm + 30] >= 1).any()


@every
def test_a_new_regime_is_learned_in_the_end(name):
    stream, calm = calm_then_strange(name)
    found = scores(stream, name, only(name))
    settled = found[calm + CASES[name].learned_after :]
    assert len(settled) > 200
    assert np.isfinite(settled).mean() > 0.5  # a service's new bucket is not judged before it holds enough
    assert not (settled >= 1).any()


@every
def test_scoring_changes_nothing_it_was_given(name):
    stream, calm = calm_then_strange(name)
    one = scored(stream.take(np.arange(calm + 50)), only(name))[0]
    held = {field: np.array(getattr(one.past, field)) for field in one.past.__dataclass_fields__ if field != "flat"}
    first = ALL[name].score(one.past, POLICY)
    second = ALL[name].score(one.past, POLICY)
    np.testing.assert_array_equal(first, second)
    for field, before in held.items():
        np.testing.assert_array_equal(getattr(one.past, field), before)


@every
def test_the_current_event_is_not_in_its_own_baseline(name):
    """Another value of the last event changes its score, not what it is held against."""
    stream, calm = calm_then_strange(name)
    stream = stream.take(np.arange(calm + 30))
    other = replace(
        stream,
        value=np.concatenate((stream.value[:-1], [stream.value[-1] * 1000])),
        error=np.concatenate((stream.error[:-1], [~stream.error[-1]])),
    )
    policy = replace(POLICY, thresholds=dict.fromkeys(ALL, 0.001))
    contexts = [baseline_of_last(points, policy) for points in (stream, other)]
    assert contexts[0] == contexts[1]


def baseline_of_last(points: Points, policy: Policy) -> dict[str, Any]:
    """The evidence's context of the last point without what describes the point itself."""
    from jobs.fold import evidence_of

    one = scored(points, policy)[0]
    at = len(one.fresh) - 1
    names = [detector.name for detector in one.judged.detectors]
    context = evidence_of(one, at, names[0], policy)["context"]
    own = {"step", "errors", "slow", "timed", "error_rate", "p95_ms"}
    return {key: value for key, value in context.items() if key not in own}


@every
def test_where_the_stream_is_cut_changes_no_score(name):
    stream, calm = calm_then_strange(name)
    stream = stream.take(np.arange(calm + 120))
    whole = together(fold([stream], POLICY)[1])
    parts = together(fold(cut(stream, (1, 7, calm - 1, calm + 3, calm + 4)), POLICY)[1])
    assert any(name in one["scores"] for one in whole.anomalies)
    assert whole.anomalies == parts.anomalies


@every
def test_its_evidence_shows_a_value_outside_the_expected_range(name):
    stream, calm = calm_then_strange(name)
    for threshold in (None, 0.5, 2.0, 7.0):
        policy = only(name, thresholds={} if threshold is None else {name: threshold})
        total = together(fold([stream.take(np.arange(calm + 120))], policy)[1])
        assert total.anomalies, threshold
        for one in total.anomalies:
            assert one["detector"] == name
            assert one["unit"] == ALL[name].unit
            assert one["value"] >= one["high"] or one["value"] <= one["low"], (threshold, one)
            assert one["low"] <= one["expected"] <= one["high"]
            assert json.loads(one["scores"])[name] >= 1
            assert one["severity"] == pytest.approx(1 - 2 ** -json.loads(one["scores"])[name], abs=2e-6)
            context = json.loads(one["context"], parse_constant=pytest.fail)
            assert len(context.get("recent", [])) <= 10


@every
@pytest.mark.parametrize("value", [1e100, 1e-300, 0.0, -1e100])
def test_huge_and_tiny_numbers_neither_break_it_nor_blind_it_for_good(name, value):
    case, calm = CASES[name], CASES[name].calm(400)
    kind, start = int(calm.kind[0]), int(calm.time.max())
    pair = [abs(value)] * 2 if kind == SERVICE else [value, -value]
    odd = even(pair, kind=kind, start=start + S, first=900)
    calm_again = replace(calm, time=calm.time - START + start + 200 * S, id=calm.id + 1)
    stream = joined([calm, odd, calm_again, case.strange(int(calm_again.time.max()) + S, 1001)])
    with np.errstate(all="raise", under="ignore"):
        total = together(fold(cut(stream, (402,)), only(name))[1])
    for one in total.anomalies:
        json.loads(one["context"], parse_constant=pytest.fail)
        assert all(math.isfinite(one[field]) for field in ("value", "expected", "low", "high", "severity"))
    assert any(one["time"] > int(calm_again.time.max()) for one in total.anomalies)


@every
def test_it_says_nothing_about_kinds_it_does_not_watch(name):
    kinds = {ACCOUNT, COUNTERPARTY, SERVICE, SERIES} - set(ALL[name].watches)
    for kind in kinds:
        found = together(fold([even([1.0] * 60 + [1e6] * 3, kind=kind)], only(name))[1])
        assert found.anomalies == []


def test_a_request_without_a_latency_counts_for_the_rate_and_not_for_the_latency():
    calm = requests(5, 400)
    silent = replace(calm, value=np.full(400, np.nan))
    assert np.isnan(scores(silent, "latency", POLICY)).all()
    np.testing.assert_array_equal(scores(silent, "error_rate", POLICY), scores(calm, "error_rate", POLICY))


def test_detectors_that_agree_are_more_severe_than_each():
    calm = amounts(1, 200)
    odd = even([9000.0], start=int(calm.time.max()) + S, first=900)
    both, one = (together(fold([joined([calm, odd])], policy)[1]).anomalies for policy in (POLICY, only("amount_z")))
    ratios = json.loads(both[0]["scores"])
    assert both[0]["severity"] == pytest.approx(1 - 2 ** -(ratios["amount_z"] + ratios["amount_robust_z"]), abs=2e-6)
    assert both[0]["severity"] > one[0]["severity"]


def test_exactly_at_the_threshold_is_flagged_with_severity_one_half():
    calm = amounts(1, 60)
    odd = even([400.0], start=int(calm.time.max()) + S, first=900)
    at = float(scores(joined([calm, odd]), "amount_z", only("amount_z", thresholds={"amount_z": 1.0}))[-1])
    for threshold, hits in ((at, 1), (np.nextafter(at, 99), 0)):
        found = together(fold([joined([calm, odd])], only("amount_z", thresholds={"amount_z": float(threshold)}))[1])
        assert [one["severity"] for one in found.anomalies] == [0.5] * hits
