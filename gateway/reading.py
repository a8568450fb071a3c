"""Entities, metrics, anomalies and rulings as REST and GraphQL both read them: pages of plain rows, unknown numbers as None."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway import cursors
from gateway.problems import Problem
from store.database import Queries
from trust import pii
from trust.roles import Caller, Role

MOST = 500
Row = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Rows, and the cursor of the next page; None at the end."""

    items: list[Row]
    next: str | None


@dataclass(frozen=True)
class Span:
    """Which part of a list: `since` is in it, `until` is not; `after` is a page's `next`."""

    limit: int = 50
    after: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Asked:
    """What a list is narrowed to; None: not."""

    entity: str | None = None
    case_id: str | None = None
    detector: str | None = None
    min_severity: float | None = None
    outcome: str | None = None
    in_force: bool = True
    span: Span = field(default_factory=Span)


def entities(queries: Queries, tenant: str, span: Span, kind: str | None = None, q: str | None = None) -> Page:
    """By name. `q`: letters that the name holds."""
    after = cursors.opened(span.after, cursors.text)[0] if span.after is not None else None
    rows = queries.fetch("read_entities", tenant=tenant, kind=kind, q=plain(q), after=after, limit=span.limit + 1)
    return _page(rows, span.limit, "entity")


def entity(queries: Queries, tenant: str, name: str) -> Row:
    """One entity. Raises Problem 404."""
    found = queries.fetch("read_entity", tenant=tenant, entity=plain(name))
    if not found:
        raise Problem(404, detail="There is no such entity; entities are named as `account:A-17/EUR` or `service:checkout`.")
    return found[0]


def metrics(queries: Queries, tenant: str, name: str, span: Span) -> Page:
    """One entity's buckets, newest first: minutes of services and series, hours of accounts and counterparties."""
    one = entity(queries, tenant, name)
    query = "read_minutes" if one["kind"] in ("service", "series") else "read_hours"
    before = cursors.opened(span.after, cursors.time)[0] if span.after is not None else None
    until = min((at for at in (span.until, before) if at is not None), default=None)
    rows = queries.fetch(
        query, tenant=tenant, entity_hash=one["entity_hash"], since=span.since, until=until, limit=span.limit + 1
    )
    return _page([finite(row) for row in rows], span.limit, "bucket")


def anomalies(queries: Queries, tenant: str, asked: Asked) -> Page:
    """Newest event first."""
    rows = queries.fetch(
        "read_anomalies", tenant=tenant, entity=plain(asked.entity), case_id=plain(asked.case_id), detector=plain(asked.detector),
        min_severity=asked.min_severity, **_window(asked.span),
    )  # fmt: skip
    return _page([finite(row) for row in rows], asked.span.limit, "event_time", "anomaly_id")


def rulings(queries: Queries, tenant: str, asked: Asked) -> Page:
    """Newest first; superseded ones too when `in_force` is false."""
    rows = queries.fetch(
        "read_rulings", tenant=tenant, entity=plain(asked.entity), case_id=plain(asked.case_id), outcome=asked.outcome,
        in_force=asked.in_force, **_window(asked.span),
    )  # fmt: skip
    return _page([finite(row) for row in rows], asked.span.limit, "ruled_at", "ruling_id")


def anomaly(queries: Queries, caller: Caller, anomaly_id: str) -> Row:
    """One anomaly with its event, masked for a viewer. Raises Problem 404."""
    found = queries.fetch("read_anomaly", tenant=caller.tenant, anomaly_id=plain(anomaly_id))
    if not found:
        raise Problem(404, detail="There is no such anomaly; it may have passed its retention.")
    return finite(found[0]) | {"event": for_reader(found[0]["event"], caller)}


def ruling(queries: Queries, caller: Caller, ruling_id: str) -> Row:
    """One ruling with its evidence, masked for a viewer. Raises Problem 404."""
    found = queries.fetch("read_ruling", tenant=caller.tenant, ruling_id=plain(ruling_id))
    if not found:
        raise Problem(404, detail="There is no such ruling; it may have passed its retention.")
    shown = {name: for_reader(found[0][name], caller) for name in ("brief", "opinions", "checks", "root_cause")}
    return finite(found[0]) | shown


def for_reader(value: Any, caller: Caller) -> Any:
    """The value with personal data in its texts masked for those who may only look."""
    return value if caller.role > Role.viewer else masked(value)


def masked(value: Any) -> Any:
    """
    >>> masked({"message": "from ann@example.org", "n": 1})["n"]
    1
    """
    if isinstance(value, str):
        return pii.mask(value)
    if isinstance(value, Mapping):
        return {name: masked(inner) for name, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


def finite(row: Row) -> Row:
    """A number that is none (an open end of a range) as None: JSON knows neither NaN nor infinity."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }  # fmt: skip


def plain(text: str | None) -> str | None:
    """A text to look for, without what no text in the database holds."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode() if text is not None else None


def _window(span: Span) -> Row:
    at, last = cursors.opened(span.after, cursors.time, cursors.text) if span.after is not None else (None, None)
    return {"since": span.since, "until": span.until, "after_time": at, "after_id": last, "limit": span.limit + 1}


def _page(rows: list[Row], limit: int, *order: str) -> Page:
    more = cursors.closed(*(_mark(rows[limit - 1][name]) for name in order)) if len(rows) > limit else None
    return Page(rows[:limit], more)


def _mark(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
