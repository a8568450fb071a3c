"""Schedule and input are pure functions of the seed, and hold what the faults are about."""

import json
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos import feed
from chaos.feed import BROKEN
from chaos.kinds import ESSENTIAL, KINDS
from chaos.run import planned
from chaos.schedule import chosen


@given(st.integers(0, 10**9), st.integers(0, 120), st.integers(0, 120))
def test_a_longer_schedule_begins_with_the_shorter_one(seed: int, few: int, more: int) -> None:
    few, more = sorted((few, more))
    assert planned(seed, more)[:few] == planned(seed, few)
    assert [fault.number for fault in planned(seed, more)] == list(range(1, more + 1))


@given(st.integers(0, 10**9))
def test_the_essential_kinds_come_first_and_then_all_in_every_round(seed: int) -> None:
    faults = planned(seed, len(ESSENTIAL) + 2 * len(KINDS))
    kinds = [fault.kind for fault in faults]
    assert sorted(kinds[: len(ESSENTIAL)]) == sorted(ESSENTIAL)
    assert Counter(kinds[len(ESSENTIAL) :]) == dict.fromkeys(KINDS, 2)
    assert {fault.part for fault in planned(seed, 60)} == {"whole", "python", "jvm"}


def test_another_seed_is_another_schedule() -> None:
    assert planned(1, 30) != planned(2, 30)


def test_one_fault_or_the_rest_can_be_chosen() -> None:
    faults = planned(1, 9)
    assert chosen(faults, 4, 1) == faults[3:4]
    assert chosen(faults, None, 7) == faults[6:]


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_a_step_is_the_same_each_time_and_in_order(number: int) -> None:
    step = feed.step(3, number)
    assert step == feed.step(3, number) != feed.step(4, number)
    events = [json.loads(raw) for raw in step.before + step.after if raw not in BROKEN]
    ids = Counter(event["event_id"] for event in events)
    assert sorted(ids.values())[-6:] >= [2] * 5, "some records are delivered twice"
    contents = {json.dumps(event, sort_keys=True) for event in events}
    assert len(contents) == len(ids) + 1, "one id comes with another content"
    seen: set[str] = set()
    first = [datetime.fromisoformat(e["event_time"]) for e in events if not (e["event_id"] in seen or seen.add(e["event_id"]))]
    assert first == sorted(first)
    assert len(set(first)) == len(first)
    assert sum(raw in BROKEN for raw in step.before + step.after) == len(BROKEN)


def test_sums_are_exact_in_any_order() -> None:
    raws = [raw for number in range(4) for raw in feed.step(1, number).before if raw not in BROKEN]
    amounts = [event["amount"] for event in map(json.loads, raws) if "amount" in event]
    assert sum(amounts) == sum(reversed(amounts))
    assert sum(a * a for a in amounts) == sum(a * a for a in sorted(amounts))
    assert all(amount * 4 == int(amount * 4) for amount in amounts)


def test_steps_follow_each_other() -> None:
    def times(number: int) -> list[str]:
        return [json.loads(raw)["event_time"] for raw in feed.step(1, number).before if raw not in BROKEN]

    assert max(times(0)) < min(times(1)) <= max(times(1)) < min(times(2))
