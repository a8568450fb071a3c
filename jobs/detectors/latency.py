"""Latency of a service's open bucket: its p95 lies clearly above the baseline's p95."""

import numpy as np

from jobs.detectors.detector import Detector, Scores
from jobs.detectors.error_rate import BASELINE_FACTOR, rate_deviate
from jobs.points import SERVICE
from jobs.policy import Policy
from jobs.service_windows import ServicePast

P95_SHARE = 0.05  # when more than this share is slow, the open p95 lies above the limit


def score(past: ServicePast, policy: Policy) -> Scores:
    """Share of slow requests (1.4 to 1.7 times over the baseline's p95) against the baseline's own share of them."""
    judged = (past.timed >= policy.min_count) & (past.base_timed >= BASELINE_FACTOR * policy.min_count)
    deviate = rate_deviate(past.slow, past.timed, past.base_slow, past.base_timed)
    over = past.slow > P95_SHARE * past.timed
    return np.where(judged, np.where(over, deviate, 0.0), np.nan)


DETECTOR = Detector("latency", (SERVICE,), 5.5, "ms", score)
