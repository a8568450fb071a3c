"""The whole fold once more, event by event over plain lists and dictionaries: slow, short, and easy to believe.

It is told batch by batch what arrived and says what `jobs.fold.observe` must say: the fate of every point, every hit, metrics,
episodes, kept anomalies, conflicts and entities. Detectors are those of `naive`.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import naive
import numpy as np
from naive import NAN
from streams import S, Sum

from jobs.anomaly import anomaly_id, episode_id
from jobs.fold import PRIMARY
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, UNWATCHED, Points
from jobs.policy import Policy
from jobs.windows import GAPS, NATS, encode_amounts, encode_gaps

FAMILY = {ACCOUNT: "amounts", COUNTERPARTY: "amounts", SERVICE: "services", SERIES: "series"}
MINUTE, HOUR = 60 * S, 3600 * S


@dataclass
class One:
    """One event as a row."""

    kind: int
    entity: int
    time: int
    id: int
    content: int
    value: float
    error: bool
    row: int

    @property
    def order(self) -> tuple[int, ...]:
        return (self.time, self.id, self.content, self.row)


@dataclass
class Entity:
    """What is kept of one entity."""

    policy: Policy
    last: int | None = None
    known: deque[tuple[int, int]] = field(default_factory=deque)  # short id, content
    past: list[Any] = field(default_factory=list)  # of the family's own make
    bucket: naive.Bucket | None = None

    def __post_init__(self) -> None:
        self.known = deque(maxlen=self.policy.recent_ids)

    def fate(self, one: One, last: int | None) -> str:
        """`last`: the newest time before this batch, None for one that is new in it."""
        content = next((held for short, held in reversed(self.known) if short == short_id(one.id)), None)
        if content is not None:
            return "duplicate" if content == one.content else "conflict"
        return "late" if last is not None and one.time < last - self.policy.lateness_us else "fresh"

    def scores(self, one: One, family: str) -> dict[str, float]:
        """By the window before the event, which is then learned."""
        if self.last is not None and one.time - self.last > self.policy.idle_us:
            self.past, self.bucket = [], None
        found = {"amounts": self._amount, "services": self._request, "series": self._measurement}[family](one)
        self.last = one.time if self.last is None else max(self.last, one.time)
        self.known.append((short_id(one.id), one.content))
        return found

    def _amount(self, one: One) -> dict[str, float]:
        log = int(encode_amounts(np.array([one.value]))[0]) / NATS
        started = bool(self.past)
        waited = max(one.time - self.last, 0) if started and self.last is not None else 0
        gap = int(GAPS[int(encode_gaps(np.array([waited]))[0])]) / 16
        logs, enough = [held[0] for held in self.past], len(self.past) >= self.policy.warm_up
        gaps = [*(held[1] for held in self.past[1:]), gap]
        self.past = [*self.past, (log, gap)][-self.policy.window :]
        return {
            "amount_z": naive.z_score(log, logs, 0.05) if enough else NAN,
            "amount_robust_z": naive.robust(log, logs) if enough else NAN,
            "velocity": naive.velocity(gaps, self.policy.warm_up) if sum(gaps[:-10]) > 0 or len(gaps) < 30 else 0.0,
        }

    def _measurement(self, one: One) -> dict[str, float]:
        held, enough = self.past, self.policy.warm_up
        steps = [b - a for a, b in itertools.pairwise(held)]
        self.past = [*held, one.value][-self.policy.window :]
        return {
            "value_z": naive.series_z(one.value, held, held) if len(held) >= enough else NAN,
            "difference_z": naive.series_z(one.value - held[-1], steps, held[-1:]) if len(held) > enough else NAN,
        }

    def _request(self, one: One) -> dict[str, float]:
        minute, bucket, least = one.time // MINUTE, self.bucket, self.policy.min_count
        if bucket is not None and minute > bucket.newest:
            if len(bucket.failed) >= least or minute - bucket.opened >= 15:
                self.past = [*self.past, bucket][-self.policy.service_buckets :]
                bucket = None
            else:
                bucket.newest = minute
        self.bucket = bucket = bucket or naive.Bucket(minute, minute)
        bucket.failed.append(one.error)
        if not math.isnan(one.value):
            bucket.levels.append(naive.level(one.value))
        failed = [failure for old in self.past for failure in old.failed]
        levels = [level for old in self.past for level in old.levels]
        return {
            "error_rate": naive.rate_score(bucket.failed, failed, least, self.policy.min_error_rate),
            "latency": naive.latency_score(bucket.levels, levels, least),
        }


@dataclass
class Oracle:
    """All entities; `said` grows batch by batch."""

    policy: Policy
    entities: dict[int, Entity] = field(default_factory=dict)
    open: dict[int, dict[str, Any]] = field(default_factory=dict)  # episodes
    said: Sum = field(default_factory=Sum)

    def take(self, points: Points) -> None:
        names = list(Points.__dataclass_fields__)
        rows = [One(*row) for row in zip(*(getattr(points, name).tolist() for name in names), strict=True)]
        arrived: dict[int, list[One]] = {}
        for one in sorted(rows, key=lambda one: one.order):
            self._count("events", one.kind in PRIMARY)
            if one.kind == UNWATCHED:
                self._count("unwatched")
            else:
                arrived.setdefault(one.entity, []).append(one)
        for entity, mine in arrived.items():
            self._visit(entity, mine)
        self.said.anomalies.sort(key=lambda row: (row["entity_hash"], row["ordinal"], row["anomaly_id"]))
        self.said.conflicts.sort(key=lambda row: row["row"])

    def _visit(self, name: int, mine: list[One]) -> None:
        entity = self.entities.get(name)
        if entity is None:
            entity = self.entities[name] = Entity(self.policy)
            first = {"entity_hash": name, "kind": mine[0].kind, "row": mine[0].row, "time": mine[0].time}
            self.said.entities[name] = first
        last = entity.last
        for one in mine:
            fate = entity.fate(one, last)
            ratios: dict[str, float] = {}
            if fate == "fresh":
                scores = entity.scores(one, FAMILY[one.kind])
                chosen = {name: scores[name] for name in self.policy.detectors if name in scores}
                ratios = {name: score / self.policy.thresholds[name] for name, score in chosen.items()}
            hit = any(ratio >= 1 for ratio in ratios.values())
            self._tell(one, fate, hit)
            if hit:
                self._follow(one, ratios)

    def _count(self, name: str, by: int = 1) -> None:
        self.said.counts[name] = self.said.counts.get(name, 0) + by

    def _tell(self, one: One, fate: str, hit: bool) -> None:
        """Counts of the batch, the row of its minute or hour, and conflicts by row."""
        plural = {"late": "late", "duplicate": "duplicates", "conflict": "conflicts", "fresh": "points"}[fate]
        self._count(plural, 1 if fate == "fresh" else one.kind in PRIMARY)
        self._count("hits", int(hit))
        if fate == "conflict":
            self.said.conflicts.append({"row": one.row, "id": one.id})
        hourly = FAMILY[one.kind] == "amounts"
        bucket = one.time // (HOUR if hourly else MINUTE) * (HOUR if hourly else MINUTE)
        key = ("metric_hour" if hourly else "metric_minute", one.entity, bucket)
        row = self.said.metrics.setdefault(
            key, dict.fromkeys(("count", "errors", "sum", "sum_squares", "anomalies", "late", "duplicates"), 0)
            | {"min": math.inf, "max": -math.inf, "histogram": [0] * 64 if one.kind == SERVICE else None},
        )  # fmt: skip
        row["late"] += fate == "late"
        row["duplicates"] += fate == "duplicate"
        if fate == "fresh":
            row["count"], row["errors"], row["anomalies"] = row["count"] + 1, row["errors"] + one.error, row["anomalies"] + hit
            if not math.isnan(one.value):
                row["sum"], row["sum_squares"] = row["sum"] + one.value, row["sum_squares"] + one.value**2
                row["min"], row["max"] = min(row["min"], one.value), max(row["max"], one.value)
                if row["histogram"] is not None:
                    row["histogram"][naive.level(one.value)] += 1

    def _follow(self, one: One, ratios: dict[str, float]) -> None:
        """Join the hit to its entity's episode; its first twenty hits are kept, and later ones that are the worst so far."""
        held, policy = self.open.get(one.entity), self.policy
        if held is None or one.time - held["last"] > policy.quiet_us or one.time - held["first"] > policy.longest_us:
            name = episode_id(one.entity, one.id, policy)
            held = self.open[one.entity] = {
                "episode_id": name, "entity_hash": one.entity, "kind": one.kind, "first": one.time, "last": one.time, "hits": 0,
                "worst": -1.0, "detectors": set(), "first_row": one.row, "last_row": one.row, "worst_anomaly": 0,
            }  # fmt: skip
            self.said.episodes[name] = held
        severity = round(1 - 2.0 ** -sum(ratio for ratio in ratios.values() if ratio >= 1), 6)
        held["hits"], held["last"], held["last_row"] = held["hits"] + 1, max(held["last"], one.time), one.row
        held["detectors"] |= {name for name, ratio in ratios.items() if ratio >= 1}
        worst = severity > held["worst"]
        if worst:
            held["worst"], held["worst_anomaly"] = severity, one.id
        if held["hits"] <= 20 or worst:
            self.said.anomalies.append({
                "anomaly_id": anomaly_id(held["episode_id"], one.id), "episode_id": held["episode_id"], "ordinal": held["hits"],
                "entity_hash": one.entity, "row": one.row, "id": one.id, "time": one.time, "severity": severity, "scores": ratios,
            })  # fmt: skip


def short_id(number: int) -> int:
    return max(number % (1 << 32), 1)


def told(batches: Iterable[Points], policy: Policy) -> Sum:
    """What the fold must say of these batches, put together."""
    oracle = Oracle(policy)
    for batch in batches:
        oracle.take(batch)
    return oracle.said
