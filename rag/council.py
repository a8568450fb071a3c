"""The ruling: two of three, the Auditor's veto, and what verification takes away. Pure.

An opinion with a failed check does not carry: it is counted as spoken, but a confirmation or a dismissal needs two
carrying votes. Evidence that does not recompute turns a confirmation into `unresolved`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from rag.cause import next_steps, root_cause
from rag.items import Brief, as_json, canonical, from_json
from rag.opinion import ROLES, Action, Opinion, Role, Spoken, render
from rag.verify import Check, examine

Outcome = Literal["confirmed", "dismissed", "unresolved"]
Bench = Literal["rules", "model"]
LEVELS = {"low": 0.4, "medium": 0.65, "high": 0.9}
DIVIDED, FAILED_CHECK, LEAST = 0.85, 0.85, 0.05
BY_VOTE: dict[str, Outcome] = {"confirm": "confirmed", "dismiss": "dismissed"}


@dataclass(frozen=True)
class Hearing:
    """What the ruling is made from: the brief, who spoke and why the others did not."""

    brief: Brief
    spoken: tuple[Spoken, ...]
    council: Bench
    silent: Mapping[Role, str] | None = None
    model: str | None = None
    prompt_hash: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Ruling:
    """The council's outcome on one case, with all that is needed to make it again."""

    case_id: str
    tenant: str
    revision: int
    council: Bench
    model: str | None
    outcome: Outcome
    action: Action
    confidence: float
    root_cause: str
    next_steps: list[dict[str, str]]
    citations: list[str]
    opinions: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    brief: dict[str, Any]
    brief_hash: str
    prompt_hash: str | None
    why: str

    @property
    def ruling_id(self) -> str:
        parts = [self.case_id, self.revision, self.council, self.brief_hash, self.prompt_hash, self.model, self.opinions]
        return "ruling-" + sha256(canonical(parts).encode()).hexdigest()[:24]


def rule(hearing: Hearing) -> Ruling:
    """The ruling of a hearing; the order in which members spoke does not matter."""
    brief = hearing.brief
    spoken = sorted(hearing.spoken, key=lambda one: ROLES.index(one.role))
    checks = examine(brief, spoken)
    faulty = {check.role for check in checks if not check.ok and check.role}
    carrying = [one for one in spoken if one.role not in faulty]
    outcome, reason = decide(brief, spoken, carrying, checks)
    carriers = [one for one in carrying if BY_VOTE.get(one.opinion.vote) == outcome]
    action = choose_action(carriers) if outcome == "confirmed" else "none"
    citations = list(dict.fromkeys(cited for one in carriers for cited in one.opinion.citations))
    return Ruling(
        case_id=brief.case_id, tenant=brief.tenant, revision=brief.revision, council=hearing.council, model=hearing.model,
        outcome=outcome, action=action, confidence=confidence(outcome, spoken, carriers, checks),
        root_cause=root_cause(brief, outcome, reason),
        next_steps=next_steps(brief, citations, action) if outcome == "confirmed" else [],
        citations=citations, opinions=minutes(hearing, spoken), checks=[check.as_json() for check in checks],
        brief=as_json(brief), brief_hash=brief.hash, prompt_hash=hearing.prompt_hash,
        why="; ".join(part for part in (hearing.why, reason) if part),
    )  # fmt: skip


def decide(brief: Brief, spoken: Sequence[Spoken], carrying: Sequence[Spoken], checks: Iterable[Check]) -> tuple[Outcome, str]:
    """The outcome, and in words why it is not simply what the votes say (empty when it is)."""
    if not brief.of("anomaly"):
        return "unresolved", "the brief holds no measurement"
    if len(spoken) < 2:
        return "unresolved", f"too few members spoke: {', '.join(one.role for one in spoken) or 'nobody'}"
    voted = majority(spoken)
    if voted is None:
        return "unresolved", f"no majority: {', '.join(f'{one.role} {one.opinion.vote}' for one in spoken)}"
    if voted == "confirmed" and any(one.role == "auditor" and one.opinion.veto for one in spoken):
        return "unresolved", "the auditor vetoed the confirmation"
    if majority(carrying) != voted:
        return "unresolved", f"the votes for {voted} rest on evidence that does not hold"
    if voted == "confirmed" and (broken := [check for check in checks if not check.ok and not check.role]):
        return "unresolved", f"the evidence does not recompute: {broken[0].check} of {broken[0].item}"
    return voted, ""


def majority(spoken: Iterable[Spoken]) -> Outcome | None:
    votes: list[str] = [one.opinion.vote for one in spoken]
    return next((outcome for vote, outcome in BY_VOTE.items() if votes.count(vote) >= 2), None)


def choose_action(carriers: Sequence[Spoken]) -> Action:
    """The Strategist's, whose duty it is; else the first carrying member's; a confirmed case is watched at least."""
    by_duty = sorted(carriers, key=lambda one: one.role != "strategist")
    return next((one.opinion.action for one in by_duty if one.opinion.action != "none"), "watch")


def confidence(outcome: Outcome, spoken: Sequence[Spoken], carriers: Sequence[Spoken], checks: Iterable[Check]) -> float:
    """0..1: the carrying members' own, less for each failed check and for dissent; halved when nothing was resolved."""
    heard = carriers or spoken
    own = sum(LEVELS[one.opinion.confidence] for one in heard) / len(heard) if heard else LEAST
    failed = sum(not check.ok for check in checks)
    dissent = DIVIDED if len(carriers) < len(ROLES) else 1.0
    return round(max(own * dissent * FAILED_CHECK**failed * (0.5 if outcome == "unresolved" else 1.0), LEAST), 3)


def minutes(hearing: Hearing, spoken: Iterable[Spoken]) -> list[dict[str, Any]]:
    """One object per member: what it said, with numbers from the evidence, or why it did not speak."""
    by_role = {one.role: one.opinion for one in spoken}
    silent = hearing.silent or {}
    return [
        _spoke(hearing.brief, role, by_role[role]) if role in by_role
        else {"role": role, "vote": None, "reasons": [], "citations": [], "fault": silent.get(role, "no opinion")}
        for role in ROLES
    ]  # fmt: skip


def _spoke(brief: Brief, role: Role, opinion: Opinion) -> dict[str, Any]:
    return {
        "role": role,
        **opinion.model_dump(exclude={"case_id"}),
        "said": [render(reason, brief) for reason in opinion.reasons],
    }


def reexecute(stored: Mapping[str, Any]) -> Ruling:
    """Make a stored ruling again from its own brief and opinions (a row of `rulings`); equal unless one was changed."""
    brief = from_json(stored["brief"])
    spoken, silent = [], {}
    for said in stored["opinions"]:
        if said["vote"] is None:
            silent[said["role"]] = said["fault"]
            continue
        own = {name: value for name, value in said.items() if name not in ("role", "said")}
        spoken.append(Spoken(said["role"], Opinion(case_id=brief.case_id, **own)))
    hearing = Hearing(brief, tuple(spoken), stored["council"], silent, stored["model"], stored["prompt_hash"])
    return replace(rule(hearing), why=stored["why"])
