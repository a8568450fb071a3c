"""Velocity: an entity's newest events come faster than its own gaps allow.

The time taken by the newest BURST gaps is held against a gamma law whose mean is the window's mean gap and whose shape is thinned
by the window's own burstiness (squared coefficient of variation), so that a daily rhythm is not a burst.
Wilson and Hilferty (1931), The distribution of chi-square, turns it into a normal deviate.
"""

import math

import numpy as np

from jobs.columns import Values
from jobs.detectors.detector import Detector, Scores
from jobs.points import ACCOUNT, COUNTERPARTY
from jobs.policy import Policy
from jobs.windows import Past, window_sums

BURST = 10
LEAST_PAST = 20  # gaps that the baseline must have


def score(past: Past, policy: Policy) -> Scores:
    """Larger when faster; never positive for slow ones."""
    at, start = past.flat.at + 1, past.flat.at + 1 - BURST  # the newest BURST gaps, the point's own among them
    older = past.low + 1  # the first gap of a window belongs to a point that is not in it
    n = start - older
    judged = n >= max(LEAST_PAST, policy.warm_up)
    start, older = np.where(judged, start, at), np.where(judged, older, at)
    total = window_sums(past.gaps, older, start)
    squares = window_sums(past.gaps**2, older, start)
    burst = window_sums(past.gaps, start, at)
    n = np.where(judged, n, 1)
    mean = np.maximum(total / n, 1e-9)
    variation = np.maximum(squares / n / mean**2 - 1, 1)
    shape = BURST / variation
    ratio = burst / (BURST * mean)
    deviate = 3 * np.sqrt(shape) * (1 - 1 / (9 * shape) - np.cbrt(ratio))
    return np.where(judged, np.where(total > 0, deviate, 0.0), np.nan)


def limit(gaps: Values, threshold: float) -> float:
    """The share of its usual time (0..1) below which a burst is flagged after these gaps; 0 when none can be."""
    mean = max(float(gaps.mean()), 1e-9)
    shape = BURST / max(float((gaps**2).mean()) / mean**2 - 1, 1.0)
    return max(1 - 1 / (9 * shape) - threshold / (3 * math.sqrt(shape)), 0.0) ** 3


DETECTOR = Detector("velocity", (ACCOUNT, COUNTERPARTY), 4.5, "events", score)
