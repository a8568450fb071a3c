"""Spans taken in: checked, their texts protected, priced, folded into traces and put on the scoring queue."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from observe import prices, projects, texts
from observe.prices import Prices
from observe.span import KINDS, Span, fold
from observe.texts import Caps
from store.database import Connection, Queries, fetch, run
from store.sections.observe import Observe
from store.settings import Settings

EARLIEST, AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)
LONGEST_MS = 7 * 86_400_000.0
ID_CAP = 128
ROWS = list[dict[str, Any]]


@dataclass(frozen=True)
class Sender:
    """Who sends. `limits`: the only projects it may send to; None: all. `source`: api, otlp, council, ask, chat …"""

    tenant: str
    actor: str
    source: str
    limits: frozenset[str] | None = None


@dataclass(frozen=True)
class Arrival:
    """A span and the project it was sent to."""

    project: str
    span: Span


@dataclass(frozen=True)
class Refusal:
    """A span that was not taken, and why."""

    trace_id: str
    span_id: str
    why: str


@dataclass
class Taken:
    """What became of a delivery: `traces` touched, `spans` new, `repeated` known already or dropped by sampling, `refused`."""

    traces: list[str] = field(default_factory=list)
    grown: set[str] = field(default_factory=set)  # of these the ones that something new came for
    spans: int = 0
    repeated: int = 0
    refused: list[Refusal] = field(default_factory=list)


def accept(queries: Queries, sender: Sender, arrivals: Sequence[Arrival], settings: Settings, now: datetime) -> Taken:
    """Take spans in, all that can be taken in one transaction; the others are named with why.

    A trace belongs to the project of its first span. A span that was delivered before, or whose trace sampling has dropped,
    changes nothing. Raises MasterKeyMissing where texts are to be sealed, DatabaseAway.
    """
    taken = Taken()
    sound = _sound(arrivals, settings.observe, now, taken)
    placed = _placed(queries, sender, sound, settings.observe, taken)
    if not placed:
        return taken
    table = prices.read(settings.observe.price_file)
    for project, spans in _by_project(placed).items():
        _take(queries, sender, project, spans, table, settings, now, taken)
    return taken


def fault(span: Span, now: datetime) -> str | None:
    """Why a span cannot be taken; None when it can."""
    if not 0 < len(span.trace_id) <= ID_CAP or not 0 < len(span.span_id) <= ID_CAP or len(span.parent_id or "") > ID_CAP:
        return f"ids have 1 to {ID_CAP} characters"
    if "\0" in f"{span.trace_id}{span.span_id}{span.parent_id or ''}":
        return "an id holds a zero byte"
    if span.parent_id == span.span_id:
        return "it is its own parent"
    if span.kind not in KINDS:
        return f"its kind is none of {', '.join(KINDS)}"
    if not EARLIEST <= span.started_at <= now + AHEAD:
        return "its start is before 2000 or more than a day ahead of the clock"
    if span.latency_ms is not None and not 0 <= span.latency_ms <= LONGEST_MS:
        return "its latency is negative or longer than a week"
    if any(count is not None and not 0 <= count < 1 << 53 for count in (span.tokens_in, span.tokens_out)):
        return "a token count is negative or absurd"
    if span.cost is not None and not 0 <= span.cost < 1e9:
        return "its cost is negative or absurd"
    return None


def _sound(arrivals: Sequence[Arrival], limits: Observe, now: datetime, taken: Taken) -> list[Arrival]:
    sound = []
    for place, one in enumerate(arrivals):
        why = fault(one.span, now) if place < limits.max_spans else f"more than {limits.max_spans} spans in one request"
        if why is None:
            sound.append(one)
        else:
            taken.refused.append(Refusal(one.span.trace_id[:ID_CAP], one.span.span_id[:ID_CAP], why))
    return sound


def _placed(queries: Queries, sender: Sender, sound: Sequence[Arrival], limits: Observe, taken: Taken) -> list[Arrival]:
    """Each span in its trace's project, as far as the sender may write there."""
    ids = sorted({one.span.trace_id for one in sound})
    known = {row["trace_id"]: row["project"] for row in queries.fetch("known_traces", tenant=sender.tenant, trace_ids=ids)}
    here = {row["project"] for row in projects.listed(queries, sender.tenant, {one.project for one in sound})} if sound else set()
    placed, homes = [], {trace_id: project for trace_id, project in known.items() if project is not None}
    for one in sound:
        if known.get(one.span.trace_id, "") is None:
            taken.repeated += 1
            continue
        project = homes.setdefault(one.span.trace_id, one.project)
        if (why := _closed(project, sender, project in here or project in known.values(), limits)) is not None:
            taken.refused.append(Refusal(one.span.trace_id, one.span.span_id, why))
        else:
            placed.append(Arrival(project, one.span))
    return placed


def _closed(project: str, sender: Sender, here: bool, limits: Observe) -> str | None:
    if sender.limits is not None and project not in sender.limits:
        return f"the key may not send to the project {project}"
    if not here and sender.limits is None and not limits.new_projects:
        return f"there is no project {project}"
    return None if projects.NAME.fullmatch(project) else f"{project[:80]!r} is no name of a project"


def _by_project(placed: Iterable[Arrival]) -> dict[str, list[Span]]:
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for one in placed:
        found[one.project].append(one.span)
    return dict(found)


