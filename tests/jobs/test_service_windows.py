"""When a service's bucket closes, and that a busy one is counted in parts without a difference."""

from dataclasses import replace

import numpy as np
import pytest
from streams import SMALL, START, S, even, fold, joined, scored

from jobs import service_windows
from jobs.points import SERVICE, Points
from jobs.policy import Policy

MINUTE = 60 * S
POLICY = Policy(min_count=5, service_buckets=3)


def requests(minutes: list[int], errors: int = 0) -> Points:
    """One request in each of these minutes; the first `errors` fail."""
    points = even([50.0] * len(minutes), kind=SERVICE, errors=[i < errors for i in range(len(minutes))])
    return replace(points, time=START + np.array(minutes) * MINUTE + np.arange(len(minutes)))


def ring(minutes: list[int]) -> list[int]:
    state, _ = fold([requests(minutes)], POLICY)
    return state.services["requests"][0].tolist()


def test_a_bucket_closes_at_the_first_minute_s_end_with_enough_requests():
    assert ring([0] * 4 + [1]) == [0, 0, 0, 5]  # four are too few: the minute passes
    assert ring([0] * 4 + [1, 2]) == [0, 0, 5, 1]
    assert ring([0] * 9) == [0, 0, 0, 9]  # a minute is never split


def test_a_quiet_bucket_closes_by_its_length():
    assert ring([0, 14, 14]) == [0, 0, 0, 3]
    assert ring([0, 14, 15]) == [0, 0, 2, 1]


def test_the_oldest_bucket_leaves_the_ring():
    assert ring([0] * 5 + [1] * 6 + [2] * 7 + [3] * 8 + [4] * 9) == [6, 7, 8, 9]


def test_an_idle_service_begins_anew():
    policy = replace(POLICY, idle_us=30 * MINUTE + S)
    for wait, expected in ((30, [0, 0, 5, 1]), (31, [0, 0, 0, 1])):
        state, _ = fold([requests([0] * 5 + [wait])], policy)
        assert state.services["requests"][0].tolist() == expected


def test_each_request_sees_the_closed_buckets_and_the_open_one_up_to_itself():
    past = scored(requests([0] * 5 + [1] * 3, errors=2), POLICY)[0].past
    assert past.n.tolist() == [1, 2, 3, 4, 5, 1, 2, 3]
    assert past.errors.tolist() == [1, 2, 2, 2, 2, 0, 0, 0]
    assert past.base_n.tolist() == [0] * 5 + [5] * 3
    assert past.base_errors.tolist() == [0] * 5 + [2] * 3
    assert past.buckets.tolist() == [0] * 5 + [1] * 3
    assert past.base_p95.tolist()[0] == -1


@pytest.mark.parametrize("part", [1, 7, 64])
def test_counting_a_busy_service_in_parts_changes_nothing(part, monkeypatch):
    rng = np.random.default_rng(1)
    two = [even(rng.lognormal(4, 1, 300), kind=SERVICE, gap_s=0.5, entity=e, errors=rng.random(300) < 0.1) for e in (1, 2)]
    busy = joined(two)
    whole, _ = fold([busy], SMALL)
    before = scored(busy, SMALL)[0]
    monkeypatch.setattr(service_windows, "LONGEST_PART", part)
    parts, _ = fold([busy], SMALL)
    after = scored(busy, SMALL)[0]
    assert whole.pack(SMALL) == parts.pack(SMALL)
    np.testing.assert_array_equal(before.judged.ratios, after.judged.ratios)
    for name in before.past.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(before.past, name), getattr(after.past, name))
