"""An answer as it comes: how the question was read, then sentence by sentence with what each rests on, then who spoke.

Events are (name, data) in this order: `reading`, then any of `citation` and `sentence` (a citation before the first sentence that
uses it), then `done`.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from assistant import prompting, record, route, sources
from assistant.exhibits import Exhibit, evidence, excerpt, moment, period, rendered
from assistant.findings import Findings, find
from assistant.lookups import Asking
from assistant.reading import Reading, as_json
from assistant.support import Said, by_reference, judged, parted, sound
from assistant.voice import Voice
from rag import quoting
from rag.errors import NoAnswer
from rag.models import Reply

MOST_SENTENCES = 6
EXHIBIT_CAP = 2_000  # characters of one in a prompt
NOTHING = "NOTHING"
Event = tuple[str, dict[str, Any]]


@dataclass
class Answer:
    """What was answered; filled while it is given, so that a reader who leaves in the middle leaves half of it."""

    reading: Reading
    sentences: list[dict[str, Any]] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    spoken_by: str = "templates"  # model | templates | extractive | nothing
    model: str = ""
    why: str = ""
    finished: bool = False

    @property
    def text(self) -> str:
        return "\n".join(_with_numbers(one) for one in self.sentences)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reading": as_json(self.reading), "text": self.text}


def _with_numbers(sentence: dict[str, Any]) -> str:
    return str(sentence["text"]) + "".join(f" [{number}]" for number in sentence["cites"])


def answer(
    asking: Asking,
    reading: Reading,
    question: str,
    voice: Voice | None,
    given: Answer,
    history: Sequence[str] = (),
    why: str = "",
) -> Iterator[Event]:
    """Answer step by step, writing into `given`; `why` is the reason for having no voice."""
    started = time.monotonic()
    found, reading, quiet = _found(asking, reading, question, voice)
    given.reading = reading
    yield "reading", understood(reading, asking)
    teller = _Teller(asking, found, question, given)
    why = why or quiet
    if voice is not None and found.exhibits and not why:
        why = yield from _spoken(teller, voice, history)
    if not given.sentences:
        given.spoken_by = "nothing" if not found.lines else sources.spoken_by(found)
        for line in found.lines:
            text, cites = rendered(line, teller.exhibits, asking.zone)
            silent = given.spoken_by == "nothing"
            said = Said(text, ()) if silent else by_reference(text, cites, teller.offered, teller.known)
            yield from teller.tell(said)
    given.why, given.finished = why, True
    shown = [] if given.spoken_by == "templates" else list(teller.offered.values())  # ours are rendered from what was looked up
    spoken_by, took_ms = given.model or given.spoken_by, (time.monotonic() - started) * 1000
    record.answered(asking, "chat", question, given.text, shown, spoken_by, took_ms)
    yield "done", {"spoken_by": given.spoken_by, "model": given.model, "why": given.why, "sentences": len(given.sentences),
                   "unsupported": sum(not one["supported"] for one in given.sentences)}  # fmt: skip


def understood(reading: Reading, asking: Asking) -> dict[str, Any]:
    """How the question was read, to be shown beside the answer."""
    return {
        "kind": reading.kind,
        "names": [name.text for name in reading.names if name.sure],
        "cases": list(reading.cases),
        "spans": [{"words": one.words, "since": one.since.isoformat(), "until": one.until.isoformat(),
                   "period": period(one.since, one.until, asking.zone)} for one in reading.spans],
    }  # fmt: skip


def _found(asking: Asking, reading: Reading, question: str, voice: Voice | None) -> tuple[Findings, Reading, str]:
    """What there is to say: looked up, else from the runbook, else as a model would look it up; and why no model did."""
    found = find(asking, reading, question)
    if not found.lines:
        found = sources.runbook(asking, question)
    if not found.exhibits and voice is not None:
        chosen, why = route.choose(asking, question, reading, voice)
        if chosen is not None and (looked := find(asking, chosen, question)).lines:
            return looked, chosen, ""
        return found, reading, why
    return found, reading, ""


class _Teller:
    """Numbers the citations in the order of their use."""

    def __init__(self, asking: Asking, found: Findings, question: str, given: Answer) -> None:
        self.asking, self.question, self.given = asking, question, given
        self.exhibits = {one.mark: one for one in found.exhibits}
        self.offered = {mark: evidence(one, asking.zone) for mark, one in self.exhibits.items()}
        self.sound = {mark: sound(text) for mark, text in self.offered.items()}
        self.known = " ".join([question, *found.times, moment(asking.now, asking.zone)])
        self._numbers: dict[str, int] = {}

    def tell(self, said: Said) -> Iterator[Event]:
        for mark in said.cites:
            if mark not in self._numbers:
                self._numbers[mark] = len(self._numbers) + 1
                citation = self.citation(self._numbers[mark], self.exhibits[mark])
                self.given.citations.append(citation)
                yield "citation", citation
        cites = [self._numbers[mark] for mark in said.cites]
        sentence = {"text": said.text, "cites": cites, "supported": said.supported, "why": said.why}
        self.given.sentences.append(sentence)
        yield "sentence", {"n": len(self.given.sentences), **sentence}

    def citation(self, number: int, one: Exhibit) -> dict[str, Any]:
        return {"n": number, "kind": one.kind, "id": one.source_id, "title": one.title, "excerpt": excerpt(one, self.asking.zone)}


def _spoken(teller: _Teller, voice: Voice, history: Sequence[str]) -> Generator[Event, None, str]:
    """The model's sentences as far as they come; returns why they were not used, or an empty text.

    Nothing is told before the first supported sentence: an answer without any is given up for our own words.
    """
    if why := voice.take():
        return f"No model spoke ({why})."
    messages = prompt(teller, history)
    call: dict[str, Any] = {"called": voice.name, "prompt_hash": prompting.hash_of(messages)}
    asking, started = teller.asking, time.monotonic()
    held: list[Said] = []
    told, text = False, ""
    try:
        for line in _lines(voice.stream(messages), call):
            text += line + "\n"
            said = judged(*parted(line), teller.sound, teller.known)
            if not said.text or said.text.strip(".") == NOTHING:
                continue
            held.append(said)
            told = told or said.supported
            if told:
                for one in held:
                    yield from teller.tell(one)
                held = []
            if len(teller.given.sentences) >= 2 * MOST_SENTENCES:
                break
    except NoAnswer as error:
        record.model(
            asking, "chat", **call, latency_ms=(time.monotonic() - started) * 1000, outcome=error.outcome, detail=str(error)
        )
        why = f"The model's answer broke off ({error})." if told else f"The model's answer was not used ({error})."
    except GeneratorExit:  # the reader left
        late = (time.monotonic() - started) * 1000
        record.model(asking, "chat", **call, latency_ms=late, outcome="ok", detail="the reader left", response=text)
        raise
    else:
        call = {"latency_ms": (time.monotonic() - started) * 1000} | call
        record.model(asking, "chat", **call, outcome="ok" if told else "no_opinion", detail=teller.question, response=text)
        why = "" if told else "The model's answer was not used (nothing of it was supported by what it cited)."
    if told:
        teller.given.spoken_by, teller.given.model = "model", voice.name
    return why


def _lines(pieces: Iterator[str | Reply], call: dict[str, Any]) -> Iterator[str]:
    """Whole lines of a streamed answer; what the Reply says of tokens goes into `call`. A line cut off by a fault is not one."""
    rest = ""
    for piece in pieces:
        if isinstance(piece, Reply):
            call |= {"tokens_in": piece.tokens_in, "tokens_out": piece.tokens_out, "latency_ms": piece.latency_ms}
            continue
        *whole, rest = (rest + piece).split("\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def prompt(teller: _Teller, history: Sequence[str]) -> prompting.Messages:
    """The messages: exhibits and earlier turns quoted and capped."""
    shown = "\n".join(f"{mark} {quoting.quote(said, EXHIBIT_CAP)}" for mark, said in teller.offered.items())
    turns = "\n".join(quoting.quote(turn, 400) for turn in history) or "none"
    asking = teller.asking
    system = prompting.fill("chat", most=MOST_SENTENCES, now=moment(asking.now, asking.zone), history=turns, exhibits=shown)
    return [{"role": "system", "content": system}, {"role": "user", "content": quoting.quote(teller.question, 2_000)}]


def nothing(reading: Reading) -> Answer:
    """An answer that has not been given yet."""
    return Answer(replace(reading))
