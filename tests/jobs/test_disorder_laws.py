"""Late, repeated, reordered and skewed input: the fold against the naive oracle, and what disorder may not change."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from oracle import told
from streams import SMALL, START, Point, S, Sum, columns, even, fold, in_order, joined, mixed, together
from streams import cut as cut_at

from jobs.fold import observe
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, UNWATCHED, Points
from jobs.policy import Policy
from jobs.state import State

FLOATS = ("sum", "sum_squares")  # added up in another order where rows lie between them
WIDE = replace(SMALL, window=40)
DAY = 86_400 * S
seeds = st.integers(0, 10**6)
places = st.lists(st.integers(0, 240), max_size=5)


def disordered(seed: int, n: int = 240, *, far: float = 0.05, again: float = 0.1) -> Points:
    """A stream of every kind as it may arrive: displaced a little, some far too late, some twice, one entity's clock off."""
    rng, points = np.random.default_rng(seed), mixed(seed, n)
    skew = rng.choice([0, 0, -40 * S, 50 * S, 3 * DAY], 8)
    time = points.time + skew[points.entity % 8]
    arrival = time + rng.exponential(20 * S, len(time)).astype(np.int64)
    arrival += (rng.random(len(time)) < far) * rng.integers(SMALL.lateness_us, 20 * SMALL.lateness_us, len(time))
    arriving = replace(points, time=time).take(np.argsort(arrival, kind="stable"))
    repeated = np.flatnonzero(rng.random(len(time)) < again)
    order = np.argsort(np.concatenate((np.arange(len(time)), repeated + rng.integers(0, 4, len(repeated)) + 0.5)), kind="stable")
    out = joined([arriving, arriving.take(repeated)]).take(order)
    return replace(out, row=np.arange(len(out)))


def cut(points: Points, at: list[int]) -> list[Points]:
    """The stream in pieces; places beyond its end cut nothing."""
    return cut_at(points, [place for place in at if place <= len(points)])


def agree(ours: Sum, theirs: Sum) -> None:
    """What the fold says is what the oracle says; floats within rounding."""
    counts = ("events", "points", "late", "duplicates", "conflicts", "unwatched", "hits")
    assert {name: ours.counts.get(name, 0) for name in counts} == {name: theirs.counts.get(name, 0) for name in counts}
    assert ours.conflicts == theirs.conflicts
    assert ours.entities == theirs.entities
    assert ours.metrics.keys() == theirs.metrics.keys()
    for key, row in theirs.metrics.items():
        mine = {name: value for name, value in ours.metrics[key].items() if name in row}
        floats = {name: mine.pop(name) for name in ("sum", "sum_squares")}
        assert mine == {name: value for name, value in row.items() if name not in floats}, key
        assert floats == pytest.approx({name: row[name] for name in floats}, rel=1e-9), key
    names = ("anomaly_id", "episode_id", "ordinal", "entity_hash", "row", "id", "time")
    assert [[one[n] for n in names] for one in ours.anomalies] == [[one[n] for n in names] for one in theirs.anomalies]
    for mine, one in zip(ours.anomalies, theirs.anomalies, strict=True):
        assert mine["severity"] == pytest.approx(one["severity"], abs=3e-6)
        ratios = {name: ratio for name, ratio in one["scores"].items() if ratio == ratio}
        assert json.loads(mine["scores"]) == pytest.approx(ratios, rel=1e-6, abs=2e-6)
    assert ours.episodes.keys() == theirs.episodes.keys()
    for name, one in theirs.episodes.items():
        mine = ours.episodes[name]
        assert set(mine["detectors"]) == one["detectors"]
        assert [mine[n] for n in ("entity_hash", "first", "last", "hits", "first_row", "last_row", "worst_anomaly")] == [
            one[n] for n in ("entity_hash", "first", "last", "hits", "first_row", "last_row", "worst_anomaly")
        ]


@run_settings(max_examples=10)
@given(seeds, st.lists(st.integers(0, 260), max_size=16), st.booleans())
@example(5, [60, 120, 180], True)
def test_a_disordered_stream_in_any_batches_is_folded_as_the_oracle_does(seed, at, wide):
    policy = WIDE if wide else SMALL
    batches = cut(disordered(seed), at)
    agree(together(fold(batches, policy)[1]), told(batches, policy))


def test_the_disordered_streams_hold_what_the_laws_are_about():
    found = [together(fold(cut(disordered(seed), list(range(15, 240, 15))), WIDE)[1]) for seed in range(9)]
    for name in ("late", "duplicates", "conflicts", "unwatched", "hits"):
        assert sum(one.counts[name] for one in found) > 20, name
    assert {name for one in found for row in one.episodes.values() for name in row["detectors"]} == set(WIDE.detectors)
    assert sum(1 for one in found for row in one.episodes.values() if row["hits"] > 20) > 0


