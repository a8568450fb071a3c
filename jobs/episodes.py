"""Consecutive anomalies of an entity as one episode, kept in the state until it has been quiet."""

from dataclasses import dataclass

import numpy as np

from jobs.anomaly import episode_id
from jobs.columns import Columns, Shape
from jobs.policy import Policy

KEPT_HITS = 20  # an episode's first hits are kept one by one; later ones only when they are the worst so far

SHAPE: Shape = {
    "first": ("int64", ()),  # event time of the first hit, µs
    "last": ("int64", ()),
    "first_id": ("int64", ()),  # id hash of the first hit's event
    "hits": ("int32", ()),
    "worst": ("float64", ()),
    "mask": ("int32", ()),  # detectors that fired, as bits
}


@dataclass(frozen=True)
class Hit:
    """A flagged point: `point` is its index among the batch's points."""

    entity: int
    time: int
    id: int
    row: int
    severity: float
    mask: int
    point: int
    kind: int = 0


@dataclass
class Episode:
    """An episode as it is after this batch, with absolute counts."""

    episode_id: str
    entity: int
    first: int
    last: int
    first_id: int
    hits: int
    worst: float
    mask: int
    first_row: int = -1  # the first hit's bronze row, when it came in this batch
    last_row: int = -1
    worst_point: int = -1  # the point that is the worst so far, when it came in this batch
    kind: int = 0


@dataclass(frozen=True)
class Kept:
    """A hit that is written as an anomaly row."""

    episode_id: str
    ordinal: int
    hit: Hit


def follow(open_episodes: Columns, hits: list[Hit], policy: Policy) -> tuple[list[Episode], list[Kept]]:
    """Join the hits, in the fold's order, to their entities' episodes; every episode that changed, and the hits kept."""
    current: dict[int, Episode] = _load(open_episodes, {hit.entity for hit in hits}, policy)
    changed: list[Episode] = []
    kept: list[Kept] = []
    for hit in hits:
        episode = current.get(hit.entity)
        if episode is None or hit.time - episode.last > policy.quiet_us or hit.time - episode.first > policy.longest_us:
            name = episode_id(hit.entity, hit.id, policy)
            episode = Episode(name, hit.entity, hit.time, hit.time, hit.id, 0, -1.0, 0, first_row=hit.row)
            current[hit.entity] = episode
        if episode.last_row == -1:
            changed.append(episode)
        _join(episode, hit, kept)
    _store(open_episodes, current)
    return changed, kept


def _join(episode: Episode, hit: Hit, kept: list[Kept]) -> None:
    episode.hits += 1
    episode.last, episode.last_row, episode.kind = max(episode.last, hit.time), hit.row, hit.kind
    episode.mask |= hit.mask
    if hit.severity > episode.worst:
        episode.worst, episode.worst_point = hit.severity, hit.point
    if episode.hits <= KEPT_HITS or episode.worst_point == hit.point:
        kept.append(Kept(episode.episode_id, episode.hits, hit))


def _load(table: Columns, entities: set[int], policy: Policy) -> dict[int, Episode]:
    rows = np.flatnonzero(np.isin(table.keys, np.fromiter(entities, np.int64, len(entities))))
    loaded = {}
    for row in rows:
        entity, first_id = int(table.keys[row]), int(table["first_id"][row])
        loaded[entity] = Episode(
            episode_id(entity, first_id, policy), entity, int(table["first"][row]), int(table["last"][row]), first_id,
            int(table["hits"][row]), float(table["worst"][row]), int(table["mask"][row]),
        )  # fmt: skip
    return loaded


def _store(table: Columns, current: dict[int, Episode]) -> None:
    entities = np.array(sorted(current), np.int64)
    rows, _ = table.admit(entities)
    for name in SHAPE:
        table[name][rows] = [getattr(current[int(entity)], name) for entity in entities]


def forget_ended(table: Columns, clock: int, policy: Policy) -> None:
    """Drop the episodes that no event within the allowed lateness can continue any more.

    The clock is the shard's: a source that is up to `longest_us` behind it keeps its episodes, whoever shares the shard.
    """
    table.keep(table["last"] + policy.quiet_us + policy.lateness_us + policy.longest_us >= clock)
