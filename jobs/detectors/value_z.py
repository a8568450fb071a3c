"""Rolling z-score of a measured value."""

import numpy as np

from jobs.columns import Longs
from jobs.detectors.detector import Detector, Scores, normal_score
from jobs.points import SERIES
from jobs.policy import Policy
from jobs.series_windows import SeriesPast

FLOOR_SHARE = 0.01  # of the mean's size: a constant series is not flagged for a hundredth of it


def deviation(value: Scores, mean: Scores, deviation: Scores, n: Longs) -> Scores:
    """(value - mean) / sd (N,), the sd widened for the window's size and never under FLOOR_SHARE of the mean's size."""
    widened = deviation**2 * n / np.maximum(n - 1, 1) * (1 + 1 / np.maximum(n, 1))
    z: Scores = (value - mean) / np.sqrt(widened + (FLOOR_SHARE * mean) ** 2 + np.finfo(float).tiny)
    return z


def score(past: SeriesPast, policy: Policy) -> Scores:
    mean, spread = past.moments(past.values, past.low)
    z = normal_score(deviation(past.value, mean, spread, past.n), past.n - 1)
    return np.where(past.n >= policy.warm_up, z, np.nan)


DETECTOR = Detector("value_z", (SERIES,), 5.0, "value", score)
