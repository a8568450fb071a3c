"""What an anomaly is: which detectors fired on a point, how severe that is, and ids that derive from the event."""

import hashlib
from dataclasses import dataclass

import numpy as np

from jobs.columns import Bits, Floats, Longs
from jobs.detectors.detector import Detector, Scores
from jobs.points import Points
from jobs.policy import Policy


@dataclass(frozen=True)
class Judged:
    """N scored points. `ratios` (D, N) are scores over their thresholds, NaN where a detector could not judge."""

    detectors: list[Detector]
    ratios: Floats

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


def judge(past: object, points: Points, detectors: list[Detector], policy: Policy) -> Judged:
    """Let every detector that watches these points' kinds score them."""
    ratios = np.full((len(detectors), len(points)), np.nan)
    for i, detector in enumerate(detectors):
        scores = detector.score(past, policy) / policy.thresholds.get(detector.name, detector.threshold)
        ratios[i] = np.where(np.isin(points.kind, detector.watches), scores, np.nan)
    return Judged(detectors, ratios)


def episode_id(entity: int, first_event: int, policy: Policy) -> str:
    """Of the entity (which holds the tenant), the detector set and the first hit's event: the same on every replay."""
    return _hex(np.int64(entity).tobytes() + np.int64(first_event).tobytes() + policy.detector_hash.encode())


def anomaly_id(episode: str, event: int) -> str:
    return _hex(episode.encode() + np.int64(event).tobytes())


def _hex(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
