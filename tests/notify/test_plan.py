"""Laws of what leaves: every group leaves once or waits, limits hold, a storm is a handful, and nothing waits for ever."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from notify.limits import Limit, left
from notify.plan import ROUTE, Limits, Plan, Waiting, keys, plan

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 1, 1, tzinfo=UTC)
some = st.none() | st.builds(Limit, st.integers(1, 5), st.integers(1, 600))
limits_of_any_kind = st.builds(Limits, some, some, some, some)
rows = st.builds(
    Waiting, st.sampled_from("abcdefgh"), st.sampled_from(["", "account:1", "account:2", "service:x"]),
    st.sampled_from(["case.opened", "rule.hit"]), st.sampled_from(["c1", "c2", "c3"]), st.integers(1, 9), st.floats(0, 1),
    st.integers(-60, 60).map(lambda s: NOW + timedelta(seconds=s)), st.integers(1, 10**6),
)  # fmt: skip
tats_of = st.dictionaries(
    st.sampled_from([ROUTE, "g:a", "g:b", "s:case.opened c1", "e:account:1", "e:service:x"]),
    st.integers(-600, 900).map(lambda s: NOW + timedelta(seconds=s)),
)


@few
@given(st.lists(rows, max_size=40), limits_of_any_kind, tats_of)
def test_each_due_group_leaves_once_or_waits(waiting: list[Waiting], limits: Limits, tats: dict[str, datetime]) -> None:
    made = plan(waiting, limits, tats, NOW)
    leaving = [group for bundle in made.bundles for group in bundle]
    due = {row.group for row in waiting if row.due_at <= NOW}
    assert len(leaving) == len(set(leaving))
    assert set(leaving) | set(made.waits) == due
    assert not set(leaving) & set(made.waits)
    assert all(at > NOW for at in made.waits.values())
    assert all(made.bundles)


@few
@given(st.lists(rows, max_size=40), limits_of_any_kind, tats_of)
def test_never_more_messages_than_the_route_may_send(waiting: list[Waiting], limits: Limits, tats: dict[str, datetime]) -> None:
    made = plan(waiting, limits, tats, NOW)
    if limits.route is not None:
        assert len(made.bundles) <= left(limits.route, tats.get(ROUTE), NOW)
        before, after = tats.get(ROUTE), made.charged.get(ROUTE, tats.get(ROUTE))
        assert left(limits.route, after, NOW) == left(limits.route, before, NOW) - len(made.bundles)


@few
@given(st.lists(rows, max_size=40), limits_of_any_kind, tats_of)
def test_each_message_has_a_cause_that_its_limits_allowed(
    waiting: list[Waiting], limits: Limits, tats: dict[str, datetime]
) -> None:
    for bundle in plan(waiting, limits, tats, NOW).bundles:
        inside = [row for row in waiting if row.group in bundle and row.due_at <= NOW]
        assert any(all(left(limit, tats.get(key), NOW) for key, limit in keys(row, limits)) for row in inside)


@few
@given(st.lists(rows, max_size=40), limits_of_any_kind, tats_of, st.randoms())
def test_the_order_of_the_rows_is_nothing(waiting: list[Waiting], limits: Limits, tats: dict[str, datetime], chance) -> None:
    other = [*waiting]
    chance.shuffle(other)
    unique = len({row.first_message for row in waiting}) == len(waiting)
    assert not unique or plan(other, limits, tats, NOW) == plan(waiting, limits, tats, NOW)


@few
@given(st.lists(rows, min_size=1, max_size=60), limits_of_any_kind)
def test_everything_leaves_in_the_end(waiting: list[Waiting], limits: Limits) -> None:
    now, tats, left_over, sent = NOW, dict[str, datetime](), list(waiting), 0
    for _ in range(200):
        made = plan(left_over, limits, tats, now)
        tats |= made.charged
        gone = {group for bundle in made.bundles for group in bundle}
        sent += sum(row.count for row in left_over if row.group in gone)
        left_over = [row for row in left_over if row.group not in gone]
        if not left_over:
            break
        later = [made.waits.get(row.group, row.due_at) for row in left_over]
        assert min(later) > now
        now = min(later)
    assert sent == sum(row.count for row in waiting)


def test_ten_thousand_cases_are_ten_messages() -> None:
    limits = Limits(Limit(10, 60), Limit(1, 60), Limit(1, 300), Limit(5, 3600))
    storm = [Waiting(f"case-{n}", f"account:{n}", "case.opened", f"case-{n}", 1, n / 10_000, NOW, n) for n in range(10_000)]
    made = plan(storm, limits, {}, NOW)
    assert [len(bundle) for bundle in made.bundles] == [1] * 9 + [9_991]
    assert made.bundles[0] == ["case-9999"], "the gravest goes alone"


def test_one_noisy_entity_is_held_then_told_of_at_once() -> None:
    limits = Limits(Limit(10, 60), None, None, Limit(2, 3600))
    storm = [Waiting(f"case-{n}", "account:1", "case.opened", f"case-{n}", 1, 0.5, NOW, n) for n in range(100)]
    first = plan(storm, limits, {}, NOW)
    assert [len(bundle) for bundle in first.bundles] == [1, 1, 98]
    second = plan(storm[:50], limits, first.charged, NOW + timedelta(seconds=60))
    assert second == Plan(waits={f"case-{n}": NOW + timedelta(seconds=1800) for n in range(50)})
    third = plan(storm[:50], limits, first.charged, NOW + timedelta(seconds=1800))
    assert [len(bundle) for bundle in third.bundles] == [1, 49]


def test_what_is_held_back_rides_with_the_next_message_of_many() -> None:
    limits = Limits(Limit(2, 60), None, None, Limit(1, 3600))
    tats = {"e:account:1": NOW + timedelta(seconds=1800)}
    quiet = [Waiting("quiet", "account:1", "case.opened", "c", 1, 0.9, NOW, 1)]
    others = [Waiting(f"case-{n}", f"account:{n}", "case.opened", f"case-{n}", 1, 0.5, NOW, n) for n in range(2, 6)]
    assert plan(quiet, limits, tats, NOW) == Plan(waits={"quiet": NOW + timedelta(seconds=1800)})
    together = plan(quiet + others, limits, tats, NOW)
    assert together.bundles == [["case-2"], ["case-3", "case-4", "case-5", "quiet"]]
    assert (together.waits, "e:account:1" in together.charged) == ({}, False)
