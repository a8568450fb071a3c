"""Consecutive hits are one episode: where it ends, what is kept of it, and that its name and counts do not depend on batches."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from streams import SMALL, START, S, even, fold, joined, together

from jobs.anomaly import anomaly_id, episode_id
from jobs.columns import Columns
from jobs.episodes import KEPT_HITS, SHAPE, Episode, Hit, Kept, follow, forget_ended

QUIET, LONGEST = SMALL.quiet_us, SMALL.longest_us


def hits(times: list[int], severities: list[float] | None = None, entity: int = 1) -> list[Hit]:
    severities = severities or [0.6] * len(times)
    return [Hit(entity, START + t, 100 + i, i, s, 1, i) for i, (t, s) in enumerate(zip(times, severities, strict=True))]


def run(batches: list[list[Hit]]) -> tuple[dict[str, Episode], list[Kept]]:
    """Every episode as it was last reported, and the hits kept."""
    table, last, kept = Columns.empty(SHAPE), {}, []
    for batch in batches:
        changed, more = follow(table, batch, SMALL)
        last |= {one.episode_id: one for one in changed}
        kept += more
    return last, kept


@pytest.mark.parametrize(("gap", "episodes"), [(QUIET, 1), (QUIET + 1, 2)])
def test_an_episode_ends_after_exactly_the_quiet_time(gap, episodes):
    for split in (False, True):
        found = hits([0, gap])
        assert len(run([found[:1], found[1:]] if split else [found])[0]) == episodes


@pytest.mark.parametrize(("end", "episodes"), [(LONGEST, 1), (LONGEST + 1, 2)])
def test_an_episode_is_cut_at_its_greatest_length(end, episodes):
    times = [*range(0, LONGEST - QUIET + 1, QUIET), LONGEST - QUIET // 2, end]
    assert len(run([hits(times)])[0]) == episodes


def test_the_quiet_time_counts_from_the_newest_hit_even_when_an_older_one_comes_after():
    found = run([hits([0, QUIET]), hits([QUIET // 2]), hits([2 * QUIET])])[0]
    assert [(one.hits, one.last) for one in found.values()] == [(4, START + 2 * QUIET)]


def test_the_first_hits_are_kept_and_later_ones_only_when_worse():
    severities = [0.6] * 30 + [0.9, 0.9, 0.95] + [0.7]
    kept = run([hits(list(range(34)), severities)])[1]
    assert [one.ordinal for one in kept] == [*range(1, KEPT_HITS + 1), 31, 33]


def plain(episodes: dict[str, Episode]) -> dict[str, tuple[float, ...]]:
    return {name: (e.hits, e.first, e.last, e.first_id, e.worst, e.mask) for name, e in episodes.items()}


@run_settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, QUIET * 3 // 2), st.sampled_from([0.5, 0.6, 0.8, 0.99]), st.integers(1, 2)), max_size=60),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_batches_change_neither_names_nor_counts_nor_what_is_kept(steps, cuts):
    time, stream = 0, []
    for i, (gap, severity, entity) in enumerate(steps):
        time += gap
        stream.append(Hit(entity, START + time, 100 + i, i, severity, 1 << i % 3, i))
    bounds = [0, *sorted(c for c in cuts if c <= len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(bounds)]
    whole, kept = run([stream])
    parts, kept_in_parts = run(pieces)
    assert plain(whole) == plain(parts)
    assert [(k.episode_id, k.ordinal, k.hit.id) for k in kept] == [(k.episode_id, k.ordinal, k.hit.id) for k in kept_in_parts]
    assert sum(e.hits for e in whole.values()) == len(stream)
    for name, one in whole.items():
        mine = [h for h in stream if h.entity == one.entity and one.first <= h.time <= one.last]
        assert one.hits == len(mine)
        assert one.worst == max(h.severity for h in mine)
        assert name == episode_id(one.entity, mine[0].id, SMALL)


def test_ids_come_from_entity_detectors_and_first_event():
    name = episode_id(1, 2, SMALL)
    others = {episode_id(2, 2, SMALL), episode_id(1, 3, SMALL), episode_id(1, 2, replace(SMALL, detectors=("amount_z",)))}
    assert name not in others
    assert len(others) == 3
    assert name == episode_id(1, 2, replace(SMALL, warm_up=7)) == episode_id(1, 2, SMALL)
    assert anomaly_id(name, 5) != anomaly_id(name, 6)
    assert len(name) == len(anomaly_id(name, 5)) == 24


def test_an_ended_episode_is_forgotten_once_nothing_can_continue_it():
    table = Columns.empty(SHAPE)
    follow(table, hits([0]), SMALL)
    end = START + QUIET + SMALL.lateness_us + SMALL.longest_us
    forget_ended(table, end, SMALL)
    assert len(table) == 1
    forget_ended(table, end + 1, SMALL)
    assert len(table) == 0


def test_a_storm_is_one_episode_with_a_count():
    """Forty outrageous payments in a row: one case, twenty rows and the worse ones, every hit counted."""
    policy = replace(SMALL, window=250, detectors=("amount_z",), thresholds={"amount_z": 1.2})
    calm = even([10.0] * 100, gap_s=5)
    storm = even([5000.0 + 10 * i for i in range(40)], gap_s=5, start=int(calm.time.max()) + S, first=500)
    total = together(fold([joined([calm, storm])], policy)[1])
    [episode] = [one for one in total.episodes.values() if one["hits"] > 1]
    assert episode["hits"] == total.counts["hits"] == 40
    mine = [one for one in total.anomalies if one["episode_id"] == episode["episode_id"]]
    assert [one["ordinal"] for one in mine][:20] == list(range(1, 21))
    assert episode["worst"] == max(one["severity"] for one in mine)
    assert episode["first_row"] == int(storm.row[0])
    assert episode["last_row"] == int(storm.row[-1])
    assert episode["detectors"] == ["amount_z"]


def test_an_episode_s_detectors_are_all_that_fired_in_it():
    policy = replace(SMALL, detectors=("amount_robust_z", "amount_z"))
    calm = even([10.0 + i % 3 for i in range(12)])
    odd = even([900.0, 9.0, 800.0], start=int(calm.time.max()) + S, first=90)
    total = together(fold([calm, odd], policy)[1])
    [episode] = total.episodes.values()
    assert episode["detectors"] == ["amount_robust_z", "amount_z"]
