"""A prompt with retrieved context through the model, under its limits, audit and cache; without a model the evidence speaks."""

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from assistant import prompting, record
from assistant.errors import EmptyQuestion
from assistant.lookups import Asking
from assistant.support import Said, judged, parted, sound
from assistant.voice import Voice
from rag import quoting
from rag.answer import Source, extract
from rag.ask import CASES, QUESTION_CAP, SECTIONS, sources_for
from rag.errors import NoAnswer
from rag.ranking import WordIndex
from rag.runbook import section
from rag.search import runbook_index, search
from rag.sections import searchable, sentences
from store.database import fetch, run

PROMPT_CAP, SOURCE_CAP, TEXT_CAP = 8_000, 2_400, 8_000  # characters
MOST_SOURCES = 12
_MARK_AFTER = re.compile(r"([.!?])\s*((?:\[[a-z]\d[^\]]{0,40}\]\s*)+)")  # `It fell. [s1]`: the mark belongs to what it follows


@dataclass(frozen=True)
class Prompt:
    """What is to be inferred: `texts` are the caller's own context, `sections` and `cases` are named ones, `search` adds more."""

    prompt: str
    texts: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    search: bool = True
    cached: bool = True


@dataclass(frozen=True)
class Inference:
    """The answer. `sentences` say what each rests on; an unsupported one is marked. Unknown numbers are None, never 0."""

    text: str
    sentences: list[dict[str, Any]]
    citations: list[dict[str, Any]]
    spoken_by: str  # model | extractive | nothing
    model: str
    why: str
    prompt_hash: str
    cached: bool = False
    uses: int = 0  # how often the cached answer has served
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency_ms: float = 0.0


def infer(asking: Asking, wanted: Prompt, voice: Voice | None, why: str = "") -> Inference:
    """Answer the prompt; `why` is the reason for having no voice. Raises EmptyQuestion."""
    prompt = wanted.prompt.replace("\0", " ").strip()[:PROMPT_CAP]
    if not any(letter.isalnum() for letter in prompt):
        raise EmptyQuestion()
    started = time.monotonic()
    context = context_of(asking, replace(wanted, prompt=prompt))
    answer = _inferred(asking, prompt, wanted, context, voice, why)
    spoken_by, bodies = answer.model or answer.spoken_by, [one.body for one in context]
    record.answered(asking, "infer", prompt, answer.text, bodies, spoken_by, (time.monotonic() - started) * 1000)
    return answer


def _inferred(
    asking: Asking, prompt: str, wanted: Prompt, context: Sequence[Source], voice: Voice | None, why: str
) -> Inference:  # fmt: skip
    messages = messages_of(prompt, context)
    if voice is None:
        return extracted(asking, prompt, context, messages, why or "none was asked")
    key = key_of(messages, voice)
    if wanted.cached and (kept := _kept(asking, key)) is not None:
        return kept
    if why := voice.take():
        return extracted(asking, prompt, context, messages, why)
    return _asked(asking, prompt, context, messages, voice, key)


def context_of(asking: Asking, wanted: Prompt) -> list[Source]:
    """The caller's texts, the named sections and cases, then what a search finds; marked s1, s2 …"""
    found: list[tuple[str, tuple[str, ...], str]] = [
        (f"text:{number}", ("given text", str(number)), text[:TEXT_CAP])
        for number, text in enumerate(wanted.texts, 1)
        if text.strip()
    ]
    named = [section(asking.database, name, tenant=asking.tenant) for name in wanted.sections]
    found += [(one.section_id, one.heading_path, one.body) for one in named if one is not None]
    found += _cases(asking, wanted.cases)
    found += [(one.source_id, one.heading_path, one.body) for one in (_searched(asking, wanted.prompt) if wanted.search else ())]
    unique = list({source_id: (source_id, path, body) for source_id, path, body in found}.values())[:MOST_SOURCES]
    return [Source(f"s{number}", *one) for number, one in enumerate(unique, 1)]


def _cases(asking: Asking, case_ids: Sequence[str]) -> list[tuple[str, tuple[str, ...], str]]:
    if not case_ids:
        return []
    slots = {"hashes": None, "kind": None, "outcome": None, "since": None, "until": None, "most": MOST_SOURCES}
    rows = asking.fetch("assistant_episodes", **slots, case_ids=list(case_ids))
    silent = "The council has not heard it."
    return [(row["case_id"], ("case", row["outcome"] or "not heard"), row["root_cause"] or silent) for row in rows]


def _searched(asking: Asking, prompt: str) -> list[Source]:
    question, started = quoting.plain(prompt, QUESTION_CAP), time.perf_counter()
    hits = search(asking.database, question, k=SECTIONS + CASES, tenant=asking.tenant)
    found = sources_for(asking.database, question, hits, asking.tenant)
    names = ", ".join(one.source_id for one in found)
    record.tool(asking, "infer", "runbook.search", (time.perf_counter() - started) * 1000, question, names)
    return found


def messages_of(prompt: str, context: Sequence[Source]) -> prompting.Messages:
    """The context quoted and capped; the prompt is the caller's own."""
    shown = "\n".join(
        f"{one.mark} {quoting.plain(' > '.join(one.heading_path), 200)}: {quoting.quote(one.body, SOURCE_CAP)}" for one in context
    )
    return [{"role": "system", "content": prompting.fill("infer", sources=shown or "none")}, {"role": "user", "content": prompt}]


