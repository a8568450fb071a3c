"""Finding runbook sections and remembered cases: BM25 over stemmed words fused with pgvector's cosine (rag/ranking.py)."""

import math
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import numpy as np

from rag.embed import EMBEDDER, embed, literal
from rag.ranking import Scores, WordIndex, best, fused
from rag.runbook import section_from
from rag.sections import Section
from store.database import Queries, fetch, run

MAX_QUERY = 4_000  # characters of a query that are read
MOST_INDEXES = 32  # runbooks kept in memory
EXACT = 20_000  # memories of a tenant; beyond, the vector index is asked, which may miss one that lies apart
MEMORY_POOL = 200  # nearest memories that are ranked by their words too


@dataclass(frozen=True)
class Hit:
    """A section that answers a query; `score` is the fused one, 0..1 among the sections looked at."""

    section_id: str
    heading_path: tuple[str, ...]
    body: str
    score: float
    bm25: float
    cosine: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Memory:
    """A ruled case like the one asked about; `happened_at` is event time."""

    case_id: str
    summary: str
    outcome: str
    happened_at: datetime
    score: float
    bm25: float
    cosine: float


@dataclass(frozen=True)
class RunbookIndex:
    """Every section of a tenant's runbook at one version, with the word index over them."""

    version: str
    sections: tuple[Section, ...]
    words: WordIndex


_indexes: OrderedDict[tuple[str, str], RunbookIndex] = OrderedDict()  # by tenant and version, which is a hash of the content
_indexes_lock = Lock()


def search(
    database: Queries, query: str, *, k: int,
    kinds: Collection[str] | None = None, detectors: Collection[str] | None = None, tenant: str = "main",
) -> list[Hit]:  # fmt: skip
    """The k sections that answer the query best, best first; equal scores by section id.

    `kinds` and `detectors` keep the sections tagged with one of them, and those without any such tag. A query without a
    word finds nothing.
    """
    query = query[:MAX_QUERY]
    if not any(letter.isalnum() for letter in query):
        return []
    index = runbook_index(database, tenant)
    keep = [
        i for i, one in enumerate(index.sections) if _serves(one.tags, "kind", kinds) and _serves(one.tags, "detector", detectors)
    ]
    sections = [index.sections[i] for i in keep]
    bm25 = index.words.scores(query)[keep]
    cosine = _cosines(database, sections, query, tenant)
    score = fused(bm25, cosine)
    return [
        Hit(one.section_id, one.heading_path, one.body, float(score[i]), float(bm25[i]), float(cosine[i]), one.tags)
        for i in best(score, k, [one.section_id for one in sections])
        for one in [sections[i]]
    ]


def runbook_index(database: Queries, tenant: str = "main") -> RunbookIndex:
    """The index over the runbook as it is now; built again only when the runbook changed."""
    version = database.fetch("runbook_version", tenant=tenant)[0]["version"]
    with _indexes_lock:
        if (kept := _indexes.get((tenant, version))) is not None:
            _indexes.move_to_end((tenant, version))
            return kept
    sections = tuple(section_from(row) for row in database.fetch("runbook_sections", tenant=tenant))
    built = RunbookIndex(version, sections, WordIndex([_weighted(one) for one in sections]))
    with _indexes_lock:
        _indexes[tenant, version] = built
        while len(_indexes) > MOST_INDEXES:
            _indexes.popitem(last=False)
    return built


def _weighted(one: Section) -> str:
    """What the word index reads: a topic's own heading counts three times, since it says what the section is about."""
    return f"{one.heading_path[-1]}\n{one.heading_path[-1]}\n{one.text}"


def similar_cases(
    database: Queries, text: str, *, k: int, before: datetime | None = None, exclude: Iterable[str] = (), tenant: str = "main"
) -> list[Memory]:
    """The k remembered cases most like `text`, best first, that happened before `before` (event time), without `exclude`.

    The words are compared among the 200 nearest by vector, so the cost does not grow with the years.
    """
    vector = literal(embed([text[:MAX_QUERY]])[0])
    asked = {"tenant": tenant, "embedder": EMBEDDER, "embedding": vector, "before": before, "exclude": list(exclude)}
    with database.connection() as connection:
        many = fetch(connection, "memories_counted", tenant=tenant, bound=EXACT + 1)[0]["memories"] > EXACT
        if many:
            fetch(connection, "look_until_enough", pool=MEMORY_POOL)
        rows = fetch(connection, "near_memories" if many else "every_memory", **asked, pool=MEMORY_POOL)
    bm25 = WordIndex([row["summary"] for row in rows]).scores(text[:MAX_QUERY])
    cosine = np.array([_number(row["cosine"]) for row in rows], dtype=np.float64)
    score = fused(bm25, cosine)
    return [
        Memory(**rows[i] | {"score": float(score[i]), "bm25": float(bm25[i]), "cosine": float(cosine[i])})
        for i in best(score, k, [row["case_id"] for row in rows])
    ]


def remember(target: Any, case_id: str, summary: str, outcome: str, happened_at: datetime, *, tenant: str = "main") -> None:
    """Keep a ruled case so that it is found again; `target` is a Database, or a connection to join its transaction."""
    vector = literal(embed([summary])[0])
    row = {"case_id": case_id, "tenant": tenant, "summary": summary, "outcome": outcome, "happened_at": happened_at}
    if isinstance(target, Queries):
        target.run("put_memory", **row, embedder=EMBEDDER, embedding=vector)
    else:
        run(target, "put_memory", **row, embedder=EMBEDDER, embedding=vector)


def _serves(tags: Iterable[str], name: str, wanted: Collection[str] | None) -> bool:
    """True unless the tags name this property and none of the wanted values."""
    own = {tag.partition("=")[2] for tag in tags if tag.startswith(f"{name}=")}
    return wanted is None or not own or not own.isdisjoint(wanted)


def _cosines(database: Queries, sections: list[Section], query: str, tenant: str) -> Scores:
    """Cosine of each section; 0 for one whose vector is of another embedder."""
    vector = literal(embed([query])[0])
    rows = database.fetch("section_cosines", tenant=tenant, embedder=EMBEDDER, embedding=vector)
    found = {row["section_id"]: _number(row["cosine"]) for row in rows}
    return np.array([found.get(one.section_id, 0.0) for one in sections], dtype=np.float64)


def _number(cosine: float) -> float:
    """pgvector's cosine with a vector of zeros is NaN; such a text is like nothing."""
    return 0.0 if math.isnan(cosine) else cosine
