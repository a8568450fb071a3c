"""What an anomaly is: which detectors fired on a point, how severe that is, and ids that derive from the event."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.columns import Bits, Floats, Longs
from jobs.detectors.detector import Detector, Scores
from jobs.limits import Limits
from jobs.points import Points, among
from jobs.policy import Policy


@dataclass(frozen=True)
class Judged:
    """N scored points. `ratios` (D, N) are scores over their thresholds, NaN where a detector could not judge.

    `thresholds`: of each detector one for all points, or (N,) where tenants have their own.
    """

    detectors: list[Detector]
    ratios: Floats
    thresholds: list[Any]

    def threshold(self, name: str, point: int) -> float:
        """The score from which this detector flags the point."""
        held = next(one for detector, one in zip(self.detectors, self.thresholds, strict=True) if detector.name == name)
        return float(np.broadcast_to(held, self.ratios.shape[1])[point])

    @property
    def fired(self) -> Bits:
        fired: Bits = self.ratios >= 1
        return fired

    @property
    def hit(self) -> Bits:
        """(N,) points that at least one detector flags."""
        hit: Bits = np.any(self.fired, axis=0)
        return hit

    def severity(self, which: Longs) -> Scores:
        """0.5 for one detector exactly at its threshold, .75 at twice it; detectors that agree add up."""
        strength = np.where(self.fired[:, which], self.ratios[:, which], 0.0).sum(axis=0)
        severity: Scores = np.round(1 - 2.0**-strength, 6)
        return severity

    def leading(self, which: Longs) -> Longs:
        """Index of the detector with the highest ratio."""
        first: Longs = np.nan_to_num(self.ratios[:, which], nan=-1.0).argmax(axis=0)
        return first


def judge(past: object, points: Points, detectors: list[Detector], policy: Policy, limits: Limits | None = None) -> Judged:
    """Let every detector that watches these points' kinds score them."""
    ratios = np.full((len(detectors), len(points)), np.nan)
    thresholds: list[Any] = [policy.thresholds.get(detector.name, detector.threshold) for detector in detectors]
    if limits is not None:
        thresholds = [limits.over(one.name, usual, points) for one, usual in zip(detectors, thresholds, strict=True)]
    for i, detector in enumerate(detectors):
        scores = detector.score(past, policy) / thresholds[i]
        ratios[i] = np.where(among(points.kind, detector.watches), scores, np.nan)
    return Judged(detectors, ratios, thresholds)


def episode_id(entity: int, first_event: int, policy: Policy) -> str:
    """Of the entity (which holds the tenant), the detector set and the first hit's event: the same on every replay."""
    return _hex(np.int64(entity).tobytes() + np.int64(first_event).tobytes() + policy.detector_hash.encode())


def anomaly_id(episode: str, event: int) -> str:
    return _hex(episode.encode() + np.int64(event).tobytes())


def _hex(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
