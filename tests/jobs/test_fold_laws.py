"""The laws of the fold: where a stream is cut and in which order a batch arrives changes nothing, and every point has a fate."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from streams import SMALL, START, Point, S, Sum, columns, cut, even, fold, joined, mixed, together

from jobs.fold import PRIMARY, observe
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, UNWATCHED
from jobs.policy import Policy
from jobs.state import State

CUT_DEPENDENT = ("evicted_idle", "evicted_cap", "entities", "newest", "newest_row")
FLOATS = ("sum", "sum_squares")


def same(a: Sum, b: Sum) -> None:
    """Everything but the counts of evictions is equal; sums of floats up to their last bits."""
    assert a.anomalies == b.anomalies
    assert a.episodes == b.episodes
    assert a.entities == b.entities
    assert a.conflicts == b.conflicts
    assert {k: v for k, v in a.counts.items() if k not in CUT_DEPENDENT} == {
        k: v for k, v in b.counts.items() if k not in CUT_DEPENDENT
    }
    assert a.metrics.keys() == b.metrics.keys()
    for key, row in a.metrics.items():
        other = b.metrics[key]
        assert {k: v for k, v in row.items() if k not in FLOATS} == {k: v for k, v in other.items() if k not in FLOATS}
        assert [row[name] for name in FLOATS] == pytest.approx([other[name] for name in FLOATS], rel=1e-12, abs=0), key


@run_settings(max_examples=30)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 250), max_size=6), st.booleans())
@example(4, list(range(60, 160)), False)
def test_cutting_an_in_order_stream_changes_neither_state_nor_findings(seed, places, long_windows):
    policy = replace(SMALL, window=40) if long_windows else SMALL
    points = mixed(seed, 250)
    whole, at_once = fold([points], policy)
    pieces, in_parts = fold(cut(points, [p for p in places if p <= len(points)]), policy)
    assert whole.pack(policy) == pieces.pack(policy)
    same(together(at_once), together(in_parts))


def test_the_random_streams_hold_what_the_laws_are_about():
    policy = replace(SMALL, window=40)
    found = [together(fold([mixed(seed, 250)], policy)[1]) for seed in range(12)]
    fired = {name for one in found for row in one.episodes.values() for name in row["detectors"]}
    assert fired == set(policy.detectors)
    for name in ("duplicates", "conflicts", "unwatched", "hits"):
        assert sum(one.counts[name] for one in found) > 10, name
    pieces = [together(fold(cut(mixed(seed, 250), range(0, 250, 10)), policy)[1]).counts["evicted_idle"] for seed in range(6)]
    assert sum(pieces) > 3


@run_settings(max_examples=15)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_arrival_within_a_batch_changes_nothing(seed, random):
    points = mixed(seed, 200)
    order = list(range(len(points)))
    random.shuffle(order)
    a, first = fold([points], SMALL)
    b, second = fold([points.take(np.array(order, np.int64))], SMALL)
    assert a.pack(SMALL) == b.pack(SMALL)
    assert [{k: t.to_pylist() for k, t in found.items()} for found in first] == [
        {k: t.to_pylist() for k, t in found.items()} for found in second
    ]


@run_settings(max_examples=12)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False), st.integers(1, 20))
def test_every_point_is_learned_or_counted_whatever_the_order(seed, random, size):
    points = mixed(seed, 200)
    order = list(range(len(points)))
    random.shuffle(order)
    shuffled = points.take(np.array(order, np.int64))
    for findings in fold(cut(shuffled, range(0, len(points), size * 10)), SMALL)[1]:
        count = findings["count"].to_pylist()[0]
        metrics = [row for kind in ("metric_hour", "metric_minute") if kind in findings for row in findings[kind].to_pylist()]
        learned = sum(row["count"] for row in metrics)
        assert learned == count.get("points", 0)
    total = together(fold(cut(shuffled, range(0, len(points), size * 10)), SMALL)[1])
    events = int(np.isin(points.kind, PRIMARY).sum())
    counterparties = np.flatnonzero(points.kind == COUNTERPARTY)
    of_counterparties = sum(
        row["count"] + row["late"] + row["duplicates"]
        for (_, entity, _), row in total.metrics.items()
        if entity in set(points.entity[counterparties].tolist())
    )
    primary = total.counts["points"] - sum(
        row["count"] for (_, entity, _), row in total.metrics.items() if entity in set(points.entity[counterparties].tolist())
    )
    fates = primary + sum(total.counts[name] for name in ("late", "duplicates", "conflicts", "unwatched"))
    assert total.counts["events"] == events == fates
    assert of_counterparties <= len(counterparties)  # conflicts of a counterparty's point are counted with the account's


def test_a_late_point_is_counted_and_never_scored():
    calm = even([10.0] * 30)
    newest = int(calm.time.max())
    late = columns(
        [Point(newest - SMALL.lateness_us - 1, 1e6, id=99, row=90), Point(newest - SMALL.lateness_us, 10.0, id=98, row=91)]
    )
    state, found = fold([calm, late], SMALL)
    total = together(found)
    assert (total.counts["late"], total.counts["points"], total.counts["hits"]) == (1, 31, 0)
    assert sum(row["late"] for row in total.metrics.values()) == 1
    assert state.clock == newest


def test_an_older_point_within_the_lateness_is_scored_and_does_not_turn_time_back():
    calm = even([10.0 + i % 3 for i in range(30)])
    newest = int(calm.time.max())
    state, found = fold([calm, columns([Point(newest - S, 5000.0, id=99, row=90)])], SMALL)
    assert together(found).counts["hits"] == 1
    assert state.amounts["last"].tolist() == [newest]


def test_lateness_is_the_entity_s_own():
    far = even([10.0], start=START + 10**12, entity=2)
    _, found = fold([far, even([10.0] * 3, entity=1)], SMALL)
    assert together(found).counts["late"] == 0


def test_a_duplicate_is_counted_once_more_and_changes_no_window():
    calm = even([10.0 + i % 3 for i in range(20)])
    once, _ = fold([calm], SMALL)
    again = calm.take(np.array([19, 18, 17, 16]))
    twice, found = fold([calm, again], SMALL)
    assert once.pack(SMALL) == twice.pack(SMALL)
    assert together(found).counts["duplicates"] == 4
    assert sum(row["duplicates"] for row in together(found).metrics.values()) == 4


def test_as_many_ids_are_remembered_as_the_policy_says():
    calm = even([10.0 + i % 3 for i in range(20)], gap_s=1)
    for back, fate in ((SMALL.recent_ids, "duplicates"), (SMALL.recent_ids + 1, "points")):
        again = calm.take(np.array([20 - back]))
        before, after = (together(fold(parts, SMALL)[1]).counts[fate] for parts in ([calm], [calm, again]))
        assert after == before + 1, (back, fate)


def test_what_is_remembered_does_not_depend_on_the_cut():
    """An id reused long after is a new event, in one batch as in two."""
    first = even([10.0] * 12, gap_s=1)
    reused = columns([Point(START + 100 * S, 10.0, id=int(first.id[0]), content=7, row=50)])
    near = columns([Point(START + 101 * S, 10.0, id=int(first.id[-1]), content=7, row=51)])
    stream = joined([first, reused, near])
    for parts in ([stream], [first, reused, near]):
        counts = together(fold(parts, SMALL)[1]).counts
        assert (counts["points"], counts["conflicts"], counts["duplicates"]) == (13, 1, 0)


def test_no_ids_remembered_means_no_duplicates_known():
    policy = replace(SMALL, recent_ids=0)
    calm = even([10.0] * 5)
    assert together(fold([joined([calm, calm])], policy)[1]).counts["points"] == 10


def test_the_same_id_with_other_content_is_a_conflict_and_named_by_its_row():
    calm = even([10.0] * 5)
    other = columns([Point(int(calm.time[4]), 99.0, id=int(calm.id[4]), content=1, row=77)])
    for parts in ([calm, other], [joined([calm, other])]):
        total = together(fold(parts, SMALL)[1])
        assert total.counts["conflicts"] == 1
        assert total.conflicts == [{"row": 77, "id": int(calm.id[4])}]
        assert total.counts["points"] == 5


def test_the_same_id_of_another_entity_is_no_duplicate():
    total = together(fold([joined([even([10.0] * 5, entity=1), even([10.0] * 5, entity=2)])], SMALL)[1])
    assert (total.counts["points"], total.counts["duplicates"]) == (10, 0)


def test_of_equal_points_the_lower_row_is_the_event():
    a, b = (columns([Point(START, 10.0, id=5, row=row)]) for row in (3, 9))
    for parts in ([a, b], [b, a]):
        total = together(fold([joined(parts)], SMALL)[1])
        assert total.entities[1]["row"] == 3


def test_an_idle_gap_starts_afresh_exactly_beyond_the_idle_time():
    calm = even([10.0 + i % 3 for i in range(20)])
    end = int(calm.time.max())
    for wait, hits in ((SMALL.idle_us, 1), (SMALL.idle_us + 1, 0)):
        _, found = fold([joined([calm, columns([Point(end + wait, 9000.0, id=1, row=99)])])], SMALL)
        assert together(found).counts["hits"] == hits


@pytest.mark.parametrize("kind", [ACCOUNT, SERVICE, SERIES])
def test_eviction_leaves_no_trace_in_the_state(kind):
    """Forgotten by eviction or by the gap itself: the same bytes."""
    early = even([10.0 + i % 3 for i in range(20)], kind=kind)
    later = even([20.0], kind=kind, start=START + 10 * SMALL.idle_us, first=50)
    other = even([1.0], kind=UNWATCHED, entity=0, start=START + 5 * SMALL.idle_us, first=70)
    evicted, found = fold([early, other, later], SMALL)
    stayed, _ = fold([joined([early, other, later])], SMALL)
    assert together(found).counts["evicted_idle"] == 1
    assert evicted.pack(SMALL) == stayed.pack(SMALL)


@pytest.mark.parametrize(("wait", "held"), [(SMALL.idle_us + SMALL.lateness_us, 1), (SMALL.idle_us + SMALL.lateness_us + 1, 0)])
def test_an_entity_is_evicted_exactly_when_nothing_can_join_its_window_any_more(wait, held):
    calm = even([10.0 + i % 3 for i in range(20)])
    tick = columns([Point(int(calm.time.max()) + wait, 1.0, UNWATCHED, 0, id=9, row=99)])
    state, _ = fold([calm, tick], SMALL)
    assert state.entities == held


def test_the_cap_forgets_the_longest_unheard_over_all_families_and_counts():
    policy = replace(SMALL, max_entities=3)
    parts = [even([1.0], kind=kind, entity=entity, start=START + entity * S, first=entity)
             for entity, kind in enumerate((ACCOUNT, SERVICE, SERIES, ACCOUNT, SERVICE), 1)]  # fmt: skip
    state, found = fold([joined(parts)], policy)
    assert together(found).counts["evicted_cap"] == 2
    assert [table.keys.tolist() for table in state.families] == [[4], [5], [3]]
    assert found[0]["count"].to_pylist()[0]["entities"] == 3


def test_an_empty_batch_changes_nothing():
    state, _ = fold([even([10.0] * 5)], SMALL)
    before = state.pack(SMALL)
    after, found = fold([columns([])], SMALL, state)
    assert after.pack(SMALL) == before
    assert list(found[0]) == ["count"]
    assert found[0]["count"].to_pylist()[0]["newest_row"] == -1


def test_rows_before_a_rebuild_are_learned_but_not_counted_in_metrics():
    points = even([10.0] * 10, gap_s=1)
    _, found = observe(State.empty(SMALL), points, SMALL, metrics_after_row=6)
    assert found["metric_hour"].to_pylist()[0]["count"] == 4
    assert found["count"].to_pylist()[0]["points"] == 10


def test_an_account_s_state_is_at_most_500_bytes_at_the_defaults():
    policy = Policy()
    many = 50
    parts = [even([10.0] * 120, entity=entity) for entity in range(1, many + 1)]
    full, _ = fold([joined(parts)], policy)
    none = State.empty(policy)
    assert (len(full.pack(policy)) - len(none.pack(policy))) / many <= 500


def test_unwatched_events_are_counted_and_held_nowhere():
    state, found = fold([even([math.nan] * 5, kind=UNWATCHED, entity=0)], SMALL)
    assert found[0]["count"].to_pylist()[0]["unwatched"] == 5
    assert state.entities == 0


def test_every_entity_is_named_once_by_its_first_point():
    points = mixed(3, 120)
    total = together(fold(cut(points, range(0, 120, 7)), replace(SMALL, idle_us=10**15))[1])
    watched = points.take(points.kind != UNWATCHED)
    assert total.entities.keys() == set(watched.entity.tolist())
    for entity, row in total.entities.items():
        mine = watched.take(watched.entity == entity)
        assert (row["time"], row["row"], row["kind"]) == (mine.time[0], mine.row[0], mine.kind[0])
