"""What a case does by itself when time passes: limits, escalation, the end of a snooze or dismissal. Pure; `now` is given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from rag.items import duration
from store.sections.desk import Desk, Level, Limit

What = Literal["woken", "expired", "sla_breached", "escalated"]


@dataclass(frozen=True)
class Clock:
    """What the timers look at of a case."""

    status: str
    ack_due_at: datetime | None
    resolve_due_at: datetime | None
    breached: frozenset[str] = frozenset()
    escalation: int = 0
    snoozed_until: datetime | None = None
    expires_at: datetime | None = None
    member: bool = False
    held: bool = False


@dataclass(frozen=True)
class Due:
    """Something that is due: `at` when it was, `limit` the limit concerned, `level` the escalation's number from 1."""

    what: What
    at: datetime
    limit: str = ""
    level: int = 0


def limit(severity: float, limits: Sequence[Limit]) -> Limit | None:
    """The limit for a severity: the one from the highest severity that it reaches; None when it reaches none."""
    fitting = [one for one in limits if one.from_severity <= severity]
    return max(fitting, key=lambda one: one.from_severity, default=None)


def due_times(severity: float, since: datetime, desk: Desk) -> tuple[datetime | None, datetime | None]:
    """Until when a case of this severity must be acknowledged and closed."""
    found = limit(severity, desk.limits)
    if found is None:
        return None, None
    return since + timedelta(minutes=found.acknowledge_min), since + timedelta(minutes=found.resolve_min)


def running(clock: Clock) -> tuple[str, datetime] | None:
    """The limit that runs now, and when it ends."""
    if clock.status == "open" and clock.ack_due_at is not None:
        return "acknowledge", clock.ack_due_at
    if clock.status in ("open", "acknowledged", "investigating") and clock.resolve_due_at is not None:
        return "resolve", clock.resolve_due_at
    return None


def coming(clock: Clock, levels: Sequence[Level]) -> list[Due]:
    """All that will be due while nobody does anything, in the order of time."""
    if clock.member or clock.held:
        return []
    if clock.status == "dismissed":
        return [Due("expired", clock.expires_at)] if clock.expires_at is not None else []
    if clock.snoozed_until is not None:
        return [Due("woken", clock.snoozed_until)] if clock.status != "resolved" else []
    return sorted(_of_limit(clock, levels), key=lambda one: (one.at, one.level))


def _of_limit(clock: Clock, levels: Sequence[Level]) -> list[Due]:
    found = running(clock)
    if found is None:
        return []
    name, ends = found
    breach = [] if name in clock.breached else [Due("sla_breached", ends, name)]
    numbered = list(enumerate(levels, start=1))[clock.escalation :]
    return breach + [Due("escalated", ends + timedelta(minutes=level.after_min), name, number) for number, level in numbered]


def due(clock: Clock, desk: Desk, now: datetime) -> list[Due]:
    """What is due by `now`."""
    return [one for one in coming(clock, desk.escalation) if one.at <= now]


def next_at(clock: Clock, desk: Desk) -> datetime | None:
    """When to look again."""
    return min((one.at for one in coming(clock, desk.escalation)), default=None)


def after(clock: Clock, one: Due) -> Clock:
    """The clock when something due has been done; what was done is never due again."""
    match one.what:
        case "sla_breached":
            return replace(clock, breached=clock.breached | {one.limit})
        case "escalated":
            return replace(clock, escalation=max(clock.escalation, one.level))
        case "woken":
            return replace(clock, snoozed_until=None)
        case _:
            return replace(clock, expires_at=None)


def broken(seen: dict[str, Any], severity: float, hits: int, members: int, desk: Desk) -> str:
    """Why a snooze does not hold any longer, in words; empty while it holds. `seen`: {severity, hits, members} of then."""
    if severity >= seen["severity"] + desk.worse_by:
        return f"severity rose from {seen['severity']:.2f} to {severity:.2f}"
    if hits >= desk.more_times * seen["hits"] and hits > seen["hits"]:
        return f"the hits grew from {seen['hits']} to {hits}"
    if members >= desk.more_times * seen["members"] and members > seen["members"]:
        return f"the cases in it grew from {seen['members']} to {members}"
    return ""


def late(one: Due, now: datetime) -> str:
    """
    >>> from datetime import UTC
    >>> late(Due("sla_breached", datetime(2026, 1, 1, tzinfo=UTC), "acknowledge"), datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    'not acknowledged in time, 300 s late'
    """
    done = {"acknowledge": "acknowledged", "resolve": "closed"}[one.limit]
    return f"not {done} in time, {duration((now - one.at).total_seconds())} late"
