"""Rolling z-score of the step from a measured value to the next."""

import numpy as np

from jobs.detectors.detector import Detector, Scores, normal_score
from jobs.detectors.value_z import FLOOR_SHARE
from jobs.points import SERIES
from jobs.policy import Policy
from jobs.series_windows import SeriesPast


def score(past: SeriesPast, policy: Policy) -> Scores:
    """The window's n - 1 steps are the baseline of the step to the point; the floor is a share of the level stepped from."""
    n = np.maximum(past.n - 1, 1)
    low = np.minimum(past.low + 1, past.flat.at)
    mean, spread = past.moments(past.steps, low)
    level = past.values[past.flat.at - 1]
    step = past.steps[past.flat.at]
    widened = spread**2 * n / np.maximum(n - 1, 1) * (1 + 1 / n)
    z = (step - mean) / np.sqrt(widened + (FLOOR_SHARE * level) ** 2 + np.finfo(float).tiny)
    return np.where(past.n > policy.warm_up, normal_score(z, n - 1), np.nan)


DETECTOR = Detector("difference_z", (SERIES,), 5.5, "value", score)
