"""Laws of the rate limits, over any history."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from notify.limits import Limit, charge, free_at, left

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

START = datetime(2026, 1, 1, tzinfo=UTC)
limits = st.builds(Limit, st.integers(1, 20), st.integers(1, 3600))
gaps = st.lists(st.integers(0, 900).map(lambda s: timedelta(seconds=s)), max_size=60)


def history(limit: Limit, waits: list[timedelta]) -> list[datetime]:
    """When was told, asking after each wait."""
    now, tat, told = START, None, []
    for wait in waits:
        now += wait
        if left(limit, tat, now) > 0:
            tat = charge(limit, tat, now)
            told.append(now)
    return told


@few
@given(limits, gaps)
def test_never_more_than_the_burst_and_the_refill(limit: Limit, waits: list[timedelta]) -> None:
    told = history(limit, waits)
    for first, began in enumerate(told):
        for last in range(first, len(told)):
            assert last - first + 1 <= limit.count + (told[last] - began) / limit.step + 1e-6


@few
@given(limits, gaps)
def test_what_was_refused_may_be_told_when_it_says(limit: Limit, waits: list[timedelta]) -> None:
    now, tat = START, None
    for wait in waits:
        now += wait
        at = free_at(limit, tat, now)
        assert left(limit, tat, at) > 0
        assert (at == now) == (left(limit, tat, now) > 0)
        if at > now:
            assert left(limit, tat, at - timedelta(milliseconds=1)) == 0
        tat = charge(limit, tat, at) if at == now else tat


@few
@given(limits, st.integers(0, 30))
def test_a_whole_burst_is_free_at_first_and_again_when_refilled(limit: Limit, more: int) -> None:
    tat = None
    for told in range(limit.count):
        assert left(limit, tat, START) == limit.count - told
        tat = charge(limit, tat, START)
    assert left(limit, tat, START) == 0
    assert charge(limit, None, START, limit.count) - tat < timedelta(milliseconds=1)
    assert left(limit, tat, START + timedelta(seconds=limit.per_s + more, milliseconds=1)) == limit.count


@few
@given(limits, gaps)
def test_a_past_moment_may_be_forgotten(limit: Limit, waits: list[timedelta]) -> None:
    now, kept, swept = START, None, None
    for wait in waits:
        now += wait
        swept = None if swept is not None and swept <= now else swept
        assert left(limit, kept, now) == left(limit, swept, now)
        if left(limit, kept, now):
            kept, swept = charge(limit, kept, now), charge(limit, swept, now)
