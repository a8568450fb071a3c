"""The schema: queries for those who may look, mutations for those who work."""

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.extensions import MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter
from strawberry.scalars import JSON
from strawberry.types import ExecutionContext

from desk import cases as desk_cases
from gateway import reading
from gateway.graphql import cases
from gateway.graphql.asking import Info, ask, described, first_of, needs
from gateway.graphql.cases import Case, CasePage, Feedback
from gateway.graphql.types import (
    USUAL,
    AnomalyPage,
    Entity,
    EntityPage,
    MetricPage,
    RulingPage,
    anomaly_page,
    made,
    metric_page,
    ruling_page,
)
from gateway.problems import HIDDEN, Problem, status_of
from gateway.reading import Asked, Span
from store.errors import ConclaveError
from store.sections.gateway import Gateway
from trust.roles import Role

MOST_TOKENS = 2_000
log = structlog.get_logger("gateway")


@strawberry.enum
class Kind(Enum):
    account = "account"
    counterparty = "counterparty"
    service = "service"
    series = "series"


@strawberry.enum
class Outcome(Enum):
    confirmed = "confirmed"
    dismissed = "dismissed"
    unresolved = "unresolved"


@strawberry.enum
class About(Enum):
    anomaly = "anomaly"
    ruling = "ruling"


@strawberry.enum
class Verdict(Enum):
    confirm = "confirm"
    dismiss = "dismiss"


@strawberry.type
class Query:
    @described("Newest event first.")
    async def anomalies(
        self, info: Info, first: int = USUAL, after: str | None = None, entity: str | None = None, case_id: str | None = None,
        detector: str | None = None, min_severity: float | None = None, since: datetime | None = None,
        until: datetime | None = None,
    ) -> AnomalyPage:  # fmt: skip
        span = Span(first_of(first), after, zoned(since), zoned(until))
        return await anomaly_page(info, Asked(entity, case_id, detector, min_severity, span=span))

    @described("Newest first; superseded ones too when inForce is false.")
    async def rulings(
        self, info: Info, first: int = USUAL, after: str | None = None, entity: str | None = None, case_id: str | None = None,
        outcome: Outcome | None = None, in_force: bool = True, since: datetime | None = None, until: datetime | None = None,
    ) -> RulingPage:  # fmt: skip
        span = Span(first_of(first), after, zoned(since), zoned(until))
        chosen = outcome.value if outcome is not None else None
        return await ruling_page(info, Asked(entity, case_id, outcome=chosen, in_force=in_force, span=span))

    @described("By name; `q`: letters that it holds.")
    async def entities(
        self, info: Info, first: int = USUAL, after: str | None = None, kind: Kind | None = None, q: str | None = None
    ) -> EntityPage:
        context, chosen = info.context, kind.value if kind is not None else None
        page = await ask(reading.entities, context.store, context.caller.tenant, Span(first_of(first), after), chosen, q)
        return EntityPage(items=[made(Entity, row) for row in page.items], next=page.next)

    @strawberry.field
    async def entity(self, info: Info, name: str) -> Entity:
        return made(Entity, await ask(reading.entity, info.context.store, info.context.caller.tenant, name))

    @described("Newest bucket first.")
    async def metrics(
        self, info: Info, entity: str, first: int = USUAL, after: str | None = None, since: datetime | None = None,
        until: datetime | None = None,
    ) -> MetricPage:  # fmt: skip
        return await metric_page(info, entity, Span(first_of(first), after, zoned(since), zoned(until)))

    @described("The inbox: what needs somebody, by expected loss and age.")
    async def cases(
        self, info: Info, first: int = USUAL, after: str | None = None, entity: str | None = None, assignee: str | None = None,
        tag: str | None = None, q: str | None = None,
    ) -> CasePage:  # fmt: skip
        filters = desk_cases.Filters(
            entity=reading.plain(entity), assignee=reading.plain(assignee), tag=reading.plain(tag), q=reading.plain(q),
            limit=first_of(first), after=after,
        )  # fmt: skip
        return await cases.inbox(info.context, filters)

    @strawberry.field
    async def case(self, info: Info, case_id: strawberry.ID) -> Case:
        return await cases.case(info.context, reading.plain(str(case_id)) or "")


@strawberry.type
class Mutation:
    @described(
        "Acknowledge, investigate, resolve, dismiss, assign, comment, tag, snooze, merge, split … `version`: the "
        "case's as you saw it; an older one changes nothing. `detail`: what the action needs, as in REST. For analysts."
    )
    async def act_on_case(
        self, info: Info, case_id: strawberry.ID, action: str, version: int | None = None, detail: JSON | None = None
    ) -> Case:
        context, name = needs(info, Role.analyst), reading.plain(str(case_id)) or ""
        given: dict[str, Any] = detail if isinstance(detail, dict) else {}
        await ask(cases.act, context, name, version, action, given)
        return await cases.case(context, name)

    @described("Say what you think of an anomaly or a ruling. `shownHash` says which state you saw. For analysts.")
    async def give_feedback(
        self, info: Info, about: About, subject_id: strawberry.ID, verdict: Verdict, reason: str | None = None,
        comment: str = "", shown_hash: str | None = None,
    ) -> Feedback:  # fmt: skip
        context, subject = needs(info, Role.analyst), reading.plain(str(subject_id)) or ""
        said = {"reason": reason, "comment": comment, "shown_hash": shown_hash}
        return made(Feedback, await ask(cases.give, context, about.value, subject, verdict.value, said))


def zoned(at: datetime | None) -> datetime | None:
    """Raises Problem 422 for a time without a zone."""
    if at is not None and at.tzinfo is None:
        raise Problem(422, detail="A time needs its zone, as 2026-05-01T00:00:00Z.")
    return at


class Schema(strawberry.Schema):
    """Errors of services are told as REST tells them; others are logged and not shown."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        for error in errors:
            told(error)


def told(error: GraphQLError) -> None:
    """Put what may be known of an error into it."""
    cause = error.original_error
    if isinstance(cause, Problem):
        error.message, error.extensions = cause.detail, {"status": cause.status, "field": cause.field}
    elif isinstance(cause, ConclaveError) and not isinstance(cause, HIDDEN):
        extensions = {"status": status_of(cause), "field": getattr(cause, "field", None)}
        error.message, error.extensions = str(cause), extensions | dict(getattr(cause, "more", None) or {})
    elif cause is not None and not isinstance(cause, GraphQLError):
        log.error("a resolver failed", exc_info=cause)
        error.message, error.extensions = "A fault of ours; it was written to the log with this request's id.", {"status": 500}


def schema(settings: Gateway) -> Schema:
    """The schema with the settings' limits."""
    limits = [
        lambda: QueryDepthLimiter(max_depth=settings.graphql_depth),
        lambda: MaxAliasesLimiter(max_alias_count=settings.graphql_aliases),
        lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS),
    ]
    return Schema(query=Query, mutation=Mutation, extensions=limits)
