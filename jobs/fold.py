"""The heart: a shard's state and a batch of points in, the state after and the findings out. No clock, no Spark, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from jobs import evidence, findings, metrics, series_windows, service_windows, windows
from jobs.anomaly import Judged, anomaly_id, judge
from jobs.columns import Bits, Columns, Longs
from jobs.detectors import chosen
from jobs.detectors.detector import Detector
from jobs.episodes import Hit, Kept, follow
from jobs.limits import Limits
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, UNWATCHED, Points, Received, among, receive
from jobs.policy import Policy
from jobs.state import State, evict

PRIMARY = (ACCOUNT, SERVICE, SERIES, UNWATCHED)  # every event has exactly one point of these kinds


@dataclass(frozen=True)
class Family:
    """Entities whose windows have one shape: which points they take, how wide their metric buckets are."""

    kinds: tuple[int, ...]
    table: str
    metric: str
    width_us: int
    past: Callable[..., Any]
    learn: Callable[..., None] | None


FAMILIES = (
    Family((ACCOUNT, COUNTERPARTY), "amounts", "metric_hour", metrics.HOUR_US, windows.open_windows, windows.learn),
    Family((SERVICE,), "services", "metric_minute", metrics.MINUTE_US, service_windows.advance, None),
    Family((SERIES,), "series", "metric_minute", metrics.MINUTE_US, series_windows.open_windows, series_windows.learn),
)


@dataclass
class Scored:
    """What one family's points gave, before hits become episodes."""

    family: Family
    received: Received
    fresh: Points
    past: Any
    judged: Judged
    hits: list[Hit] = field(default_factory=list)


def observe(
    state: State, points: Points, policy: Policy, metrics_after_row: int = -1, limits: Limits | None = None
) -> tuple[State, dict[str, pa.Table]]:
    """Score every point against its entity's window, then learn it; order within an entity is event time.

    `state` is taken over and returned changed. The findings are tables by row kind, see `jobs.findings`. Points of bronze
    rows up to `metrics_after_row` are left out of the metrics: a rebuild folds them a second time. `limits`: thresholds that
    tenants set for this batch.
    """
    detectors = chosen(policy.detectors)
    out = findings.Findings()
    for family in FAMILIES:
        mine = points.take(among(points.kind, family.kinds))
        if len(mine):
            scored = score_family(getattr(state, family.table), family, mine, detectors, policy, limits)
            report(scored, state, policy, metrics_after_row, out)
    if len(points):
        state.clock = max(state.clock, int(points.time.max()))
    idle, capped = evict(state, policy)
    out.count(
        events=int(among(points.kind, PRIMARY).sum()), unwatched=int((points.kind == UNWATCHED).sum()), evicted_idle=idle,
        evicted_cap=capped, entities=state.entities, newest=int(points.time.max()) if len(points) else 0,
        newest_row=int(points.row.max()) if len(points) else -1,
    )  # fmt: skip
    return state, out.tables()


def score_family(
    table: Columns, family: Family, points: Points, detectors: list[Detector], policy: Policy, limits: Limits | None = None
) -> Scored:
    received = receive(points, table, policy)
    mask = received.fresh
    group, fresh = received.group[mask], received.points.take(mask)
    past = family.past(table, received, fresh, group, policy)
    watching = [detector for detector in detectors if set(detector.watches) & set(family.kinds)]
    judged = judge(past, fresh, watching, policy, limits)
    if family.learn is not None:
        family.learn(table, received, fresh, group, past, policy)
    return Scored(family, received, fresh, past, judged, hits_among(fresh, judged, detectors))


def hits_among(points: Points, judged: Judged, detectors: list[Detector]) -> list[Hit]:
    """Flagged points; the mask's bits follow the order of all chosen detectors."""
    at = np.flatnonzero(judged.hit)
    place = np.array([detectors.index(detector) for detector in judged.detectors], np.int64)
    mask = (judged.fired[:, at] << place[:, None]).sum(axis=0) if len(at) else at
    columns = (points.entity[at], points.time[at], points.id[at], points.row[at], judged.severity(at), mask, at, points.kind[at])
    return [Hit(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


def report(scored: Scored, state: State, policy: Policy, metrics_after_row: int, out: findings.Findings) -> None:
    """Metrics, new entities, conflicts, episodes and kept anomalies of one family."""
    received, points = scored.received, scored.received.points
    hit = np.zeros(len(points), bool)
    hit[np.flatnonzero(received.fresh)[scored.judged.hit]] = True
    counted = received.after(metrics_after_row) if metrics_after_row >= 0 else received
    hit = hit[points.row > metrics_after_row]
    out.add(scored.family.metric, metrics.rows(counted, hit, scored.family.width_us, timed=scored.family.table == "services"))
    first = received.starts[received.new]
    out.entities(points.entity[first], points.kind[first], points.row[first], points.time[first])
    primary = among(points.kind, PRIMARY)
    out.conflicts(points.row[received.conflict], points.id[received.conflict])
    out.count(
        points=len(scored.fresh), late=_both(received.late, primary), duplicates=_both(received.duplicate, primary),
        conflicts=_both(received.conflict, primary), hits=len(scored.hits),
    )  # fmt: skip
    changed, kept = follow(state.episodes, scored.hits, policy)
    out.episodes(changed, [detector.name for detector in chosen(policy.detectors)], scored.fresh.id)
    out.anomalies([anomaly(scored, one, policy) for one in kept])


def _both(a: Bits, b: Bits) -> int:
    return int(np.count_nonzero(a & b))


def anomaly(scored: Scored, kept: Kept, policy: Policy) -> dict[str, Any]:
    """A kept hit with its evidence."""
    point, judged = kept.hit.point, scored.judged
    which: Longs = np.array([point])
    leading = judged.detectors[int(judged.leading(which)[0])].name
    ratios = {
        detector.name: round(float(ratio), 6)
        for detector, ratio in zip(judged.detectors, judged.ratios[:, point], strict=True)
        if not np.isnan(ratio)
    }
    return {
        "anomaly_id": anomaly_id(kept.episode_id, kept.hit.id), "episode_id": kept.episode_id, "ordinal": kept.ordinal,
        "entity_hash": kept.hit.entity, "row": kept.hit.row, "id": kept.hit.id, "time": kept.hit.time, "detector": leading,
        "severity": kept.hit.severity, "scores": ratios, **evidence_of(scored, point, leading, policy),
    }  # fmt: skip


def evidence_of(scored: Scored, point: int, leading: str, policy: Policy) -> evidence.Evidence:
    if scored.family.table == "amounts":
        return evidence.of_amount(scored.past, scored.judged, point, leading, float(scored.fresh.value[point]), policy)
    if scored.family.table == "services":
        return evidence.of_service(scored.past, scored.judged, point, leading, policy)
    return evidence.of_series(scored.past, scored.judged, point, leading, policy)
