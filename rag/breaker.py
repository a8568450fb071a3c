"""A circuit breaker and a cap of calls per minute, as plain values; the clock is an argument (seconds, any monotonic origin)."""

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["closed", "open", "half-open"]
MINUTE_S = 60.0


@dataclass(frozen=True)
class Breaker:
    """Opens after `limit` failures in a row; after `open_s` one trial call is let through and decides.

    >>> tripped = Breaker(limit=1, open_s=30).failed(now=0)
    >>> tripped.state(now=29), tripped.state(now=30)
    ('open', 'half-open')
    """

    limit: int
    open_s: float
    failures: int = 0
    opened_at: float | None = None

    def state(self, now: float) -> State:
        if self.opened_at is None:
            return "closed"
        return "half-open" if now - self.opened_at >= self.open_s else "open"

    def allows(self, now: float) -> bool:
        return self.state(now) != "open"

    def succeeded(self) -> "Breaker":
        return replace(self, failures=0, opened_at=None)

    def failed(self, now: float) -> "Breaker":
        failures = self.failures + 1
        return replace(self, failures=failures, opened_at=now if failures >= self.limit else None)


@dataclass(frozen=True)
class Pace:
    """At most `per_minute` calls in any sixty seconds."""

    per_minute: int
    calls: tuple[float, ...] = ()

    def allows(self, calls: int, now: float) -> bool:
        """Whether so many further calls fit in the minute that ends now."""
        return len(self.within(now)) + calls <= self.per_minute

    def called(self, now: float) -> "Pace":
        return replace(self, calls=(*self.within(now), now))

    def within(self, now: float) -> tuple[float, ...]:
        return tuple(call for call in self.calls if now - call < MINUTE_S)
