"""How often something may be told: the generic cell rate algorithm, one moment of state per key.

A key's *theoretical arrival time* is when it would be as fresh as new; in the past (or absent) it is fresh, so old ones are
thrown away and the state stays bounded. Nothing here looks at a clock. (ITU-T I.371, annex A.)
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limit:
    """At most `count` at once, refilled evenly over `per_s` seconds."""

    count: int
    per_s: float

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=self.per_s) / self.count

    @property
    def slack(self) -> timedelta:
        return self.step * (self.count - 1)


def left(limit: Limit, tat: datetime | None, now: datetime) -> int:
    """How many may be told at once now, 0 to `count`."""
    if tat is None or tat <= now:
        return limit.count
    return max(0, (now + limit.slack - tat) // limit.step + 1)


def free_at(limit: Limit, tat: datetime | None, now: datetime) -> datetime:
    """The first moment, not before `now`, at which one may be told."""
    return now if tat is None else max(now, tat - limit.slack)


def charge(limit: Limit, tat: datetime | None, now: datetime, count: int = 1) -> datetime:
    """The key's new moment after `count` were told at `now`."""
    return max(tat or now, now) + limit.step * count
