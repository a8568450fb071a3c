"""Robust z-score of the log amount: distance from the median in units of the median absolute deviation.

Hampel (1974), The influence curve and its role in robust estimation. It still sees an outlier when earlier ones have widened the
standard deviation. It is computed only where |z| ≥ 1: outliers can hide a further one below z = 1 only when they are
more than half of the window (z = sqrt((1 - p) / p)), where the median has broken down as well.
"""

import numpy as np

from jobs.columns import Longs, Values
from jobs.detectors.amount_z import deviation
from jobs.detectors.detector import Detector, Scores, normal_score
from jobs.points import ACCOUNT, COUNTERPARTY
from jobs.policy import Policy
from jobs.windows import NATS, Past

FLOOR = 0.1 * NATS
SD_PER_MAD = 1.4826
ABSENT = 32_767


def score(past: Past, policy: Policy) -> Scores:
    scores = np.where(past.n >= policy.warm_up, 0.0, np.nan)
    which = np.flatnonzero((past.n >= policy.warm_up) & (np.abs(deviation(past)) >= 1))
    if len(which):
        median, mad = median_and_mad(past, which)
        distance = np.abs(past.code[which] - median) / np.maximum(SD_PER_MAD * mad, FLOOR)
        scores[which] = normal_score(distance, past.n[which] - 1)
    return scores


def median_and_mad(past: Past, which: Longs) -> tuple[Scores, Scores]:
    """Of the windows of the points `which` (K,), in code units."""
    n = past.n[which]
    rows = past.matrix(which)
    rows.sort(axis=1)  # absent places sort last
    median = middle(rows, n)
    twice = rows.astype(np.int32)
    twice *= 2  # a median may lie between two codes: integers sort faster than floats
    twice -= (2 * median).astype(np.int32)[:, None]
    np.abs(twice, out=twice)
    if (n < rows.shape[1]).any():
        twice[np.arange(rows.shape[1]) >= n[:, None]] = np.iinfo(np.int32).max
    twice.sort(axis=1)
    return median, middle(twice, n) / 2


def middle(rows: Values, n: Longs) -> Scores:
    """Median (K,) of the first n values of sorted rows."""
    k = np.arange(len(rows))
    medians: Scores = (rows[k, (n - 1) // 2].astype(np.float64) + rows[k, n // 2]) / 2
    return medians


DETECTOR = Detector("amount_robust_z", (ACCOUNT, COUNTERPARTY), 5.5, "amount", score)