def key_of(messages: prompting.Messages, voice: Voice) -> str:
    """Of prompt, context, model and all that changes its answer."""
    settings = voice.settings
    parts = (prompting.hash_of(messages), voice.name, settings.temperature, settings.max_tokens, settings.context_tokens)
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def extracted(asking: Asking, prompt: str, context: Sequence[Source], messages: prompting.Messages, why: str) -> Inference:
    """The evidence's own best sentences, said to be so."""
    weight = runbook_index(asking.database, asking.tenant).words.weight
    if any(one.source_id.startswith("text:") for one in context):
        weight = WordIndex([searchable(one.heading_path, one.body) for one in context]).weight
    told = extract(quoting.plain(prompt, QUESTION_CAP), context, weight)
    offered = {one.source_id: one for one in context}
    if not told.citations:
        said = "The context does not say."
        return Inference(said, [], [], "nothing", "", f"No model spoke ({why}), and no source is near enough to the prompt.",
                         prompting.hash_of(messages))  # fmt: skip
    citations = [_citation(number, offered[one.source_id]) for number, one in enumerate(told.citations, 1)]
    spoken = [{"text": line.rpartition(" [")[0].removeprefix("- "), "cites": [int(line.rpartition("[")[2].rstrip("]"))],
               "supported": True, "why": ""} for line in told.text.split("\n") if line.startswith("- ")]  # fmt: skip
    why = f"No model spoke ({why}); these are the sources' own sentences."
    return Inference(told.text, spoken, citations, "extractive", "", why, prompting.hash_of(messages))


def _asked(
    asking: Asking, prompt: str, context: Sequence[Source], messages: prompting.Messages, voice: Voice, key: str
) -> Inference:
    call: dict[str, Any] = {"called": voice.name, "prompt_hash": prompting.hash_of(messages)}
    started = time.monotonic()
    try:
        reply = voice.ask(messages)
    except NoAnswer as error:
        record.model(
            asking, "infer", **call, latency_ms=(time.monotonic() - started) * 1000, outcome=error.outcome, detail=str(error)
        )
        return extracted(asking, prompt, context, messages, str(error))
    call |= {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "latency_ms": reply.latency_ms}
    record.model(asking, "infer", **call, outcome="ok", response=reply.text)
    answer = read_reply(reply.text, context, prompt)
    made = replace(
        answer, model=voice.name, prompt_hash=call["prompt_hash"], tokens_in=reply.tokens_in, tokens_out=reply.tokens_out,
        latency_ms=reply.latency_ms,
    )  # fmt: skip
    with asking.database.connection() as connection:
        row = {"key": key, "model": voice.name, "answer": asdict(made), "now": asking.now}
        run(connection, "put_cached_answer", tenant=asking.tenant, **row)
    return made


def read_reply(text: str, context: Sequence[Source], prompt: str) -> Inference:
    """A model's answer with each sentence held to what it cites."""
    offered = {one.mark: sound(searchable(one.heading_path, one.body)) for one in context}
    by_mark = {one.mark: one for one in context}
    numbers: dict[str, int] = {}
    spoken: list[dict[str, Any]] = []
    for said in _sentences(text, offered, prompt):
        cites = [numbers.setdefault(mark, len(numbers) + 1) for mark in said.cites]
        spoken.append({"text": said.text, "cites": cites, "supported": said.supported, "why": said.why})
    citations = [_citation(number, by_mark[mark]) for mark, number in numbers.items()]
    whole = "\n".join(" ".join([one["text"], *(f"[{number}]" for number in one["cites"])]) for one in spoken)
    return Inference(whole, spoken, citations, "model", "", "", "")


def _sentences(text: str, offered: dict[str, str], prompt: str) -> list[Said]:
    found = []
    for line in text.split("\n"):
        for sentence in sentences(_MARK_AFTER.sub(r" \2\1 ", line)):
            bare, marks = parted(sentence)
            if bare:
                found.append(judged(bare, marks, offered, prompt))
    return found


def _kept(asking: Asking, key: str) -> Inference | None:
    with asking.database.connection() as connection:
        rows = fetch(connection, "cached_answer", tenant=asking.tenant, key=key, now=asking.now)
    if not rows:
        return None
    record.model(asking, "infer", called=rows[0]["model"], prompt_hash=rows[0]["answer"]["prompt_hash"], latency_ms=0.0,
                 outcome="ok", detail="from the cache")  # fmt: skip
    return Inference(**rows[0]["answer"] | {"cached": True, "uses": rows[0]["uses"], "latency_ms": 0.0})


def _citation(number: int, one: Source) -> dict[str, Any]:
    kinds = {"past case": "memory", "case": "case", "given text": "text"}
    excerpt = " ".join(one.body.split())[:300]
    return {"n": number, "kind": kinds.get(one.heading_path[0], "section"), "id": one.source_id,
            "title": quoting.plain(" > ".join(one.heading_path), 200), "excerpt": excerpt}  # fmt: skip