def same_but(a: Sum, b: Sum, *apart: str) -> None:
    """Anomalies, episodes, entities and metrics are equal, but for these columns and counts."""
    assert (a.anomalies, a.episodes.keys(), a.conflicts) == (b.anomalies, b.episodes.keys(), b.conflicts)
    for name, one in a.episodes.items():
        assert one == b.episodes[name]
    ours, theirs = ({key: row for key, row in total.metrics.items() if row["count"]} for total in (a, b))
    assert ours.keys() == theirs.keys()
    for key, row in ours.items():
        other = theirs[key]
        assert {n: v for n, v in row.items() if n not in (*apart, *FLOATS)} == {
            n: v for n, v in other.items() if n not in (*apart, *FLOATS)
        }
        assert [row[n] for n in FLOATS] == pytest.approx([other[n] for n in FLOATS], rel=1e-12)


@run_settings(max_examples=8)
@given(seeds, places, st.randoms(use_true_random=False))
def test_a_repeated_delivery_changes_no_state_and_no_score_and_is_counted_exactly(seed, at, random):
    """While the entity remembers the id: repeated at once, in the same batch, or batches later."""
    once = mixed(seed, 200, again=False)
    batches = cut(once, at)
    added, more = 0, []
    for number, batch in enumerate(batches):
        known = newest_ids(batches[: number + 1], SMALL.recent_ids)
        which = [row for row in known if random.random() < 0.2]
        more.append(joined([batch, once.take(np.array(which, np.int64))]))
        added += len(which)
    state, found = fold(batches, SMALL)
    again, found_again = fold(more, SMALL)
    assert state.pack(SMALL) == again.pack(SMALL)
    plain, repeated = together(found), together(found_again)
    same_but(plain, repeated, "duplicates")
    primary = sum(row["duplicates"] for row in repeated.metrics.values())
    assert primary == added
    assert repeated.counts["points"] == plain.counts["points"]


def newest_ids(batches: list[Points], held: int) -> list[int]:
    """Rows of each watched entity's last `held` events that came before no idle gap."""
    points, mine = joined(batches), dict[int, list[int]]()
    for row, (entity, kind, time) in enumerate(
        zip(points.entity.tolist(), points.kind.tolist(), points.time.tolist(), strict=True)
    ):
        if kind != UNWATCHED:
            kept = mine.setdefault(entity, [])
            if kept and time - int(points.time[kept[-1]]) > SMALL.idle_us:
                kept.clear()
            kept.append(row)
    newest = int(points.time.max()) if len(points) else 0
    alive = [rows[-held:] for rows in mine.values() if newest - int(points.time[rows[-1]]) <= SMALL.idle_us]
    return [row for rows in alive for row in rows]


@run_settings(max_examples=8)
@given(seeds, st.lists(st.integers(1, 199), min_size=1, max_size=4, unique=True), st.integers(1, 10**9))
def test_late_events_are_counted_and_kept_out_of_state_and_scores(seed, at, by):
    stream = mixed(seed, 200, again=False)
    batches, more, added = cut(stream, at), [], 0
    last: dict[int, tuple[int, int]] = {}
    for number, batch in enumerate(batches):
        late = [
            Point(time - SMALL.lateness_us - by, 1e6, kind, entity, id=-(1000 * number + i + 1), row=10_000 + i)
            for i, (entity, (kind, time)) in enumerate(last.items())
        ]
        more.append(joined([batch, columns(late)]))
        added += len(late)
        for entity, kind, time in zip(batch.entity.tolist(), batch.kind.tolist(), batch.time.tolist(), strict=True):
            if kind != UNWATCHED:
                last[entity] = (kind, max(time, last.get(entity, (0, 0))[1]))
        clock = int(batch.time.max()) if len(batch) else 0
        last = {e: (k, t) for e, (k, t) in last.items() if t + SMALL.idle_us + SMALL.lateness_us >= clock}
    state, found = fold(batches, SMALL)
    again, found_again = fold(more, SMALL)
    assert state.pack(SMALL) == again.pack(SMALL)
    plain, with_late = together(found), together(found_again)
    same_but(plain, with_late, "late")
    assert sum(row["late"] for row in with_late.metrics.values()) == added


