"""The fixed queries behind the chat: what is known of entities, cases and times, as exhibits. No text ever becomes SQL here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from assistant.exhibits import Exhibit, entity_words, exhibit
from assistant.reading import Name, Reading
from assistant.times import Span
from rag import quoting
from rag.audit import Call
from rag.evidence import split_entity
from rag.search import similar_cases
from rag.tracing import Answered
from store.database import Queries

Row = dict[str, Any]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MOST_FLAGS, MOST_ALIKE, MOST_OPEN = 6, 3, 7
CAUSE_CAP = 700
METRICS = ("service", "series")


@dataclass(frozen=True)
class Asking:
    """Who asks, where and when; `alias` gives the name under which `kind:name` is kept where identifiers are tokens."""

    database: Queries
    tenant: str
    now: datetime
    zone: ZoneInfo
    alias: Callable[[str], str | None] = lambda name: None
    watch: Callable[[Answered], object] | None = None  # told of every answer; None: nobody
    asker: str = ""  # an actor, and their conversation, so that their traces can be found and deleted
    session: str = ""
    calls: list[Call] = field(default_factory=list, compare=False)  # of a model, while one answer is made

    def fetch(self, query: str, /, **given: Any) -> list[Row]:
        return self.database.fetch(query, tenant=self.tenant, **given)


@dataclass(frozen=True)
class Subject:
    """An account, counterparty or service with all that is kept under its name: currencies, series."""

    kind: str
    name: str
    hashes: tuple[int, ...]
    entities: tuple[str, ...]

    @property
    def words(self) -> str:
        return entity_words(self.entities[0] if len(self.entities) == 1 else f"{self.kind}:{self.name}")


def subjects(asking: Asking, reading: Reading) -> tuple[list[Subject], list[str]]:
    """Whom the question names, and the names that nothing bears."""
    sure = [name for name in reading.names if name.sure]
    found: list[Subject] = []
    missing = []
    for name in sure:
        borne = _borne(asking, [name], (name.kind,) if name.kind else None)
        found += [one for one in borne if one not in found]
        missing += [] if borne else [quoting.name(name.text)]
    if not sure and reading.names:
        found = _borne(asking, reading.names, METRICS)
    if not sure and reading.cases and not found:
        found = [
            one for row in episodes(asking, cases=reading.cases, most=3)[1] for one in [_of_entity(asking, row["entity"])] if one
        ]
    return found, missing


def _borne(asking: Asking, names: Iterable[Name], kinds: tuple[str, ...] | None) -> list[Subject]:
    """The entities of these names; a service brings its series along."""
    plain = {name.text.partition("/")[0].casefold(): name for name in names}
    aliases = {token.casefold(): name for name in names for token in _tokens(asking, name)}
    wanted = None if kinds is None else list({*kinds, *(("series",) if "service" in kinds else ())})
    rows = asking.fetch("assistant_entities", subjects=[*plain, *aliases], kinds=wanted)
    asked = plain | aliases
    rows = [row for row in rows if _qualified(row, asked[row["subject"].casefold()])]
    if kinds is None and any(
        row["kind"] == "account" for row in rows
    ):  # a bare name that an account and a shop bear is the account
        rows = [row for row in rows if row["kind"] == "account"]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(("service" if row["kind"] == "series" else row["kind"], row["subject"]), []).append(row)
    return [_subject(rows) for rows in groups.values()]


def _subject(rows: Sequence[Row]) -> Subject:
    kinds = [row["kind"] for row in rows]
    return Subject(
        "service" if "service" in kinds else kinds[0], rows[0]["subject"], tuple(row["entity_hash"] for row in rows),
        tuple(row["entity"] for row in rows),
    )  # fmt: skip


def _of_entity(asking: Asking, entity: str) -> Subject | None:
    kind, subject, _ = split_entity(entity)
    rows = asking.fetch("assistant_entities", subjects=[subject.casefold()], kinds=[kind])
    kept = [row for row in rows if row["entity"] == entity]
    return _subject(kept) if kept else None


def _tokens(asking: Asking, name: Name) -> list[str]:
    kinds = [name.kind] if name.kind in ("account", "counterparty") else ["account", "counterparty"] if not name.kind else []
    found = [asking.alias(f"{kind}:{name.text.partition('/')[0]}") for kind in kinds]
    return [token.partition(":")[2] for token in found if token]


def _qualified(row: Row, name: Name) -> bool:
    qualifier = name.text.partition("/")[2]
    return not qualifier or bool(row["qualifier"].casefold() == qualifier.casefold())


def near_names(asking: Asking, names: Sequence[str]) -> list[str]:
    """A few entities whose names begin like these."""
    starts = [name.casefold()[: max(2, len(name) // 2)] for name in names]
    return [row["entity"] for start in starts if len(start) > 1 for row in asking.fetch("assistant_near_names", start=start)][:3]


def activity(asking: Asking, one: Subject, span: Span) -> list[Exhibit]:
    """What the subject did in the span, an exhibit for each currency, service or series."""
    given = {"hashes": list(one.hashes), "since": span.since, "until": span.until}
    rows = asking.fetch("assistant_minutes", **given) if one.kind in METRICS else []
    if one.kind not in METRICS:
        since = span.since.replace(minute=0, second=0, microsecond=0)
        rows = asking.fetch("assistant_hours", **given | {"since": since})
    return [_activity(row) for row in rows]


def _activity(row: Row) -> Exhibit:
    kind, _, qualifier = split_entity(row["entity"])
    units = {"unit": "amount", "currency": qualifier} if kind in ("account", "counterparty") else {"unit": "ms"}
    units = {"unit": "value"} if kind == "series" else units
    fields = {name: value for name, value in row.items() if name not in ("entity", "kind")}
    if kind == "series":
        fields = {name: value for name, value in fields.items() if name not in ("errors", "error_rate", "p95_ms")}
    return exhibit("activity", row["entity"], entity_words(row["entity"]), kind=kind, **units, **fields)


def last_day(asking: Asking, one: Subject) -> Span | None:
    """The day up to the subject's newest activity."""
    newest = last_seen(asking, one.hashes)
    return None if newest is None else Span(newest - DAY + HOUR, newest + HOUR, "in its last day of activity")


