"""What people do to one case, as pure functions: a file and what was asked give the changed file and what is to be told."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from desk import life, timers
from desk.errors import BadDetail, NotPossible
from desk.file import File
from store.sections.desk import Desk

TAG = re.compile(r"[\w][\w:.\-/]{0,39}")
MOST_TEXT, MOST_TAGS = 4000, 20
FARTHEST = timedelta(days=3653)
LINK = re.compile(r"https?://[^\s<>\"']{1,1990}")
CASE = re.compile(r"case-[\w-]{1,120}")


@dataclass(frozen=True)
class Asked:
    """Who asks for what, when, and under which settings. `detail` is not trusted."""

    actor: str
    name: str
    now: datetime
    desk: Desk
    detail: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str = "text", *, needed: bool = False) -> str:
        said = self.detail.get(name)
        if said is not None and not isinstance(said, str):
            raise BadDetail(name, "must be text")
        said = (said or "").replace("\x00", "").strip()
        if needed and not said:
            raise BadDetail(name, "must not be empty")
        if len(said) > MOST_TEXT:
            raise BadDetail(name, f"at most {MOST_TEXT} characters")
        return said

    def time(self, name: str) -> datetime | None:
        """A moment that lies ahead, with its zone."""
        at = self.detail.get(name)
        if at is None:
            return None
        if isinstance(at, str):
            try:
                at = datetime.fromisoformat(at)
            except ValueError:
                raise BadDetail(name, "an RFC 3339 time, such as 2026-03-05T18:00:00Z") from None
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise BadDetail(name, "an RFC 3339 time with its zone")
        if not self.now < at <= self.now + FARTHEST:
            raise BadDetail(name, "must lie ahead, ten years at most")
        return at


@dataclass(frozen=True)
class Change:
    """The changed file, the entry for its timeline, and the kind of message to publish (empty: none)."""

    file: File
    kind: str
    said: str
    detail: dict[str, Any] = field(default_factory=dict)
    message: str = ""


def acknowledge(file: File, asked: Asked) -> Change:
    """Somebody looks at it now; it is theirs unless it is somebody's."""
    taken = replace(
        file,
        status=life.after(file.status, "acknowledge"),
        acknowledged_at=asked.now,
        escalation=0,
        assignee=file.assignee or asked.actor,
    )
    whose = "" if file.assignee else " and took it"
    return Change(taken, "acknowledged", f"acknowledged it{whose}", {"assignee": taken.assignee}, "case.acknowledged")


def investigate(file: File, asked: Asked) -> Change:
    begun = replace(
        file,
        status=life.after(file.status, "investigate"),
        acknowledged_at=file.acknowledged_at or asked.now,
        escalation=file.escalation if file.acknowledged_at else 0,
        assignee=file.assignee or asked.actor,
    )
    return Change(begun, "investigating", "began to investigate", {"assignee": begun.assignee}, "case.acknowledged")


def resolve(file: File, asked: Asked) -> Change:
    return _close(file, asked, "resolve", None)


def dismiss(file: File, asked: Asked) -> Change:
    """Recurrences stay quiet until `expires_at` (default: desk.dismissal_days), unless they are worse."""
    until = asked.time("expires_at") or asked.now + timedelta(days=asked.desk.dismissal_days)
    return _close(file, asked, "dismiss", until)


def _close(file: File, asked: Asked, step: life.Step, until: datetime | None) -> Change:
    status = life.after(file.status, step)
    reason, text = life.reason(step, asked.detail.get("reason"), asked.text())
    closed = replace(
        file,
        status=status,
        reason=reason,
        reason_text=text or None,
        closed_at=asked.now,
        closed_by=asked.actor,
        closed_severity=file.severity,
        expires_at=until,
        recurrences=0,
        snoozed_until=None,
        snoozed_by=None,
        snooze=None,
    )
    said = f"{status} it: {life.REASONS[step][reason]}" + (f" ({text})" if text else "")
    detail = {"reason": reason, "text": text} | ({} if until is None else {"expires_at": until.isoformat()})
    return Change(closed, status, said, detail, f"case.{status}")


def reopen(file: File, asked: Asked) -> Change:
    life.after(file.status, "reopen")
    text = asked.text()
    return Change(reopened(file, asked.now, asked.desk), "reopened", "reopened it" + (f": {text}" if text else ""),
                  {"text": text, "was": file.status}, "case.reopened")  # fmt: skip


def reopened(file: File, now: datetime, desk: Desk) -> File:
    """The file open again, its limits running from now."""
    ack, close = timers.due_times(file.severity, now, desk)
    return replace(
        file, status=life.after(file.status, "reopen"), reason=None, reason_text=None, closed_at=None, closed_by=None,
        expires_at=None, closed_severity=None, recurrences=0, reopened=file.reopened + 1, acknowledged_at=None,
        ack_due_at=ack, resolve_due_at=close, breached=(), escalation=0, snoozed_until=None, snoozed_by=None, snooze=None,
    )  # fmt: skip


