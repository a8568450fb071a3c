"""Error rate of a service's open bucket: over a fixed share, and against its own baseline."""

import numpy as np

from jobs.columns import Longs
from jobs.detectors.detector import Detector, Scores
from jobs.points import SERVICE
from jobs.policy import Policy
from jobs.service_windows import ServicePast

BASELINE_FACTOR = 5  # the baseline must hold this many times `min_count` requests


def rate_deviate(count: Longs, n: Longs, base_count: Longs, base_n: Longs) -> Scores:
    """How many standard errors the share count/n lies above base_count/base_n.

    Arcsine-root transform, whose variance is 1/(4n) whatever the share: Anscombe (1948), The transformation of Poisson,
    binomial and negative-binomial data.
    """
    n, base_n = np.maximum(n, 1), np.maximum(base_n, 1)
    here = np.arcsin(np.sqrt((count + 3 / 8) / (n + 3 / 4)))
    there = np.arcsin(np.sqrt((base_count + 3 / 8) / (base_n + 3 / 4)))
    deviate: Scores = 2 * (here - there) / np.sqrt(1 / n + 1 / base_n)
    return deviate


def score(past: ServicePast, policy: Policy) -> Scores:
    judged = (past.n >= policy.min_count) & (past.base_n >= BASELINE_FACTOR * policy.min_count)
    deviate = rate_deviate(past.errors, past.n, past.base_errors, past.base_n)
    over = past.errors >= policy.min_error_rate * past.n
    return np.where(judged, np.where(over, deviate, 0.0), np.nan)


DETECTOR = Detector("error_rate", (SERVICE,), 5.0, "error rate", score)
