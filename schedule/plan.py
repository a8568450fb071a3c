"""When a schedule is due, and what becomes of runs that were missed. Pure: the time is an argument."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from schedule.errors import BadSchedule

DAY = timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
Reason = Literal["due", "missed", "now"]


@dataclass(frozen=True)
class Timing:
    """Either `cron` (five fields, read in `zone`) or `every_s`; `misfire` and `grace_s` rule on runs that come late."""

    cron: str | None
    every_s: float | None
    zone: str = "UTC"
    misfire: Literal["once", "skip"] = "once"
    grace_s: float = 3600.0


@dataclass(frozen=True)
class Turn:
    """One turn of a schedule: the moment it stands for, why it is taken, whether it is run, and when the next is due."""

    due_at: datetime
    reason: Reason
    run: bool
    next_at: datetime


def timing_of(row: dict[str, Any]) -> Timing:
    return Timing(row["cron"], row["every_s"], row["zone"], row["misfire"], row["grace_s"])


def next_after(timing: Timing, after: datetime) -> datetime:
    """The first moment strictly after `after` at which it is due, in UTC.

    >>> next_after(Timing("30 2 * * *", None, "Europe/Berlin"), datetime(2026, 7, 1, tzinfo=UTC)).isoformat()
    '2026-07-01T00:30:00+00:00'
    >>> next_after(Timing(None, 300.0), datetime(2026, 7, 1, 0, 0, 3, tzinfo=UTC)).isoformat()
    '2026-07-01T00:05:00+00:00'
    """
    if timing.every_s is not None:
        periods = int((after - EPOCH).total_seconds() // timing.every_s) + 1
        return EPOCH + timedelta(seconds=periods * timing.every_s)
    found = _trigger(timing).get_next_fire_time(None, after + timedelta(microseconds=1))
    if found is None:
        raise BadSchedule(f"({timing.cron!r} is never due)")
    if found.fold and not _every_hour(timing):
        return next_after(timing, found.astimezone(UTC))  # the clocks turned back: 02:30 came already tonight
    return found.astimezone(UTC)  # type: ignore[no-any-return]


def turn(timing: Timing, next_at: datetime, now: datetime) -> Turn:
    """What to do with a schedule whose `next_at` has come: of several missed moments only the last counts.

    A moment later than `grace_s` is missed: run once all the same, or skipped, as `misfire` says.
    """
    due_at = next_at
    near = next_after(timing, now - (DAY if timing.every_s is None else timedelta(seconds=timing.every_s)))
    if due_at < near <= now:
        due_at = near  # not through every minute of a month
    while (following := next_after(timing, due_at)) <= now:
        due_at = following
    late = (now - due_at).total_seconds() > timing.grace_s
    missed = late or due_at != next_at
    return Turn(due_at, "missed" if missed else "due", not late or timing.misfire == "once", following)


def checked(timing: Timing) -> Timing:
    """The timing itself; BadSchedule names what is wrong with it."""
    if (timing.cron is None) == (timing.every_s is None):
        raise BadSchedule("(give either cron or every_s)")
    if timing.every_s is not None and timing.every_s < 1:
        raise BadSchedule("(every_s: at least 1)")
    try:
        ZoneInfo(timing.zone)
    except (KeyError, ValueError, OSError):
        raise BadSchedule(f"(zone: {timing.zone!r} is no time zone; say for example Europe/Berlin)") from None
    if timing.cron is not None:
        next_after(timing, EPOCH)
    return timing


def _every_hour(timing: Timing) -> bool:
    return (timing.cron or "").split()[1].startswith("*")


def _trigger(timing: Timing) -> CronTrigger:
    try:
        return CronTrigger.from_crontab(timing.cron or "", timezone=timing.zone)
    except ValueError as error:
        raise BadSchedule(f"(cron: {timing.cron!r}: {error})") from None