def assign(file: File, asked: Asked) -> Change:
    """To an actor or a name; to nobody without `assignee`."""
    whom = asked.text("assignee") or None
    if whom is not None and len(whom) > 200:
        raise BadDetail("assignee", "at most 200 characters")
    if whom == file.assignee:
        raise NotPossible(f"It is {whom or 'nobody'}'s already.")
    return Change(replace(file, assignee=whom), "assigned", f"gave it to {whom or 'nobody'}", {"from": file.assignee, "to": whom},
                  "case.assigned")  # fmt: skip


def comment(file: File, asked: Asked) -> Change:
    return Change(file, "commented", asked.text(needed=True))


def tag(file: File, asked: Asked) -> Change:
    wanted = _tags(asked)
    new = [one for one in wanted if one not in file.tags]
    if not new:
        raise NotPossible("It has these tags already.")
    if len(file.tags) + len(new) > MOST_TAGS:
        raise BadDetail("tags", f"a case has at most {MOST_TAGS}")
    return Change(replace(file, tags=(*file.tags, *new)), "tagged", f"tagged it {', '.join(new)}", {"tags": new})


def untag(file: File, asked: Asked) -> Change:
    gone = [one for one in _tags(asked) if one in file.tags]
    if not gone:
        raise NotPossible("It has no such tag.")
    kept = tuple(one for one in file.tags if one not in gone)
    return Change(replace(file, tags=kept), "untagged", f"took the tag {', '.join(gone)} off", {"tags": gone})


def _tags(asked: Asked) -> list[str]:
    given = asked.detail.get("tags")
    if not isinstance(given, list) or not given or not all(isinstance(one, str) and TAG.fullmatch(one) for one in given):
        raise BadDetail("tags", "a list of words of letters, digits and : . - / _, at most 40 characters each")
    return list(dict.fromkeys(given))


def snooze(file: File, asked: Asked) -> Change:
    """Quiet until a moment; it breaks by itself when the case gets worse than what was seen."""
    if file.is_closed:
        raise NotPossible(f"It is {file.status}.")
    until = asked.time("until")
    if until is None:
        raise BadDetail("until", "say until when")
    seen = {"severity": file.severity, "hits": file.hits, "members": file.members, "at": asked.now.isoformat()}
    awake = woken(file, asked.now) if file.snoozed_until is not None else file
    asleep = replace(awake, snoozed_until=until, snoozed_by=asked.actor, snooze=seen)
    text = asked.text()
    said = f"snoozed it until {until:%Y-%m-%d %H:%M %Z}" + (f": {text}" if text else "")
    return Change(asleep, "snoozed", said, {"until": until.isoformat(), "seen": seen, "text": text})


def wake(file: File, asked: Asked) -> Change:
    if file.snoozed_until is None:
        raise NotPossible("It is not snoozed.")
    return Change(woken(file, asked.now), "woken", "ended the snooze")


def woken(file: File, now: datetime) -> File:
    """The file awake again; the time asleep does not count against its limits."""
    since = datetime.fromisoformat((file.snooze or {}).get("at", now.isoformat()))
    asleep = max(now - since, timedelta(0))
    ack, close = (at + asleep if at is not None else None for at in (file.ack_due_at, file.resolve_due_at))
    return replace(file, snoozed_until=None, snoozed_by=None, snooze=None, ack_due_at=ack, resolve_due_at=close)


def release(file: File, asked: Asked) -> Change:
    """Out of its maintenance window, before the window ends."""
    if file.held_by is None:
        raise NotPossible("No maintenance window holds it.")
    return Change(released(file, asked.now, asked.desk), "released", "released it from its maintenance window", {},
                  "case.opened")  # fmt: skip


def released(file: File, now: datetime, desk: Desk) -> File:
    ack, close = timers.due_times(file.severity, now, desk)
    return replace(file, held_by=None, opened_at=now, ack_due_at=ack, resolve_due_at=close)


def escalate(file: File, asked: Asked) -> Change:
    """By hand, to somebody."""
    if file.is_closed:
        raise NotPossible(f"It is {file.status}.")
    to, text = asked.text("to", needed=True), asked.text()
    said = f"escalated it to {to}" + (f": {text}" if text else "")
    return Change(file, "escalated", said, {"to": to, "text": text, "by_hand": True}, "case.escalated")


ACTIONS: dict[str, Callable[[File, Asked], Change]] = {
    "acknowledge": acknowledge, "investigate": investigate, "resolve": resolve, "dismiss": dismiss, "reopen": reopen,
    "assign": assign, "comment": comment, "tag": tag, "untag": untag, "snooze": snooze, "wake": wake, "release": release,
    "escalate": escalate,
}  # fmt: skip
COMMUTING = frozenset({"comment", "tag", "untag", "link", "unlink"})  # these need no version: the order makes no difference


def possible(file: File) -> list[str]:
    """The actions that the case allows now, besides those that are always allowed."""
    steps: list[str] = list(life.steps(file.status))
    if not file.is_closed:
        steps += ["snooze", "escalate"] + (["wake"] if file.snoozed_until is not None else [])
    steps += ["release"] if file.held_by is not None else []
    steps += ["split"] if file.members > 1 else []
    return [*steps, "assign", "merge", "comment", "tag", "untag", "link", "unlink"]
