"""Cases in GraphQL: the desk's services."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from desk import cases, feedback, timeline
from gateway import reading
from gateway.graphql.asking import Context, Info, ask, described, first_of
from gateway.graphql.types import AnomalyPage, anomaly_page, made
from gateway.reading import Asked, Row, Span


@strawberry.type(description="Something that happened to a case.")
class Entry:
    at: datetime
    source: str
    kind: str
    who: str
    said: str
    key: str


@strawberry.type(description="What people work on: one or more of the council's cases with one cause.")
class Case:
    case_id: strawberry.ID
    title: str
    entity: str
    kind: str
    status: str
    version: int
    outcome: str
    confidence: float
    severity: float
    hits: int
    members: int
    expected_loss: float | None
    loss_currency: str | None
    assignee: str | None
    tags: list[str]
    started_at: datetime
    last_at: datetime
    opened_at: datetime
    changed_at: datetime
    snoozed_until: datetime | None

    @described("Its ruling, commands, feedback, links and what can be done, as JSON.")
    async def detail(self, info: Info) -> JSON:
        context = info.context
        row = await ask(cases.case, context.store, context.caller.tenant, str(self.case_id))
        found: JSON = reading.for_reader(jsonable(row), context.caller)
        return found

    @described("Everything that happened, in the order of the clock.")
    async def timeline(self, info: Info, first: int = 20, after: str = "") -> list[Entry]:
        context = info.context
        rows = await ask(
            timeline.read, context.store, context.caller.tenant, str(self.case_id), after=after, limit=first_of(first)
        )
        return [made(Entry, row) for row in rows]

    @described("The anomalies of the case itself; `detail` names its members.")
    async def anomalies(self, info: Info, first: int = 20, after: str | None = None) -> AnomalyPage:
        return await anomaly_page(info, Asked(case_id=str(self.case_id), span=Span(first_of(first), after)))


@strawberry.type
class CasePage:
    items: list[Case]
    of_all: int
    next: str | None


@strawberry.type(description="What somebody thinks of an anomaly or a ruling.")
class Feedback:
    feedback_id: strawberry.ID
    about: str
    subject_id: str
    case_id: str
    verdict: str
    reason: str | None
    comment: str
    at: datetime
    stale: bool


async def inbox(context: Context, filters: cases.Filters) -> CasePage:
    page = await ask(cases.inbox, context.store, context.caller.tenant, filters, now=context.now)
    return CasePage(items=[made(Case, row) for row in page.items], of_all=page.of_all, next=page.next)


async def case(context: Context, case_id: str) -> Case:
    row = await ask(cases.case, context.store, context.caller.tenant, case_id, members=1)
    return made(Case, row)


def act(context: Context, case_id: str, version: int | None, action: str, detail: dict[str, Any]) -> None:
    """One action on a case, in one transaction with its audit entry."""
    known = {name: value for name, value in detail.items() if name not in ("desk", "now", "action", "version")}
    with context.store.connection() as connection:
        cases.act(
            connection, context.caller, case_id, version, action, desk=context.settings.desk, now=context.now, **known
        )  # fmt: skip


def give(context: Context, about: feedback.About, subject_id: str, verdict: feedback.Verdict, said: dict[str, Any]) -> Row:
    """Feedback, in one transaction with its audit entry."""
    with context.store.connection() as connection:
        return feedback.give(
            connection, context.caller, about=about, subject_id=subject_id, verdict=verdict, via="graphql", **said
        )  # fmt: skip


def jsonable(value: Any) -> Any:
    """Times as RFC 3339, everything else as it is."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: jsonable(inner) for name, inner in value.items()}
    return [jsonable(inner) for inner in value] if isinstance(value, list | tuple) else value
