"""Answering a question from the runbook and past cases: search, then a model held to its citations, else the best sentences."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any, Protocol

from pydantic import ValidationError

from rag import quoting, tracing
from rag.answer import Answer, Citation, Draft, Source, coverage, extract, held, near_enough
from rag.errors import NoAnswer, PromptIncomplete
from rag.models import Reply
from rag.search import Hit, runbook_index, search, similar_cases
from rag.sections import searchable
from store.database import Queries
from store.settings import Settings

SECTIONS, CASES = 3, 2  # at most offered
QUESTION_CAP, BODY_CAP = 500, 2_400  # characters
LEAST_SHARE = 0.5  # of the best section's score, to be offered beside it
MOST_SENTENCES = 5
PROMPT = Path(__file__).parent / "prompts" / "ask.md"
SAYS_NOTHING = "The runbook does not say."


class Speaker(Protocol):
    """A language model, as rag/models.py has it."""

    name: str

    def ask(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None = None) -> Reply: ...


def ask(
    database: Queries, question: str, model: Speaker | None = None, *, why: str = "", tenant: str = "main",
    settings: Settings | None = None,
) -> Answer:  # fmt: skip
    """Answer from what the runbook and past cases say, with citations; never from anything else.

    Without a model, or when nothing of its answer holds, the answer is made of the sources' own sentences and says so;
    `why` is the reason for having no model. Every search and model call is written to tool_audit, and with `settings` the whole
    is kept as a trace.
    """
    question = quoting.plain(question, QUESTION_CAP)
    began, started = datetime.now(UTC), time.perf_counter()
    heard = None if model is None else tracing.Overheard(model)
    answer, sources = _answered(database, question, heard, why, tenant)
    if settings is not None:
        took_ms, calls = (time.perf_counter() - started) * 1000, () if heard is None else tuple(heard.calls)
        spoken_by = heard.name if heard is not None and answer.spoken_by == "model" else "extractive"
        bodies = tuple(source.body for source in sources)
        one = tracing.Answered("ask", question, answer.text, bodies, spoken_by, began, took_ms, calls)
        tracing.answered(database, settings, tenant, one)
    return answer


def _answered(
    database: Queries, question: str, model: Speaker | None, why: str, tenant: str
) -> tuple[Answer, Sequence[Source]]:  # fmt: skip
    started = time.perf_counter()
    hits = search(database, question, k=SECTIONS + CASES, tenant=tenant)
    sources = sources_for(database, question, hits, tenant)
    _audit_search(database, question, sources, (time.perf_counter() - started) * 1000, tenant)
    if not sources:
        return _nothing(hits), sources
    weight = runbook_index(database, tenant).words.weight
    if model is None:
        return _unspoken(extract(question, sources, weight), f"No model spoke ({why or 'none was asked'})"), sources
    answer, why = _spoken(database, question, sources, model, tenant)
    return answer or _unspoken(extract(question, sources, weight), f"The model's answer was not used ({why})"), sources


def prompt(question: str, sources: Sequence[Source]) -> list[dict[str, str]]:
    """The messages for a model: question and sources quoted and capped."""
    offered = "\n".join(
        f"{source.mark} {quoting.plain(' > '.join(source.heading_path), 200)}: {quoting.quote(source.body, BODY_CAP)}"
        for source in sources
    )
    try:
        text = Template(PROMPT.read_text(encoding="utf-8")).substitute(
            most=MOST_SENTENCES, sources=offered, question=quoting.quote(question, QUESTION_CAP)
        )
    except (KeyError, ValueError) as error:
        raise PromptIncomplete(f"(ask.md: {error})") from error
    return [{"role": "user", "content": text}]


def sources_for(database: Queries, question: str, hits: Sequence[Hit], tenant: str) -> list[Source]:
    """The sections and past cases that are near enough to the question, marked s1, s2 …"""
    weight = runbook_index(database, tenant).words.weight
    found = [
        (hit.section_id, hit.heading_path, hit.body)
        for hit in hits
        if hit.score >= LEAST_SHARE * hits[0].score
        and near_enough(coverage(question, searchable(hit.heading_path, hit.body), weight), hit.cosine)
    ][:SECTIONS]
    found += [
        (memory.case_id, ("past case", memory.outcome), memory.summary)
        for memory in similar_cases(database, question, k=CASES, tenant=tenant)
        if near_enough(coverage(question, memory.summary, weight), memory.cosine)
    ]
    return [Source(f"s{number}", *source) for number, source in enumerate(found, start=1)]


def _nothing(hits: Sequence[Hit]) -> Answer:
    nearest = tuple(Citation(hit.section_id, hit.heading_path) for hit in hits[:SECTIONS])
    if not nearest:
        return Answer(SAYS_NOTHING, (), "extractive", "Nothing was found; `conclave runbook list` shows what there is.")
    return Answer(SAYS_NOTHING, (), "extractive", "No section is near enough to the question.", nearest)


def _unspoken(answer: Answer, why: str) -> Answer:
    return Answer(answer.text, answer.citations, "extractive", f"{why}; these are the sources' own sentences.")


def _spoken(
    database: Queries, question: str, sources: Sequence[Source], model: Speaker, tenant: str
) -> tuple[Answer | None, str]:
    """The model's answer as far as it holds, or None and why."""
    messages = prompt(question, sources)
    call: dict[str, Any] = {"kind": "model", "called": model.name, "prompt_hash": _hash(messages)}
    started = time.perf_counter()
    try:
        reply = model.ask(messages, schema=Draft.model_json_schema())
    except NoAnswer as error:
        _audit(
            database, tenant, **call, latency_ms=(time.perf_counter() - started) * 1000, outcome=error.outcome, detail=str(error)
        )
        return None, str(error)
    call |= {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "latency_ms": reply.latency_ms}
    call["response"] = quoting.plain(reply.text, 4_000)
    try:
        draft = Draft.model_validate_json(reply.text)
    except ValidationError as error:
        _audit(database, tenant, **call, outcome="no_opinion", detail=f"not the agreed form: {error.error_count()} faults")
        return None, "its answer was not in the agreed form"
    answer, dropped = held(draft, sources, question)
    faults = "; ".join(dropped)
    _audit(database, tenant, **call, outcome="ok" if answer else "no_opinion", detail=faults)
    if answer is None:
        return None, f"nothing of its answer held: {faults}" if dropped else "it found no answer in the sources"
    note = f"{len(dropped)} of {len(draft.sentences)} sentences were dropped: {faults}" if dropped else ""
    return Answer(answer.text, answer.citations, "model", note), ""


def _audit_search(database: Queries, question: str, sources: Sequence[Source], latency_ms: float, tenant: str) -> None:
    found = ", ".join(source.source_id for source in sources)
    _audit(
        database,
        tenant,
        kind="tool",
        called="runbook.search",
        latency_ms=latency_ms,
        outcome="ok",
        detail=question,
        response=found,
    )


def _audit(database: Queries, tenant: str, **row: Any) -> None:
    unknown = {"role": "ask", "prompt_hash": "", "tokens_in": None, "tokens_out": None, "detail": "", "response": None}
    database.run("audit_question", tenant=tenant, **(unknown | row))


def _hash(messages: Sequence[Mapping[str, str]]) -> str:
    return hashlib.sha256("\0".join(message["content"] for message in messages).encode()).hexdigest()
