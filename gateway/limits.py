"""How often a key may ask, and how often an address may fail to sign in."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.problems import Problem
from store.sections.gateway import Gateway


class Limits:
    """The limits of one process; with several worker processes each keeps its share, so that together they keep the whole."""

    def __init__(self, settings: Gateway) -> None:
        self.requests = RateLimitItemPerMinute(share(settings.requests_per_minute, settings.workers))
        self.failures = RateLimitItemPerMinute(share(settings.failures_per_minute, settings.workers))
        self.counter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, actor: str) -> None:
        """One more request; raises Problem 429 when there were enough."""
        if not self.counter.hit(self.requests, "request", actor):
            raise self._enough(self.requests, "request", actor, f"At most {self.requests.amount} requests a minute per key.")

    def check_address(self, address: str) -> None:
        """Raises Problem 429 when too many sign-ins from the address failed."""
        if not self.counter.test(self.failures, "failure", address):
            raise self._enough(self.failures, "failure", address, "Too many failed sign-ins from this address.")

    def count_failure(self, address: str) -> None:
        self.counter.hit(self.failures, "failure", address)

    def _enough(self, item: RateLimitItemPerMinute, kind: str, who: str, said: str) -> Problem:
        resets = self.counter.get_window_stats(item, kind, who).reset_time
        return Problem(429, detail=said, headers={"Retry-After": str(max(1, math.ceil(resets - time.time())))})


def share(amount: int, workers: int) -> int:
    """A process's part of a limit, at least one.

    >>> share(600, 4), share(1, 4)
    (150, 1)
    """
    return max(1, amount // workers)
