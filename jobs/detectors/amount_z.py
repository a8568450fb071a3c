"""Rolling z-score of the log amount."""

import numpy as np

from jobs.detectors.detector import Detector, Scores, normal_score
from jobs.points import ACCOUNT, COUNTERPARTY
from jobs.policy import Policy
from jobs.windows import NATS, Past

FLOOR = 0.05 * NATS  # nats: an account that always pays the same is not flagged for 5 %


def deviation(past: Past) -> Scores:
    """(x - mean) / sd (N,) of the log amount, the sd widened for the window's size; exact integers until the division."""
    n = np.maximum(past.n, 1)
    above = n * past.code - past.sum1  # n (x - mean)
    spread = n * past.sum2 - past.sum1**2  # n² variance
    variance = spread / np.maximum(n * (n - 1), 1) + FLOOR**2
    z: Scores = (above / n) / np.sqrt(variance * (1 + 1 / n))
    return z


def score(past: Past, policy: Policy) -> Scores:
    """|z| as a normal deviate: a small window's heavy tail is taken out (Student's t)."""
    judged = past.n >= policy.warm_up
    return np.where(judged, normal_score(deviation(past), past.n - 1), np.nan)


DETECTOR = Detector("amount_z", (ACCOUNT, COUNTERPARTY), 4.5, "amount", score)
