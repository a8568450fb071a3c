"""When schedules are due: laws on times nobody thought of, and the turns of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule.errors import BadSchedule
from schedule.plan import Timing, checked, next_after, turn

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
TIMINGS = st.one_of(
    st.builds(Timing, st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 6 * * mon", "59 23 31 * *"]), st.none(),
              st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])),
    st.builds(Timing, st.none(), st.integers(1, 90_000).map(float)),
)  # fmt: skip


@given(TIMINGS, MOMENTS)
def test_the_next_moment_is_later_and_nothing_lies_between(timing: Timing, at: datetime) -> None:
    following = next_after(timing, at)
    assert following > at
    between = at + (following - at) / 2
    assert next_after(timing, between) == following


@given(TIMINGS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_of_missed_moments_only_the_last_counts(timing: Timing, at: datetime, gap: timedelta) -> None:
    due, now = next_after(timing, at), next_after(timing, at) + gap
    taken = turn(timing, due, now)
    assert due <= taken.due_at <= now < taken.next_at
    assert next_after(timing, taken.due_at) == taken.next_at
    assert (taken.reason == "due") == (taken.due_at == due and (now - due).total_seconds() <= timing.grace_s)


def test_a_missed_run_is_skipped_when_so_wanted() -> None:
    due = datetime(2026, 7, 1, 2, 30, tzinfo=UTC)
    skip, once = Timing("30 2 * * *", None, misfire="skip", grace_s=60), Timing("30 2 * * *", None, misfire="once", grace_s=60)
    assert not turn(skip, due, due + timedelta(seconds=61)).run
    assert turn(skip, due, due + timedelta(seconds=60)).run
    assert turn(once, due, due + timedelta(hours=5)).run


@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)])
def test_once_a_night_also_when_clocks_turn(day: datetime) -> None:
    timing = Timing("30 2 * * *", None, "Europe/Berlin")
    first = next_after(timing, day)
    second = next_after(timing, first)
    assert (second.astimezone(ZoneInfo("Europe/Berlin")).date() - first.astimezone(ZoneInfo("Europe/Berlin")).date()).days == 1


@pytest.mark.parametrize(
    ("timing", "named"),
    [(Timing("61 * * * *", None), "cron"), (Timing("* * *", None), "cron"), (Timing(None, None), "cron or every_s"),
     (Timing("* * * * *", 5.0), "cron or every_s"), (Timing(None, 0.5), "every_s"),
     (Timing("* * * * *", None, "Mars/Olympus"), "zone"),
     (Timing("0 0 30 2 *", None), "never due")],
)  # fmt: skip
def test_what_is_wrong_is_named(timing: Timing, named: str) -> None:
    with pytest.raises(BadSchedule, match=named):
        checked(timing)
