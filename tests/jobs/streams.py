"""Streams of points for the tests: made by hand or at random, cut into batches, folded, and their findings put together."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.detectors import ALL, chosen
from jobs.fold import FAMILIES, Scored, observe, score_family
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, UNWATCHED, Points
from jobs.policy import Policy
from jobs.state import State

S = 1_000_000  # µs
START = 1_777_593_600 * S  # 2026-05-01, midnight
SMALL = Policy(
    window=12, warm_up=3, recent_ids=4, lateness_us=60 * S, idle_us=7200 * S, min_count=3, service_buckets=8, min_error_rate=0.1,
    quiet_us=600 * S, longest_us=3000 * S, thresholds=dict.fromkeys(ALL, 1.2),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One point; `entity` is unique over all kinds."""

    time: int
    value: float = 10.0
    kind: int = ACCOUNT
    entity: int = 1
    id: int = 0
    content: int = 0
    error: bool = False
    row: int = 0


def columns(points: Sequence[Point]) -> Points:
    """As the fold takes them, in the order given."""
    kinds = {"kind": np.int8, "content": np.uint8, "value": np.float64, "error": bool}
    names = Points.__dataclass_fields__
    return Points(*(np.array([getattr(p, name) for p in points], kinds.get(name, np.int64)) for name in names))


def even(values: Iterable[float], *, gap_s: float = 60.0, kind: int = ACCOUNT, entity: int = 1, start: int = START,
         errors: Iterable[bool] | None = None, first: int = 1) -> Points:  # fmt: skip
    """One entity's points at even distances, with ids and rows that count from `first`."""
    value = np.array(list(values), np.float64)
    n = len(value)
    error = np.zeros(n, bool) if errors is None else np.array(list(errors), bool)
    number = np.arange(first, first + n)
    time = start + (np.arange(n) * gap_s * S).astype(np.int64)
    return Points(
        np.full(n, kind, np.int8), np.full(n, entity, np.int64), time, spread(number), np.zeros(n, np.uint8), value, error, number
    )


def spread(number: Any) -> Any:
    """Ids that look like hashes."""
    return np.asarray(number, np.int64) * np.int64(-7046029254386353131)


def joined(parts: Sequence[Points]) -> Points:
    return Points(*(np.concatenate([getattr(part, name) for part in parts]) for name in Points.__dataclass_fields__))


def in_order(points: Points) -> Points:
    """As they happened: by time, id and content; rows are numbered in that order."""
    ordered = points.take(np.lexsort((points.row, points.content, points.id, points.time)))
    return Points(*(getattr(ordered, name) for name in list(Points.__dataclass_fields__)[:-1]), row=np.arange(len(points)))


