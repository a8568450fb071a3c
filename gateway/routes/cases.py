"""The desk: inbox, cases, what is done to them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from desk import cases, life, timeline
from desk.errors import CaseChanged, CommandChanged, NotPossible, UnknownCase, UnknownCommand, UnknownSubject, UnknownWindow
from gateway import casework, problems
from gateway.access import App, Needs, Store
from gateway.casework import IfMatch, Short, Status, Text, answers, seen
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/cases", tags=["cases"])
Reader = Annotated[Caller, Needs(Role.viewer, scope="cases")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="cases")]
CaseId = Annotated[str, Path(max_length=130, pattern=r"^case-[\w-]{1,120}$", examples=["case-4f1d2a"])]
problems.register({
    UnknownCase: 404, UnknownCommand: 404, UnknownSubject: 404, UnknownWindow: 404, CaseChanged: 409, CommandChanged: 409,
    NotPossible: 409,
})  # fmt: skip


class Action(BaseModel):
    """What to do to a case, and what that needs: see each field."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={
        "examples": [{"action": "resolve", "version": 3, "reason": "fixed", "text": "rolled the deploy back"}]
    })  # fmt: skip

    action: Literal[
        "acknowledge", "investigate", "resolve", "dismiss", "reopen", "assign", "comment", "tag", "untag", "snooze", "wake",
        "release", "escalate", "merge", "split", "link", "unlink",
    ]  # fmt: skip
    version: int | None = Field(None, ge=1, lt=2**31, description="as you saw it; needed unless If-Match has it")
    reason: Short | None = Field(None, description="resolve, dismiss: from the list of GET /v1/cases/reasons")
    text: Text | None = Field(None, description="a comment, or why")
    assignee: Short | None = Field(None, description="assign: an actor or a name; null: nobody")
    tags: list[Short] | None = Field(None, max_length=20, description="tag, untag")
    until: AwareDatetime | None = Field(None, description="snooze")
    expires_at: AwareDatetime | None = Field(None, description="dismiss: until then recurrences stay quiet")
    to: Short | None = Field(None, description="escalate: whom")
    other: Short | None = Field(None, description="merge: the case to take in")
    other_version: int | None = Field(None, ge=1, lt=2**31, description="merge: as you saw the other")
    member: Short | None = Field(None, description="split: the case to let go")
    target: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] | None = Field(None, description="link, unlink")
    title: Short | None = Field(None, description="link")


class Reasons(BaseModel):
    """Reasons for closing a case, in words."""

    resolve: dict[str, str]
    dismiss: dict[str, str]


@router.get("", summary="The inbox")
def inbox(
    caller: Reader,
    store: Store,
    status: Annotated[list[Status] | None, Query(description="default: those not closed")] = None,
    quiet: Annotated[cases.Quiet, Query(description="snoozed and held cases: left out, only those, or all")] = "awake",
    assignee: Annotated[str | None, Query(max_length=200, description="empty: nobody's")] = None,
    tag: Annotated[str | None, Query(max_length=40)] = None,
    kind: Literal["account", "counterparty", "service", "series"] | None = None,
    entity: Annotated[str | None, Query(max_length=700, examples=["service:checkout"])] = None,
    q: Annotated[str | None, Query(max_length=200, description="words in title, entity, cause or id")] = None,
    late: Annotated[bool, Query(description="only those past a limit")] = False,
    sort: cases.Sort = "urgency",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
) -> casework.CasePage:
    """What needs somebody, most urgent first: by expected loss, rising with each day that it waits."""
    clean = [given.replace("\0", "") if given is not None else None for given in (assignee, tag, entity, q)]
    filters = cases.Filters(tuple(status or cases.ACTIVE), quiet, clean[0], clean[1], kind, clean[2], clean[3], late, sort, limit,
                            after)  # fmt: skip
    page = cases.inbox(store, caller.tenant, filters)
    items = [casework.InboxItem(**seen(caller, row)) for row in page.items]
    return casework.CasePage(items=items, of_all=page.of_all, next=page.next)


@router.get("/counts", summary="How many cases stand where")
def counts(caller: Reader, store: Store) -> casework.Counts:
    """Counts of the inbox, and of what is snoozed, held by maintenance or dismissed."""
    return casework.Counts(**cases.counts(store, caller.tenant))


@router.get("/reasons", summary="Reasons for closing a case")
def reasons(caller: Reader) -> Reasons:
    """The lists that `resolve` and `dismiss` choose from."""
    return Reasons(resolve=life.RESOLVED, dismiss=life.DISMISSED)


@router.get("/{case_id}", summary="A case", responses=answers(404))
def case(caller: Reader, store: Store, case_id: CaseId, response: Response) -> casework.CaseWhole:
    """All of a case; its ETag is the version to send with a change."""
    found = cases.case(store, caller.tenant, case_id)
    response.headers["ETag"] = f'"{found["version"]}"'
    return casework.CaseWhole(**seen(caller, found))


@router.get("/{case_id}/timeline", summary="Everything that happened to a case", responses=answers(404))
def story(
    caller: Reader,
    store: Store,
    case_id: CaseId,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    after: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
) -> casework.Timeline:
    """People and the desk, all rulings, model calls, commands and their answers, deliveries, feedback: oldest first."""
    cases.head_of(store, caller.tenant, case_id)
    rows = timeline.read(store, caller.tenant, case_id, after=(after or "").replace("\0", ""), limit=limit + 1)
    items = [casework.TimelineItem(**seen(caller, row)) for row in rows[:limit]]
    return casework.Timeline(items=items, next=rows[limit - 1]["key"] if len(rows) > limit else None)


@router.get("/{case_id}/merge-candidates", summary="What would merge", responses=answers(404))
def candidates(caller: Reader, store: Store, app: App, case_id: CaseId) -> casework.Candidates:
    """Other cases that share its cause by the fingerprint, and why; those that a person split off are marked."""
    found = cases.merge_candidates(store, caller.tenant, case_id, desk=app.desk)
    return casework.Candidates(items=[casework.Candidate(**seen(caller, row)) for row in found])


@router.post("/{case_id}/actions", summary="Do something to a case", responses=answers(404, 409))
def act(
    caller: Analyst, store: Store, app: App, case_id: CaseId, asked: Action, response: Response, if_match: IfMatch = None
) -> casework.Changed:
    """One action at a time.

    `version` (or If-Match) is the case as you saw it; when somebody changed it meanwhile the answer is 409 with the newer
    `version` and the `changes`, and nothing is done. Comments, tags and links need no version.
    """
    version = casework.version_of(asked.version, if_match)
    detail: dict[str, Any] = asked.model_dump(exclude={"action", "version"}, exclude_none=True)
    with store.connection() as connection:
        after = cases.act(connection, caller, case_id, version, asked.action, desk=app.desk, **detail)
    response.headers["ETag"] = f'"{after.version}"'
    return casework.Changed(
        case_id=after.case_id, version=after.version, status=after.status, assignee=after.assignee, tags=list(after.tags),
        members=after.members, snoozed_until=after.snoozed_until, expires_at=after.expires_at,
    )  # fmt: skip
