from hypothesis import given
from hypothesis import strategies as st

from rag.breaker import Breaker, Pace


def test_it_opens_after_failures_in_a_row_and_a_trial_call_decides() -> None:
    breaker = Breaker(limit=2, open_s=10).failed(0)
    assert breaker.state(0) == "closed"
    breaker = breaker.failed(1)
    assert (breaker.state(10.9), breaker.allows(10.9)) == ("open", False)
    assert (breaker.state(11), breaker.allows(11)) == ("half-open", True)
    assert breaker.failed(11).state(20.9) == "open"
    assert breaker.succeeded().state(11) == "closed"
    assert breaker.succeeded().failed(12).state(12) == "closed"


def test_a_success_between_failures_keeps_it_closed() -> None:
    assert Breaker(2, 10).failed(0).succeeded().failed(1).state(1) == "closed"


@given(st.integers(1, 5), st.lists(st.floats(0, 30), max_size=40))
def test_no_minute_ever_holds_more_calls_than_allowed(most: int, pauses: list[float]) -> None:
    pace, now, made = Pace(most), 0.0, []
    for pause in pauses:
        now += pause
        if pace.allows(1, now):
            pace = pace.called(now)
            made.append(now)
    assert all(sum(call - 60 < other <= call for other in made) <= most for call in made)
    assert pace.allows(most, now + 60.001)
