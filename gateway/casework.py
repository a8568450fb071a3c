"""What the desk's routes share: models of cases and commands, versions by If-Match, masking for viewers."""

import re
from typing import Annotated, Any, Literal

from fastapi import Header
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from gateway import problems
from gateway.problems import Problem
from gateway.reading import masked
from trust.roles import Caller, Role

CaseId = Annotated[str, Field(max_length=130, pattern=r"^case-[\w-]{1,120}$", examples=["case-4f1d2a"])]
Text = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Status = Literal["open", "acknowledged", "investigating", "resolved", "dismissed"]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=64, description="the version as the ETag gave it; stands for `version`")
]


FREE = frozenset({
    "title", "root_cause", "reason_text", "said", "comment", "why", "detail", "next_steps", "decision", "joined_because",
    "because", "held_title", "assignee", "who", "name",
})  # fmt: skip


def seen(caller: Caller, row: dict[str, Any]) -> dict[str, Any]:
    """A row as the caller may see it: personal data in free text is masked for viewers; ids and figures stay."""
    return row if caller.role > Role.viewer else _masked(row)


def _masked(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: masked(value) if name in FREE
        else [_masked(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value
        for name, value in row.items()
    }  # fmt: skip


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents that a route may answer, for the OpenAPI document."""
    return {one: {"model": problems.ProblemDetail, "description": problems.TITLES[one]} for one in statuses}


def version_of(given: int | None, if_match: str | None) -> int | None:
    """The version that the caller saw, from the body or from If-Match. Raises Problem when they differ."""
    if if_match is None:
        return given
    found = re.fullmatch(r'(?:W/)?"?(\d{1,9})"?', if_match.strip())
    if found is None:
        raise Problem(422, detail='If-Match: the ETag of the case, such as "3"', field="If-Match")
    if given is not None and given != int(found[1]):
        raise Problem(422, detail="version: differs from If-Match", field="version")
    return int(found[1])


class CaseItem(BaseModel):
    """A case in the inbox."""

    case_id: CaseId
    version: int = Field(description="to be sent with every change")
    status: Status
    title: str
    entity: str = Field(examples=["account:A-17/EUR"])
    kind: str
    pattern: str = Field(description="what kind of cause it looks like", examples=["card testing"])
    outcome: str = Field(description="of the ruling in force")
    action: str | None = Field(description="what the ruling proposes")
    root_cause: str | None
    confidence: float
    severity: float = Field(description="0 to 1, the worst in it")
    hits: int
    members: int = Field(description="how many of the council's cases are in it")
    started_at: AwareDatetime = Field(description="event time")
    last_at: AwareDatetime = Field(description="event time")
    expected_loss: float | None = Field(description="null: unknown, `loss_words` says why")
    loss_currency: str | None
    loss_words: str
    assignee: str | None
    tags: list[str]
    reason: str | None
    reason_text: str | None
    closed_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="until then a dismissal keeps recurrences quiet")
    recurrences: int
    reopened: int
    snoozed_until: AwareDatetime | None
    held_by: int | None = Field(description="the maintenance window that keeps it quiet")
    held_title: str | None
    opened_at: AwareDatetime
    acknowledged_at: AwareDatetime | None
    changed_at: AwareDatetime
    ack_due_at: AwareDatetime | None
    resolve_due_at: AwareDatetime | None
    breached: list[str]
    escalation: int


class InboxItem(CaseItem):
    proposals: int = Field(description="commands that wait for approval")
    age_s: float


class CasePage(BaseModel):
    items: list[InboxItem]
    of_all: int = Field(description="how many there are that fit")
    next: str | None


class Counts(BaseModel):
    """How many cases stand where, and what is kept quiet."""

    open: int
    acknowledged: int
    investigating: int
    snoozed: int
    held: int
    late: int
    unassigned: int
    resolved: int
    dismissed: int
    recurrences: int = Field(description="kept quiet by dismissals in force")
    expected_loss: float | None = Field(description="of those that need somebody; null: unknown of all")
    loss_currency: str | None = Field(description="the commonest among them")
    loss_unknown: int = Field(description="of how many it is unknown, or in another currency")
    next_wake_at: AwareDatetime | None


class Member(BaseModel):
    case_id: str
    entity: str
    kind: str
    pattern: str
    outcome: str
    confidence: float
    severity: float
    hits: int
    started_at: AwareDatetime
    last_at: AwareDatetime
    joined_because: str
    ruling_id: str | None
    action: str | None
    root_cause: str | None


class Link(BaseModel):
    target: str
    kind: Literal["url", "case"]
    title: str
    actor: str
    at: AwareDatetime


class CommandItem(BaseModel):
    """What the council proposes to do, and how it stands."""

    command_id: str
    case_id: str
    ruling_id: str
    entity: str
    action: str = Field(examples=["block_account"])
    target: str
    state: Literal["proposed", "withdrawn", "approved", "rejected", "executed", "failed", "undoing", "undone"]
    reason: str
    decided_by: str | None
    decided_at: AwareDatetime | None
    decision: str
    executed_at: AwareDatetime | None
    undo_until: AwareDatetime | None = Field(description="null: it cannot be undone")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class FeedbackItem(BaseModel):
    feedback_id: int
    about: Literal["anomaly", "ruling"]
    subject_id: str
    case_id: str
    verdict: Literal["confirm", "dismiss"]
    reason: str | None
    comment: str
    actor: str
    name: str
    via: str
    shown_hash: str
    at: AwareDatetime


class CaseWhole(CaseItem):
    """All of a case."""

    head: str | None = Field(description="the case that it belongs to; null: it is a case of its own")
    fingerprint: dict[str, Any] = Field(description="what joins cases to it")
    snooze_hides: str = Field(description="in words")
    next_steps: list[dict[str, Any]] | None
    all_members: list[Member]
    links: list[Link]
    commands: list[CommandItem]
    feedback: list[FeedbackItem]
    possible: list[str] = Field(description="actions that can be done now")


class Changed(BaseModel):
    """A case after a change."""

    case_id: str
    version: int
    status: Status
    assignee: str | None
    tags: list[str]
    members: int
    snoozed_until: AwareDatetime | None
    expires_at: AwareDatetime | None


class TimelineItem(BaseModel):
    at: AwareDatetime
    source: Literal["entry", "ruling", "call", "command", "run", "delivery", "feedback", "receipt"]
    kind: str
    who: str
    said: str = Field(description="in words; free text in it is not trusted")
    case_id: str
    detail: dict[str, Any]


class Timeline(BaseModel):
    items: list[TimelineItem]
    next: str | None


class Candidate(BaseModel):
    """A case that would belong to this one."""

    case_id: str
    title: str
    entity: str
    status: Status
    severity: float
    members: int
    version: int
    because: str
    through: str = Field(description="the member that the bond is with")
    apart: bool = Field(description="a person split them: the desk never joins them by itself")


class Candidates(BaseModel):
    items: list[Candidate]
