"""Search over runbook sections and remembered cases, each hit with its scores and why it was found."""

from dataclasses import dataclass
from datetime import datetime

from rag.answer import Weight
from rag.ranking import words
from rag.search import Hit, Memory, runbook_index, search, similar_cases
from rag.sections import searchable
from store.database import Queries

MOST_WORDS = 8
CLOSE = 0.45  # cosine from which a text is called close in meaning


@dataclass(frozen=True)
class Found:
    """A hit. `score` is the fused one (0..1 among what was looked at) of `bm25` and `cosine`; `why` says it in words."""

    kind: str  # section | case
    id: str
    title: str
    excerpt: str
    score: float
    bm25: float
    cosine: float
    why: str
    words: tuple[str, ...]  # of the query, as written, that it contains
    outcome: str | None = None
    happened_at: datetime | None = None
    tags: tuple[str, ...] = ()


def find(database: Queries, tenant: str, query: str, *, limit: int, sections: bool = True, cases: bool = True) -> list[Found]:
    """The sections and cases that answer the query best; sections first in each other's order, then cases in theirs."""
    weight = runbook_index(database, tenant).words.weight
    found = [_section(hit, query, weight) for hit in search(database, query, k=limit, tenant=tenant)] if sections else []
    if cases and any(letter.isalnum() for letter in query):
        found += [_case(one, query, weight) for one in similar_cases(database, query, k=limit, tenant=tenant)]
    return [one for one in found if one.words or one.cosine > 0]


def _section(hit: Hit, query: str, weight: Weight) -> Found:
    text = searchable(hit.heading_path, hit.body)
    shared, why = explained(query, text, hit.cosine, weight)
    title = " > ".join(hit.heading_path)
    return Found("section", hit.section_id, title, _excerpt(hit.body, shared), hit.score, hit.bm25, hit.cosine, why, shared,
                 tags=hit.tags)  # fmt: skip


def _case(one: Memory, query: str, weight: Weight) -> Found:
    shared, why = explained(query, one.summary, one.cosine, weight)
    return Found("case", one.case_id, one.case_id, _excerpt(one.summary, shared), one.score, one.bm25, one.cosine, why, shared,
                 one.outcome, one.happened_at)  # fmt: skip


def explained(query: str, text: str, cosine: float, weight: Weight | None = None) -> tuple[tuple[str, ...], str]:
    """The query's words that a text contains, the rarest first when weighed, and in a sentence why it was found.

    >>> explained('disk is full', 'The disks fill: a full disk', 0.61)
    (('disk', 'full'), 'It contains: disk, full; close in meaning (cosine 0.61).')
    """
    held = set(words(text))
    asked = {word: stems for word in dict.fromkeys(query.split()) if (stems := words(word))}
    shared = [word.strip(".,;:!?\"'()") for word, stems in asked.items() if held & set(stems)]
    if weight is not None:
        shared.sort(key=lambda word: -max((weight(stem) for stem in words(word)), default=0.0))
    meaning = "close in meaning" if cosine >= CLOSE else "related in meaning" if cosine > 0 else "not compared by meaning"
    kept = tuple(shared[:MOST_WORDS])
    said = f"It contains: {', '.join(kept)}; " if kept else "None of the words, but "
    return kept, f"{said}{meaning} (cosine {cosine:.2f})."


def _excerpt(text: str, shared: tuple[str, ...]) -> str:
    """The paragraph with the most of the shared words, at most 300 characters."""
    stems = {stem for word in shared for stem in words(word)}
    blocks = [" ".join(block.split()) for block in text.split("\n\n") if block.strip()] or [""]
    best = max(blocks, key=lambda block: len(stems & set(words(block))))
    return best if len(best) <= 300 else best[:299] + "…"
