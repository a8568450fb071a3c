"""The life of a case: which status may follow which, and the reasons for closing one. Pure."""

from typing import Literal, get_args

from desk.errors import BadDetail, NotPossible

Status = Literal["open", "acknowledged", "investigating", "resolved", "dismissed"]
Step = Literal["acknowledge", "investigate", "resolve", "dismiss", "reopen"]

STATUSES: tuple[Status, ...] = get_args(Status)
STEPS: tuple[Step, ...] = get_args(Step)
CLOSED: frozenset[Status] = frozenset({"resolved", "dismissed"})

TRANSITIONS: dict[tuple[Status, Step], Status] = {
    ("open", "acknowledge"): "acknowledged",
    ("open", "investigate"): "investigating",
    ("acknowledged", "investigate"): "investigating",
    ("open", "resolve"): "resolved",
    ("acknowledged", "resolve"): "resolved",
    ("investigating", "resolve"): "resolved",
    ("open", "dismiss"): "dismissed",
    ("acknowledged", "dismiss"): "dismissed",
    ("investigating", "dismiss"): "dismissed",
    ("resolved", "reopen"): "open",
    ("dismissed", "reopen"): "open",
}

RESOLVED: dict[str, str] = {
    "fraud_confirmed": "fraud, confirmed and dealt with",
    "fixed": "the fault was found and mended",
    "mitigated": "the effect is stopped, the cause remains",
    "went_away": "it went away by itself",
    "duplicate": "another case has it",
    "other": "another reason, given in words",
}
DISMISSED: dict[str, str] = {
    "false_alarm": "nothing was wrong",
    "customer_verified": "the customer confirmed it",
    "expected": "known and expected behaviour",
    "planned_work": "planned work or a test",
    "bad_data": "the events themselves were wrong",
    "noise": "true, but not worth looking at",
    "council": "the council itself took it back",
    "other": "another reason, given in words",
}
REASONS: dict[Step, dict[str, str]] = {"resolve": RESOLVED, "dismiss": DISMISSED}


def after(status: Status, step: Step) -> Status:
    """The status that follows; raises NotPossible, which names what could be done instead.

    >>> after("open", "acknowledge")
    'acknowledged'
    """
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        could = ", ".join(steps(status))
        raise NotPossible(f"It is {status}; from there one can: {could}.") from None


def steps(status: Status) -> list[Step]:
    """What can be done from a status."""
    return [step for step in STEPS if (status, step) in TRANSITIONS]


def reason(step: Step, given: str | None, text: str | None) -> tuple[str, str]:
    """A closing's reason from the list and its words, trimmed; `other` needs words. Raises BadDetail."""
    known = REASONS[step]
    if given not in known:
        raise BadDetail("reason", f"one of {', '.join(known)}")
    said = (text or "").strip()
    if given == "other" and not said:
        raise BadDetail("text", "say in words why")
    return given, said