def last_seen(asking: Asking, hashes: Sequence[int]) -> datetime | None:
    seen: datetime | None = asking.fetch("assistant_last_seen", hashes=list(hashes))[0]["at"]
    return seen


def stream(asking: Asking, span: Span | None, of: Subject | None = None) -> Exhibit:
    """How far the stream has come, against the span asked for, and when the subject was active last."""
    newest = asking.fetch("assistant_newest")[0]["at"]
    behind = newest is not None and span is not None and newest < span.until - HOUR
    seen = last_seen(asking, of.hashes) if of else None
    title = f"the event stream and {of.words} in it" if of else "the event stream"
    return exhibit("stream", of.entities[0] if of else "stream", title, newest_at=newest, behind=behind, last_seen_at=seen)


def episodes(
    asking: Asking, *, of: Sequence[Subject] = (), span: Span | None = None, kind: str = "", outcome: str = "",
    cases: Sequence[str] = (), most: int = MOST_FLAGS,
) -> tuple[list[tuple[Exhibit, Exhibit | None]], list[Row]]:  # fmt: skip
    """Flagged episodes, worst first, each with its ruling's exhibit when it has a case; and their rows."""
    rows = asking.fetch("assistant_episodes", **_slots(of, span, kind, outcome), case_ids=list(cases) or None, most=most)
    return [(_flag(row), _ruling(row) if row["case_id"] else None) for row in rows], rows


def _slots(of: Sequence[Subject], span: Span | None, kind: str, outcome: str) -> dict[str, Any]:
    hashes = [one for subject in of for one in subject.hashes]
    return {
        "hashes": hashes or None, "kind": kind or None, "outcome": outcome or None,
        "since": None if span is None else span.since, "until": None if span is None else span.until,
    }  # fmt: skip


def _flag(row: Row) -> Exhibit:
    kind, _, qualifier = split_entity(row["entity"])
    worst = row["worst"] or {}
    unit = str(worst.get("unit", ""))
    return exhibit(
        "flag", row["case_id"] or row["entity"], entity_words(row["entity"]), kind=kind, entity=row["entity"],
        started_at=row["started_at"], last_at=row["last_at"], hits=row["hits"], severity=row["severity"],
        detectors=sorted(row["detectors"]), unit=unit, currency=qualifier if unit == "amount" else None,
        **{name: worst.get(name) for name in ("value", "expected", "low", "high")},
    )  # fmt: skip


def _ruling(row: Row) -> Exhibit:
    command: Row = next(iter(row["commands"]), {})
    steps = "; ".join(str(step["text"]).rstrip(".") for step in (row["next_steps"] or [])[:3] if step.get("text"))
    said = {
        f"{one.get('role')}_said": quoting.plain(" ".join(one["said"]), 300) for one in row["opinions"] or [] if one.get("said")
    }
    return exhibit(
        "ruling", row["case_id"], f"{row['case_id']} on {entity_words(row['entity'])}",
        quoting.plain(row["root_cause"] or "", CAUSE_CAP),
        case=row["case_id"], outcome=row["outcome"], confidence=row["confidence"], council=row["council"], lane=row["lane"],
        status=row["status"], assignee=row["assignee"], command=command.get("action"), command_state=command.get("state"),
        next_steps=steps or None, **said,
    )  # fmt: skip


def counts(asking: Asking, *, of: Sequence[Subject] = (), span: Span | None = None, kind: str = "", outcome: str = "") -> Exhibit:
    """How much was flagged, heard and ruled."""
    row = asking.fetch("assistant_counts", **_slots(of, span, kind, outcome))[0]
    filed = row["episodes"] - row["cases"]
    whom = " and ".join(one.words for one in of) or (f"every {kind}" if kind else "all")
    return exhibit(
        "count",
        of[0].entities[0] if of else "counts",
        f"episodes and cases of {whom}, counted",
        **row,
        filed=filed,
        asked_outcome=outcome or None,
    )