def mixed(seed: int, n: int, odd: float = 0.08, *, again: bool = True) -> Points:
    """A random in-order stream of every kind: ties, lulls, idle gaps, duplicates and conflicts, bursts, outliers."""
    rng, gaps_s = np.random.default_rng(seed), (0, 0, 1, 5, 20, 70, 400)
    kinds = ((ACCOUNT, COUNTERPARTY), (SERVICE, SERIES), (ACCOUNT, COUNTERPARTY, SERVICE, SERIES, ACCOUNT, SERVICE))[seed % 3]
    entities = len(kinds)
    time, points, seen = START, [], []
    for number in range(1, n + 1):
        storm = number % 100 > 80
        time += int(rng.choice(gaps_s[:4] if storm else gaps_s) * S) + int(rng.integers(0, 3)) * int(rng.random() < 0.5)
        if rng.random() < 0.01:
            time += SMALL.idle_us + int(rng.choice([-5, 1, 100]) * S)
        who = (number // 100 + seed) % entities if storm else int(rng.integers(0, entities))
        kind = UNWATCHED if rng.random() < 0.05 else kinds[who]
        value = float(np.round(np.exp(rng.normal(3, 0.3)) * (30 if rng.random() < (0.5 if storm else odd) else 1), 2))
        if kind == SERVICE and rng.random() < 0.1:
            value = float("nan")
        point = Point(
            time,
            value,
            kind,
            who * 7919 + 1,
            int(spread(number)),
            int(rng.integers(0, 200)),
            rng.random() < (0.6 if storm else odd),
        )
        if again and seen and rng.random() < odd:
            old = seen[int(rng.integers(max(0, len(seen) - 40), len(seen)))]
            if rng.random() < 0.5:
                point = Point(time, value if value == value else 7.0, old.kind, old.entity, old.id, old.content ^ 1)
            else:
                point = Point(old.time, old.value, old.kind, old.entity, old.id, old.content, old.error)
        if all(point.time - old.time <= SMALL.idle_us for old in seen if old.id == point.id):
            points.append(point)
            seen.append(point)
    return in_order(columns(points))


def cut(points: Points, places: Iterable[int]) -> list[Points]:
    """The stream in pieces; a place outside it gives an empty batch."""
    bounds = [0, *sorted(places), len(points)]
    return [points.take(np.arange(a, max(a, b))) for a, b in itertools.pairwise(bounds)]


def fold(batches: Iterable[Points], policy: Policy, state: State | None = None) -> tuple[State, list[dict[str, pa.Table]]]:
    """Every batch through the fold, the state packed and unpacked in between as in the stream."""
    state, found = state or State.empty(policy), []
    for batch in batches:
        state, findings = observe(State.unpack(state.pack(policy), policy), batch, policy)
        found.append(findings)
    return state, found


@dataclass
class Sum:
    """Findings of several batches put together as the sink does."""

    anomalies: list[dict[str, Any]] = field(default_factory=list)
    episodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    entities: dict[int, dict[str, Any]] = field(default_factory=dict)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[tuple[str, int, int], dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


ADDED = ("count", "errors", "sum", "sum_squares", "anomalies", "late", "duplicates")


def together(found: Iterable[dict[str, pa.Table]]) -> Sum:
    out = Sum()
    for findings in found:
        rows = {kind: table.to_pylist() for kind, table in findings.items()}
        out.anomalies += rows.get("anomaly", [])
        out.conflicts += rows.get("conflict", [])
        for one in rows.get("episode", []):
            before = out.episodes.get(one["episode_id"], {})
            kept = {name: before[name] for name in ("first_row", "worst_anomaly") if before and one[name] in (-1, 0)}
            out.episodes[one["episode_id"]] = one | kept | ({"first_row": before["first_row"]} if before else {})
        for one in rows.get("entity", []):
            out.entities.setdefault(one["entity_hash"], one)
        for kind in ("metric_hour", "metric_minute"):
            for one in rows.get(kind, []):
                _add(out.metrics, (kind, one["entity_hash"], one["bucket"]), {"histogram": None} | one)
        for name, value in rows["count"][0].items():
            out.counts[name] = max(out.counts.get(name, 0), value) if name == "newest" else out.counts.get(name, 0) + value
    out.anomalies.sort(key=lambda one: (one["entity_hash"], one["ordinal"], one["anomaly_id"]))
    out.conflicts.sort(key=lambda one: one["row"])
    return out


def _add(metrics: dict[tuple[str, int, int], dict[str, Any]], key: tuple[str, int, int], one: dict[str, Any]) -> None:
    held = metrics.get(key)
    if held is None:
        metrics[key] = one
        return
    for name in ADDED:
        held[name] += one[name]
    held["min"], held["max"] = min(held["min"], one["min"]), max(held["max"], one["max"])
    if one["histogram"] is not None:
        held["histogram"] = [a + b for a, b in zip(held["histogram"], one["histogram"], strict=True)]


def scored(points: Points, policy: Policy, batches: int = 1) -> list[Scored]:
    """The scores of one family's points, batch by batch, before they become findings."""
    family = next(f for f in FAMILIES if int(points.kind[0]) in f.kinds)
    state = State.empty(policy)
    parts = [points.take(part) for part in np.array_split(np.arange(len(points)), batches)]
    return [score_family(getattr(state, family.table), family, part, chosen(policy.detectors), policy) for part in parts]


def scores(points: Points, detector: str, policy: Policy, batches: int = 1) -> Any:
    """One detector's ratios (score over threshold) in the fold's order of each batch."""
    found = scored(points, policy, batches)
    at = [one.name for one in found[0].judged.detectors].index(detector)
    return np.concatenate([one.judged.ratios[at] for one in found])