def _take(
    queries: Queries, sender: Sender, project: str, spans: list[Span], table: Prices, settings: Settings, now: datetime,
    taken: Taken,
) -> None:  # fmt: skip
    """One project's spans, in one transaction."""
    with queries.connection() as connection:
        projects.ensure(connection, sender.tenant, project, settings.observe, sender.actor)
    mode = projects.get(queries, sender.tenant, project).text_mode
    limits = settings.observe
    clean = prices.priced(table, [texts.capped(span, Caps(limits.max_text, limits.max_contexts)) for span in spans])
    found = {(span.trace_id, span.span_id): texts.found_in(span) for span in clean}
    kept = _protected(queries, sender.tenant, project, mode, clean, settings)
    hashes = {span.trace_id: texts.user_hash(sender.tenant, span.user) for span in reversed(clean) if span.user}
    more = {"source": sender.source, "project": project, "text_mode": mode, "price_version": table.version}
    with queries.connection() as connection:
        run(connection, "put_price_version", tenant=sender.tenant, **_version(table))
        _write(connection, sender.tenant, kept, _Extra(found, hashes, more, now, timedelta(seconds=limits.settle_s)), taken)
        fetch(connection, "tell_traces", tenant=sender.tenant)


def _protected(queries: Queries, tenant: str, project: str, mode: str, spans: list[Span], settings: Settings) -> list[Span]:
    if mode == "masked":
        return [texts.masked(span) for span in spans]
    if mode == "encrypted":
        return texts.sealed(queries, settings, tenant, project, spans)
    return [texts.emptied(span) for span in spans] if mode == "none" else spans


def _version(table: Prices) -> dict[str, Any]:
    return {"version": table.version, "as_of": table.as_of, "currency": table.currency, "content": table.model_dump(mode="json")}


@dataclass(frozen=True)
class _Extra:
    """What a trace's row has beyond what its kept spans say."""

    found: dict[tuple[str, str], Counter[str]]
    hashes: dict[str, str | None]
    more: dict[str, Any]
    now: datetime
    settle: timedelta


def _write(connection: Connection, tenant: str, spans: Sequence[Span], extra: _Extra, taken: Taken) -> None:
    by_trace: defaultdict[str, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        if span.span_id in by_trace[span.trace_id]:
            taken.repeated += 1
        by_trace[span.trace_id].setdefault(span.span_id, span)
    rows = [_row(list(own.values()), extra) for own in by_trace.values()]
    made = {row["trace_id"] for row in fetch(connection, "put_traces", tenant=tenant, rows=json.dumps(rows, default=str))}
    older = sorted(set(by_trace) - made)
    before = {row["trace_id"]: row["pii"] for row in fetch(connection, "lock_traces", tenant=tenant, trace_ids=older)}
    offered = [_span_row(span) for own in by_trace.values() for span in own.values()]
    new = fetch(connection, "put_spans", tenant=tenant, rows=json.dumps(offered, default=str))
    taken.spans += len(new)
    taken.repeated += len(offered) - len(new)
    taken.traces += sorted(by_trace)
    taken.grown |= {row["trace_id"] for row in new}
    grown = sorted({row["trace_id"] for row in new} & set(older))
    if grown:
        _refold(connection, tenant, grown, before, [(row["trace_id"], row["span_id"]) for row in new], extra)


def _refold(
    connection: Connection, tenant: str, grown: list[str], before: dict[str, Any], new: list[tuple[str, str]], extra: _Extra
) -> None:  # fmt: skip
    stored: defaultdict[str, list[Span]] = defaultdict(list)
    for row in fetch(connection, "spans_of", tenant=tenant, trace_ids=grown):
        stored[row["trace_id"]].append(from_row(row))
    rows = []
    for trace_id in grown:
        pii = Counter(before[trace_id])
        for key in new:
            pii.update(extra.found[key] if key[0] == trace_id else {})
        rows.append(_row(stored[trace_id], extra) | {"pii": dict(pii)})
    run(connection, "refold_traces", tenant=tenant, rows=json.dumps(rows, default=str))


def _row(spans: Sequence[Span], extra: _Extra) -> dict[str, Any]:
    """A trace's row of its spans."""
    trace = asdict(fold(spans))
    error = trace.pop("error")
    trace.pop("user")
    pii: Counter[str] = sum((extra.found.get((span.trace_id, span.span_id), Counter()) for span in spans), Counter())
    return trace | extra.more | {
        "status": "ok" if error is None else "error", "error": error or "",
        "user_hash": extra.hashes.get(trace["trace_id"]), "pii": dict(pii),
        "received_at": extra.now, "due_at": extra.now if trace["complete"] else extra.now + extra.settle,
    }  # fmt: skip


def _span_row(span: Span) -> dict[str, Any]:
    row = asdict(span)
    for name in ("user", "session", "metadata"):
        row.pop(name)
    return row | {"status": "ok" if span.error is None else "error", "error": span.error or ""}


def from_row(row: dict[str, Any]) -> Span:
    """A span as it was stored."""
    fields = {name: value for name, value in row.items() if name not in ("tenant", "status", "error", "contexts")}
    return Span(**fields, error=row["error"] if row["status"] == "error" else None, contexts=tuple(row["contexts"]))