def top(asking: Asking, reading: Reading, span: Span | None) -> tuple[list[Exhibit], str]:
    """A ranking and what it is by."""
    by = {"errors": "errors", "events": "events", "amount": "amount", "cases": "cases"}.get(reading.what, "hits")
    span_or_day = span or newest_day(asking)
    if by in ("errors", "events", "amount") and span_or_day is not None:
        kind = reading.of_kind or ("account" if by == "amount" else "service")
        given = {"since": span_or_day.since, "until": span_or_day.until, "by": by, "most": reading.most}
        paying = kind in ("account", "counterparty")
        rows = (
            asking.fetch("assistant_top_paying", kind=kind, **given)
            if paying
            else asking.fetch("assistant_top_services", **given)
        )
    else:
        by = "hits" if by in ("errors", "events", "amount") else by
        slots = {name: value for name, value in _slots((), span, reading.of_kind, reading.outcome).items() if name != "hashes"}
        rows = asking.fetch("assistant_top_flagged", **slots, by=by, most=reading.most)
    return [_ranked(row) for row in rows], by


def totals(asking: Asking, span: Span, reading: Reading) -> list[Exhibit]:
    """All payments, requests or readings of a span, by the kind of entity they are counted at."""
    kinds = [reading.of_kind] if reading.of_kind else ["service"] if reading.what == "errors" else ["account", "service"]
    given = {"since": span.since.replace(minute=0, second=0, microsecond=0), "until": span.until, "kinds": kinds}
    rows = asking.fetch("assistant_totals", **given)
    return [exhibit("count", "totals", f"all events of every {row['kind']}", unit="amount", **row) for row in rows]


def newest_day(asking: Asking) -> Span | None:
    newest = asking.fetch("assistant_newest")[0]["at"]
    return None if newest is None else Span(newest - DAY, newest + HOUR, "in the newest day of the stream")


def _ranked(row: Row) -> Exhibit:
    kind, _, qualifier = split_entity(row["entity"])
    unit = {"unit": "ms"} if kind == "service" else {"unit": "amount", "currency": qualifier}
    fields = {name: value for name, value in row.items() if name not in ("entity", "kind")}
    return exhibit("list", row["entity"], entity_words(row["entity"]), kind=kind, **unit, **fields)


def alike(asking: Asking, case_ids: Sequence[str], of: Sequence[Subject], question: str) -> tuple[list[Exhibit], Row | None]:
    """Remembered cases like the case asked about, like the subject's worst one, or like the question's words."""
    rows = episodes(asking, of=of, cases=case_ids, most=1)[1] if case_ids or of else []
    chosen = rows[0] if rows else None
    memory = asking.fetch("assistant_memory", case_id=chosen["case_id"]) if chosen and chosen["case_id"] else []
    text = memory[0]["summary"] if memory else (chosen and chosen["root_cause"]) or question
    exclude = [chosen["case_id"]] if chosen and chosen["case_id"] else []
    found = similar_cases(asking.database, text, k=MOST_ALIKE, exclude=exclude, tenant=asking.tenant)
    return [
        exhibit("memory", one.case_id, one.case_id, quoting.plain(one.summary, CAUSE_CAP), outcome=one.outcome,
                happened_at=one.happened_at, cosine=round(one.cosine, 3), score=round(one.score, 3))
        for one in found
    ], chosen  # fmt: skip


def waiting(asking: Asking) -> tuple[list[Exhibit], Exhibit]:
    """What is open on the desk; snoozed and held cases are left out."""
    rows = asking.fetch("assistant_waiting", now=asking.now, most=MOST_OPEN)
    whole = exhibit("count", "inbox", "open cases", open=rows[0]["of_all"] if rows else 0)
    return [
        exhibit(
            "ruling", row["case_id"], row["title"] or entity_words(row["entity"]),
            quoting.plain(row["root_cause"] or "", 240), status=row["status"], severity=row["severity"], hits=row["hits"],
            total=row["expected_loss"], currency=row["loss_currency"], proposed=row["proposed"], outcome=row["outcome"],
        )
        for row in rows
    ], whole  # fmt: skip


def change(left: Exhibit, right: Exhibit) -> Exhibit:
    """How two counts differ, as a share of the second."""
    first, second = left.fields.get("count", 0), right.fields.get("count", 0)
    share = (first - second) / second if second else None
    return exhibit("count", "comparison", "the difference", left=first, right=second, change=share)


def aligned(spans: Sequence[Span], now: datetime) -> tuple[Span, Span]:
    """Two spans to compare; one that is still going on is compared with the same part of the other."""
    first = spans[0]
    if len(spans) == 1 and abs((first.until - now).total_seconds()) >= 60:  # `than last week`: now is meant by itself
        return Span(now - (first.until - first.since), now, "in the same length of time until now"), first
    second = spans[1] if len(spans) > 1 else first.before()
    newer, older = (first, second) if first.since >= second.since else (second, first)
    if abs((newer.until - now).total_seconds()) < 60 and newer.until - newer.since < older.until - older.since:
        older = replace(older, until=older.since + (newer.until - newer.since), words=f"{older.words} by the same time")
    return (newer, older) if first.since >= second.since else (older, newer)
