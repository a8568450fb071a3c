"""The facts of a batch of cases from the database: a handful of queries for all of them, as of one moment."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from rag import search
from rag.audit import Call
from rag.evidence import split_entity
from rag.facts import Facts, Row, Section
from rag.runbook import cautions, steps
from rag.signals import counter_query, query
from rag.topology import Topology
from store import database as store
from store.database import Connection, Database
from store.sections.core import Council

NEAR = timedelta(minutes=10)
OUT_OF_ORDER = timedelta(days=1)  # a late hit may lie before its episode's first; this only bounds what is read
SIMILAR, WIDE, EXCERPT, SHELF = 2, 24, 400, 5000
STALE_S = 5.0
T = TypeVar("T")


class Gatherer:
    """Collects facts; runbook answers are kept while the runbook stays as it is, since cases of one pattern ask alike."""

    def __init__(self, database: Database, council: Council) -> None:
        self.database, self.council = database, council
        self._versions: dict[str, str] = {}
        self._memories: dict[tuple[str, str], tuple[float, Sequence[search.Memory]]] = {}
        self._shelf: dict[tuple[str, str, str], tuple[Section, ...]] = {}

    def gather(self, case_ids: Sequence[str]) -> tuple[list[Facts], list[Call]]:
        """The facts of the cases that exist, by case id, and the tool calls made for them."""
        calls: list[Call] = []
        facts = self._timed(calls, "evidence", case_ids, lambda: self._measured(case_ids))
        facts = self._timed(calls, "runbook.search", case_ids, lambda: self._with_sections(facts))
        return self._timed(calls, "similar_cases", case_ids, lambda: self._with_similar(facts)), calls

    def _timed(self, calls: list[Call], name: str, case_ids: Sequence[str], work: Callable[[], T]) -> T:
        started = time.monotonic()
        result = work()
        calls.append(Call("tool", name, "ok", (time.monotonic() - started) * 1000, tuple(case_ids)))
        return result

    def _measured(self, case_ids: Sequence[str]) -> list[Facts]:
        with self.database.connection() as connection:
            store.run(connection, "brief_snapshot")
            return read_facts(connection, case_ids)

    def _with_sections(self, facts: Sequence[Facts]) -> list[Facts]:
        self._renew_shelf({one.case["tenant"] for one in facts})
        return [one.having(sections=self._sections_for(one)) for one in facts]

    def _renew_shelf(self, tenants: Iterable[str]) -> None:
        for tenant in sorted(tenants):
            version = self.database.fetch("runbook_version", tenant=tenant)[0]["version"]
            if self._versions.get(tenant) != version or len(self._shelf) > SHELF:
                self._versions[tenant] = version
                self._shelf = {key: kept for key, kept in self._shelf.items() if key[2] != tenant}

    def _sections_for(self, facts: Facts) -> tuple[Section, ...]:
        """What it looks like first, then the honest explanation, then the rest."""
        kind, tenant = facts.case["kind"], facts.case["tenant"]
        found = self._sections(query(facts), kind, tenant)
        against = [one for one in self._sections(counter_query(facts), kind, tenant) if one.action == "none"][:1]
        kept = [one for one in found if one not in against]
        return (*kept[:1], *against, *kept[1:])[: self.council.sections_per_brief]

    def _sections(self, text: str, kind: str, tenant: str) -> tuple[Section, ...]:
        key = (text, kind, tenant)
        if key not in self._shelf:
            hits = search.search(self.database, text, k=self.council.sections_per_brief, kinds=[kind], tenant=tenant)
            self._shelf[key] = tuple(_section(hit) for hit in hits)
        return self._shelf[key]

    def _with_similar(self, facts: Sequence[Facts]) -> list[Facts]:
        """Cases of one pattern share a search; a case for which too few of its finds are earlier has one of its own."""
        return [one.having(similar=self._earlier(one, self._near(query(one), one.case["tenant"]))) for one in facts]

    def _near(self, text: str, tenant: str) -> Sequence[search.Memory]:
        """Remembered cases like this one, looked up again after some seconds: in a storm thousands ask the same."""
        asked_at, found = self._memories.get((text, tenant), (-STALE_S, []))
        if time.monotonic() - asked_at >= STALE_S:
            self._memories = {key: kept for key, kept in self._memories.items() if time.monotonic() - kept[0] < STALE_S}
            found = search.similar_cases(self.database, text, k=WIDE, tenant=tenant)
            self._memories[text, tenant] = (time.monotonic(), found)
        return found

    def _earlier(self, facts: Facts, near: Sequence[search.Memory]) -> tuple[dict[str, Any], ...]:
        case = facts.case
        alike = f"this {case['kind']}"
        earlier = [memory for memory in near if memory.happened_at < case["started_at"] and memory.case_id != case["case_id"]]
        found = [memory for memory in earlier if alike in memory.summary][:SIMILAR]
        if len(found) < SIMILAR and len(near) == WIDE and len(earlier) < SIMILAR:
            found = search.similar_cases(
                self.database,
                query(facts),
                k=SIMILAR,
                before=case["started_at"],
                exclude=[case["case_id"]],
                tenant=case["tenant"],
            )
        return tuple(vars(memory) for memory in found)


def _section(hit: search.Hit) -> Section:
    action = next((tag.partition("=")[2] for tag in hit.tags if tag.startswith("action=")), "")
    return Section(
        hit.section_id, hit.heading_path, round(hit.score, 4), tuple(steps(hit)), tuple(cautions(hit)), opening(hit.body), action
    )


def opening(body: str) -> str:
    """A section's text before its first heading."""
    return body.partition("\n#")[0][:EXCERPT]


