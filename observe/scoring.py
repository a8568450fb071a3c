"""The scoring queue: takes traces that are due, scores them, decides which are kept, counts them. Any number of workers."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from observe import sampling
from observe.sampling import Case, Decision, Policy
from observe.scores import METRICS, SCORER, Flags, Score, Text, flags, low, score
from observe.telemetry import work as telemetry
from observe.texts import Reader
from store.database import Connection, Database, fetch, run
from store.sections.observe import Observe
from store.settings import Settings

log = structlog.get_logger(__name__)
ROW = dict[str, Any]
Place = tuple[str, str]  # tenant, project


@dataclass(frozen=True)
class Scored:
    """A trace's row with what scoring found and decided."""

    row: ROW
    scores: list[Score]
    flags: Flags
    decision: Decision
    failed: bool = False

    @property
    def key(self) -> Place:
        return self.row["tenant"], self.row["trace_id"]

    @property
    def place(self) -> Place:
        return self.row["tenant"], self.row["project"]


def work(database: Database, settings: Settings, now: datetime) -> int:
    """Score one batch in one transaction; how many. A worker that dies in the middle has scored nothing."""
    reader = Reader(database, settings)
    with database.connection() as connection:
        rows = fetch(connection, "take_traces", now=now, limit=settings.observe.batch)
        if rows:
            decided = _decided(connection, rows, reader, settings.observe, now)
            _write(connection, decided, settings.observe, now)
    if rows:
        kept = sum(one.decision.keep for one in decided)
        telemetry.scored(kept, len(decided) - kept, sum(one.failed for one in decided))
    return len(rows)


def _decided(connection: Connection, rows: Sequence[ROW], reader: Reader, limits: Observe, now: datetime) -> list[Scored]:
    texts = [clear(row, reader) for row in rows]
    known = _shapes(connection, rows, texts, now)
    budget = _Budget(connection, rows, limits, now)
    decided = []
    for row, text in zip(rows, texts, strict=True):
        scores, failed = scored(text, limits)
        found = flags(scores, limits.hallucination_bar)
        decision = decide(row, scores, found, limits, novel=budget.novel(row, known), first=budget.first(row))
        decided.append(Scored(row, scores, found, decision, failed))
    return decided


def clear(row: ROW, reader: Reader) -> Text:
    """The texts of a trace, opened."""
    contexts = list(row["contexts"])
    opened = reader.open(row["tenant"], [row["query"], row["response"], row["reference"] or "", *contexts])
    reference = opened[2] if row["reference"] is not None else None
    return Text(opened[0], opened[1], tuple(opened[3:]), reference, row["pii"])


def scored(text: Text, limits: Observe) -> tuple[list[Score], bool]:
    """The scores; all unknown when the scorer itself fails, for one odd trace must not hold up the queue."""
    try:
        return score(text, limits.toxic_words), False
    except Exception as error:
        log.exception("a trace could not be scored")
        return [Score(metric, None, f"the scorer failed ({type(error).__name__})") for metric in METRICS], True


def decide(row: ROW, scores: Sequence[Score], found: Flags, limits: Observe, *, novel: bool, first: bool) -> Decision:
    """Whether the trace is kept. One that was scored before stays."""
    case = Case(
        row["trace_id"], row["status"] == "error", row["latency_ms"], row["cost"], low(scores, row["low_score"]), found.any, novel
    )
    slow = limits.slow_ms if row["project_slow_ms"] is None else row["project_slow_ms"]
    costly = limits.costly if row["project_costly"] is None else row["project_costly"]
    policy = Policy(row["keep_share"], slow, costly)
    if row["scored_at"] is not None:
        return Decision(True, sampling.matters(case, policy), row["weight"])
    decision = sampling.decide(case, policy)
    return Decision(True, ("first",), 1.0) if first and decision.why == ("share",) else decision


class _Budget:
    """What of the hour's allowance is left: first traces kept whole, novel ones kept for being novel."""

    def __init__(self, connection: Connection, rows: Sequence[ROW], limits: Observe, now: datetime) -> None:
        self._limits, self._seen, self._novel = limits, Counter[Place](), Counter[Place]()
        places = sorted({(row["tenant"], row["project"]) for row in rows})
        tenants, names = [place[0] for place in places], [place[1] for place in places]
        for row in fetch(connection, "trace_hour", hour=hour_of(now), tenants=tenants, projects=names):
            self._seen[row["tenant"], row["project"]] = row["seen"]
            self._novel[row["tenant"], row["project"]] = row["novel"]

    def first(self, row: ROW) -> bool:
        place = row["tenant"], row["project"]
        self._seen[place] += row["scored_at"] is None
        return self._seen[place] <= self._limits.full_per_hour

    def novel(self, row: ROW, known: dict[Place, frozenset[int]]) -> bool:
        place = row["tenant"], row["project"]
        if not sampling.novel(row["shapes"], known.get(place, frozenset())) or self._novel[place] >= self._limits.novel_per_hour:
            return False
        self._novel[place] += 1
        known[place] = known.get(place, frozenset()) | frozenset(row["shapes"])
        return True


def hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _shapes(connection: Connection, rows: Sequence[ROW], texts: Sequence[Text], now: datetime) -> dict[Place, frozenset[int]]:
    """The shapes of each project that were seen before this batch; this batch's are written down, kept or not."""
    wanted: list[tuple[str, str, int]] = []
    for row, text in zip(rows, texts, strict=True):
        row["shapes"] = sampling.shapes(text.query, row["model"], row["prompt"])
        wanted += [(row["tenant"], row["project"], shape) for shape in row["shapes"]]
    columns = {name: [one[place] for one in wanted] for place, name in enumerate(("tenants", "projects", "shapes"))}
    known: defaultdict[Place, set[int]] = defaultdict(set)
    for row in fetch(connection, "known_shapes", **columns):
        known[row["tenant"], row["project"]].add(row["shape"])
    run(connection, "put_shapes", now=now, **columns)
    return {place: frozenset(seen) for place, seen in known.items()}


def _write(connection: Connection, decided: Sequence[Scored], limits: Observe, now: datetime) -> None:
    kept, dropped = [one for one in decided if one.decision.keep], [one for one in decided if not one.decision.keep]
    run(
        connection,
        "put_scores",
        now=now,
        rows=json.dumps([row for one in kept for row in score_rows(*one.key, SCORER, one.scores)]),
    )
    run(connection, "mark_scored", now=now, rows=json.dumps([_marked(one, limits) for one in kept]))
    if dropped:
        tenants, ids = [one.row["tenant"] for one in dropped], [one.row["trace_id"] for one in dropped]
        run(connection, "drop_traces", now=now, tenants=tenants, trace_ids=ids)
    run(connection, "count_traces", rows=json.dumps(counts(decided, now), default=str))


def score_rows(tenant: str, trace_id: str, scorer: str, scores: Sequence[Score]) -> list[ROW]:
    return [{"tenant": tenant, "trace_id": trace_id, "scorer": scorer, **vars(one)} for one in scores]


def _marked(one: Scored, limits: Observe) -> ROW:
    waits = (limits.judge or one.row["judged"]) and one.row["judging"] == "no"
    return {
        "tenant": one.row["tenant"], "trace_id": one.row["trace_id"], "state": "failed" if one.failed else "scored",
        **vars(one.flags), "judging": "waiting" if waits else one.row["judging"], "weight": one.decision.weight,
        "kept_for": list(one.decision.why),
    }  # fmt: skip


def counts(decided: Sequence[Scored], now: datetime) -> list[ROW]:
    """What was scored for the first time, by project and model."""
    found: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for one in decided:
        if one.row["scored_at"] is None:
            tally = found[*one.place, one.row["model"]]
            novel = one.decision.keep and "novel" in one.decision.why
            tally.update(seen=1, kept=int(one.decision.keep), errors=int(one.row["status"] == "error"), novel=int(novel))
    return [
        {"tenant": tenant, "project": project, "model": model, "hour": hour_of(now), **tally}
        for (tenant, project, model), tally in found.items()
    ]