@run_settings(max_examples=8)
@given(seeds, st.integers(1, 400), st.sampled_from([-1, 1]))
def test_a_source_whose_clock_is_off_by_whole_hours_is_scored_the_same(seed, hours, sign):
    """Scores depend on differences of time only: the same anomalies under the same ids, at the other times."""
    points, by = mixed(seed, 200), sign * hours * 3600 * S
    _, found = fold(cut(points, [80, 140]), SMALL)
    _, shifted = fold(cut(replace(points, time=points.time + by), [80, 140]), SMALL)
    ours, theirs = together(found), together(shifted)
    assert [one | {"time": one["time"] + by, "context": ""} for one in ours.anomalies] == [
        one | {"context": ""} for one in theirs.anomalies
    ]
    assert {(kind, entity, bucket + by) for kind, entity, bucket in ours.metrics} == set(theirs.metrics)
    assert {n: v for n, v in ours.counts.items() if n != "newest"} == {n: v for n, v in theirs.counts.items() if n != "newest"}


@run_settings(max_examples=5)
@given(seeds, st.floats(-1e-3, 1e-3))
def test_a_clock_that_drifts_keeps_every_event_s_fate_and_every_amount_s_score(seed, drift):
    points = mixed(seed, 200)
    amounts = points.take(np.isin(points.kind, (ACCOUNT, COUNTERPARTY)))
    policy = replace(WIDE, idle_us=10**15, detectors=("amount_robust_z", "amount_z"))
    slow = replace(amounts, time=START + ((amounts.time - START) * (1 + drift)).astype(np.int64))
    ours, theirs = (together(fold(cut(in_order(one), [90]), policy)[1]) for one in (amounts, slow))
    for name in ("points", "late", "duplicates", "conflicts", "hits"):
        assert ours.counts.get(name, 0) == theirs.counts.get(name, 0)


@run_settings(max_examples=6)
@given(seeds, st.integers(1, 3 * DAY), places)
def test_a_device_in_the_future_changes_nothing_for_the_others(seed, ahead, at):
    """It is folded under its own time; lateness and windows of the others are their own: only idle time knows the clock."""
    policy = replace(SMALL, idle_us=10 * DAY)
    stream = mixed(seed, 160)
    device = even([10.0 + i % 3 for i in range(len(stream))], gap_s=40, entity=99, start=int(stream.time[0]) + ahead, first=10**6)
    both = [joined([a, b]) for a, b in zip(cut(stream, at), cut(device, at), strict=True)]
    ours, theirs = together(fold(both, policy)[1]), together(fold(cut(stream, at), policy)[1])
    assert [one for one in ours.anomalies if one["entity_hash"] != 99] == theirs.anomalies
    assert {name: one for name, one in ours.episodes.items() if one["entity_hash"] != 99} == theirs.episodes
    assert {key: row for key, row in ours.metrics.items() if key[1] != 99} == theirs.metrics
    assert sum(row["count"] for key, row in ours.metrics.items() if key[1] == 99) == len(device)


def test_a_device_whose_clock_is_set_back_is_late_until_its_time_is_passed():
    ahead, back = even([10.0] * 5, start=START + DAY), even([10.0] * 5, first=50)
    total = together(fold([ahead, back, even([10.0] * 5, start=START + DAY + 400 * S, first=90)], SMALL)[1])
    assert (total.counts["points"], total.counts["late"]) == (10, 5)