def read_facts(connection: Connection, case_ids: Sequence[str]) -> list[Facts]:
    """All that the tables say about the cases, inside the caller's transaction."""
    cases = store.fetch(connection, "brief_cases", case_ids=list(case_ids))
    if not cases:
        return []
    hits = _grouped(_hits(connection, cases), "episode_id")
    edges = _edges(connection, cases)
    asked = [_asked(case, hits[case["episode_id"]], edges.get(case["tenant"], ())) for case in cases]
    neighbours = _grouped(store.fetch(connection, "brief_neighbours", asked=json.dumps(asked)), "case_id")
    history = _grouped(store.fetch(connection, "brief_history", case_ids=list(case_ids)), "case_id")
    earlier = {row["case_id"]: row["earlier"] for row in store.fetch(connection, "brief_earlier", case_ids=list(case_ids))}
    return [
        Facts(
            case, tuple(hits[case["episode_id"]]), history=tuple(history[case["case_id"]]),
            neighbours=tuple(neighbours[case["case_id"]]), edges=edges.get(case["tenant"], ()),
            earlier_episodes=earlier[case["case_id"]],
        )
        for case in cases
    ]  # fmt: skip


def _hits(connection: Connection, cases: Sequence[Row]) -> list[dict[str, Any]]:
    since, until = min(case["started_at"] for case in cases) - OUT_OF_ORDER, max(case["last_at"] for case in cases) + OUT_OF_ORDER
    return store.fetch(connection, "brief_hits", episode_ids=[case["episode_id"] for case in cases], since=since, until=until)


def _edges(connection: Connection, cases: Sequence[Row]) -> dict[str, tuple[tuple[str, str], ...]]:
    tenants = sorted({case["tenant"] for case in cases if case["kind"] in ("service", "series")})
    rows = store.fetch(connection, "brief_edges", tenants=tenants) if tenants else []
    return {tenant: tuple((r["caller"], r["callee"]) for r in rows if r["tenant"] == tenant) for tenant in tenants}


def _asked(case: Row, hits: Iterable[Row], edges: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What makes another episode a neighbour of this case."""
    kind, subject, qualifier = split_entity(case["entity"])
    events = [hit["event"] or {} for hit in hits]
    places = sorted({event["counterparty_id"] for event in events if event.get("counterparty_id")})
    others = sorted({event["account_id"] for event in events if event.get("account_id")})
    suffix = f"/{qualifier}" if qualifier else ""
    entities = {
        "account": [f"counterparty:{place}{suffix}" for place in places],
        "counterparty": [f"account:{account}{suffix}" for account in others],
    }.get(kind, [])
    topology = Topology.of(edges)
    services = [subject, *topology.below(subject), *topology.above(subject)] if kind in ("service", "series") else []
    return {
        "case_id": case["case_id"], "tenant": case["tenant"], "episode_id": case["episode_id"], "entities": entities,
        "since": (case["started_at"] - NEAR).isoformat(), "until": (case["last_at"] + NEAR).isoformat(),
        "counterparties": places if kind == "account" else [subject] if kind == "counterparty" else [], "services": services,
    }  # fmt: skip


def _grouped(rows: Iterable[dict[str, Any]], key: str) -> defaultdict[str, list[dict[str, Any]]]:
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped
