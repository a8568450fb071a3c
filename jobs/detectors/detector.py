"""The one interface of every detector: a score of each point against the window before it, never holding the point."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.columns import Floats, Longs

Scores = Floats


@dataclass(frozen=True)
class Detector:
    """A pure scoring function with what is needed to use it.

    `score(past, policy)` gives (N,) numbers, larger is stranger, NaN where the point cannot be judged (warm-up, value
    missing). A score at or over `threshold` flags. What is learned afterwards is the window's own: see `jobs.windows`,
    `jobs.service_windows`, `jobs.series_windows`.
    """

    name: str
    watches: tuple[int, ...]  # kinds of jobs.points
    threshold: float
    unit: str
    score: Callable[[Any, Any], Scores]


def normal_score(t: Scores, freedom: Longs) -> Scores:
    """The normal deviate as unlikely as Student's `t` with `freedom` degrees.

    Wallace (1959), Bounds on normal approximations to Student's and the chi-square distributions: within .02 for t < 10.

    >>> bool(abs(normal_score(np.array([4.0]), np.array([9])) - 3.0).max() < 0.1)
    True
    """
    t, freedom = np.clip(t, -1e9, 1e9), np.maximum(freedom, 1)
    deviate: Scores = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(freedom * np.log1p(t * t / freedom))
    return deviate