def test_the_episode_of_a_source_that_is_hours_behind_goes_on_over_batches():
    """Another's clock, a day ahead, ends no episode: it may continue for as long as the longest may last."""
    policy = replace(SMALL, longest_us=DAY, idle_us=30 * DAY)
    calm = even([10.0 + i % 3 for i in range(30)])
    odd = [even([9000.0], start=START + (1800 + 60 * i) * S, first=100 + i) for i in range(3)]
    other = [even([10.0], entity=2, start=START + DAY // 2 + i * S, first=500 + i) for i in range(3)]
    alone = together(fold([calm, *odd], policy)[1]).episodes
    beside = together(fold([calm, *(joined([b, a]) for a, b in zip(odd, other, strict=True))], policy)[1]).episodes
    assert [one["hits"] for one in alone.values()] == [3]
    assert beside == alone


SHARDS = (1, 8, 64)


@run_settings(max_examples=5)
@given(seeds, places, st.sampled_from(["ordered", "disordered"]))
def test_the_number_of_shards_changes_no_anomaly_episode_or_metric(seed, at, how):
    """Also for sources a few days behind or ahead: what is kept of an entity depends on its own time."""
    policy = replace(WIDE, idle_us=30 * DAY, longest_us=4 * DAY)
    points = spread_out(mixed(seed, 240) if how == "ordered" else disordered(seed))
    found = []
    for shards in SHARDS:
        total = Sum()
        for shard in np.unique(points.entity % shards):
            batches = [batch.take(batch.entity % shards == shard) for batch in cut(points, at)]
            merge(total, together(fold(batches, policy)[1]))
        found.append(total)
    for other in found[1:]:
        assert sorted(map(str, other.anomalies)) == sorted(map(str, found[0].anomalies))
        assert (other.episodes, other.metrics, other.entities) == (found[0].episodes, found[0].metrics, found[0].entities)


def spread_out(points: Points) -> Points:
    """The stream's entities split into many."""
    return replace(points, entity=points.entity + (points.id % 7) * 100_003)


def merge(total: Sum, part: Sum) -> None:
    total.anomalies += part.anomalies
    total.episodes |= part.episodes
    total.metrics |= part.metrics
    total.entities |= part.entities


@run_settings(max_examples=5)
@given(seeds, st.lists(st.integers(0, 160), max_size=6), st.randoms(use_true_random=False))
def test_idle_eviction_never_changes_a_score(seed, at, random):
    """A clock that moves between the batches evicts what is idle: nothing but the counts of entities differs."""
    stream = mixed(seed, 160)
    batches = cut(stream, at)
    ticking = []
    for before, after in zip(batches, [*batches[1:], columns([])], strict=True):
        ticking.append(before)
        if len(before) and len(after):
            moment = (
                random.randint(int(before.time.max()), int(after.time.min())) if after.time.min() >= before.time.max() else None
            )
            if moment is not None:
                ticking.append(columns([Point(moment, 1.0, UNWATCHED, 0, id=moment, row=10**6)]))
    ours, theirs = together(fold(batches, SMALL)[1]), together(fold(ticking, SMALL)[1])
    same_but(ours, theirs)
    assert ours.counts["points"] == theirs.counts["points"]


@run_settings(max_examples=8)
@given(seeds, places, places, st.integers(-1, 200))
def test_a_rebuild_from_bronze_is_the_running_job_s_state_and_counts_no_row_twice(seed, at, other, upto):
    """Folded anew in other batches, rows up to `upto` were in the metrics before: state, anomalies and sums come out equal."""
    stream = mixed(seed, 200)
    stream = replace(stream, row=np.arange(len(stream)))
    state, running = fold(cut(stream, at), SMALL)
    rebuilt, found, first = State.empty(SMALL), [], stream.take(stream.row <= upto)
    for batch in cut(stream, other):
        rebuilt, findings = observe(rebuilt, batch, SMALL, metrics_after_row=upto)
        found.append(findings)
    assert rebuilt.pack(SMALL) == state.pack(SMALL)
    ours, theirs = together(running), together(found)
    assert (theirs.anomalies, theirs.episodes.keys()) == (ours.anomalies, ours.episodes.keys())
    before = together(fold([first], SMALL)[1]).metrics if len(first) else {}
    assert before.keys() | theirs.metrics.keys() == ours.metrics.keys()
    for key, row in ours.metrics.items():
        parts = [some[key] for some in (before, theirs.metrics) if key in some]
        for name in ("count", "errors", "anomalies", "late", "duplicates"):
            assert sum(part[name] for part in parts) == row[name], (key, name)
        assert sum(part["sum"] for part in parts) == pytest.approx(row["sum"], rel=1e-9)


@run_settings(max_examples=8)
@given(seeds, st.integers(20, 199), st.integers(1, 6))
def test_every_conflict_is_found_named_by_its_row_and_changes_nothing(seed, at, size):
    stream = mixed(seed, 200, again=False)
    batches = cut(stream, [min(at, len(stream))])
    known = newest_ids(batches[:1], SMALL.recent_ids)[-size:]
    false = stream.take(np.array(known, np.int64))
    false = replace(false, content=false.content ^ 1, value=false.value * 9, row=np.arange(len(false)) + 10_000)
    state, found = fold(batches[:1], SMALL)
    again, found_again = fold([batches[0], false], SMALL)
    assert state.pack(SMALL) == again.pack(SMALL)
    total = together(found_again)
    same_but(together(found), total) if not len(false) else None
    new = [one for one in total.conflicts if one["row"] >= 10_000]
    assert new == [{"row": 10_000 + i, "id": int(one)} for i, one in enumerate(false.id)]


def test_kinds_and_policies_of_the_laws_are_all_there():
    assert {ACCOUNT, COUNTERPARTY, SERVICE, SERIES, UNWATCHED} == {
        kind for seed in range(3) for kind in mixed(seed, 200).kind.tolist()
    }
    assert isinstance(SMALL, Policy)
