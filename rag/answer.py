"""What may be said in answer to a question: which sources are near enough, their best lines, what of a model's draft holds.

Pure: no database, no model.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.ranking import words
from rag.sections import units

Weight = Callable[[str], float]

LEAST_COSINE = 0.13  # both bars are set on questions of our own, half of them about other matters (tests/rag/test_ask.py)
LEAST_NEARNESS = 0.4
LEAST_OVERLAP = 0.5  # of a sentence's words that its sources contain
MOST_LINES = 4  # taken from the best source; half as many from the others

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ACTIONS = frozenset({"actions", "mitigation", "remediation", "resolution", "next steps", "fix"})
_INTENTS = (
    (r"\b(when|should|must|may)\b.{0,30}\bnot\b|\b(don't|never|avoid|false (alarm|positive)s?|innocent|harmless|honest)\b",
     frozenset({"when not to act"})),
    (r"\b(why|causes?|reasons?|comes? from)\b", frozenset({"likely causes"})),
    (r"\b(recogni[sz]e|signs?|symptoms?|indicators?|looks? like|detect|notice|spot)\b", frozenset({"symptoms"})),
    (r"\b(check|verify|diagnos\w+|investigat\w+|find out|confirm|prove)\b", frozenset({"checks"})),
    (r"\b(what (now|to do|(should|can|do|must) (i|we))|how (do|to|can|should)|fix|handle|mitigat\w+|stop|repair)\b", _ACTIONS),
)  # fmt: skip
_ASKED_FOR, _USUALLY_MEANT = 0.6, 0.25  # what a line gains by its part, in shares of the question's weight


@dataclass(frozen=True)
class Source:
    """Something that may be cited; `mark` (`s1`) is its name in a prompt."""

    mark: str
    source_id: str
    heading_path: tuple[str, ...]
    body: str


@dataclass(frozen=True)
class Citation:
    """A cited runbook section (`heading_path`) or past case (`("past case", outcome)`)."""

    source_id: str
    heading_path: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """`text` marks its sources as [1], [2] …: positions in `citations`. Without citations nothing was found.

    `spoken_by` is `model`, or `extractive` when the lines are the sources' own; `why` says why, and what was dropped.
    """

    text: str
    citations: tuple[Citation, ...]
    spoken_by: Literal["model", "extractive"]
    why: str
    nearest: tuple[Citation, ...] = ()

    @property
    def found(self) -> bool:
        return bool(self.citations)


class Sentence(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(min_length=1, max_length=600)
    cites: list[str] = Field(min_length=1, max_length=6)


class Draft(BaseModel):
    """A model's answer in the agreed form; an empty list says that the sources do not answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sentences: list[Sentence] = Field(max_length=12)


def coverage(question: str, text: str, weight: Weight) -> float:
    """Share of the question's words, by weight, that the text contains: 0..1."""
    asked, known = set(words(question)), set(words(text))
    total = sum(weight(word) for word in asked)
    return sum(weight(word) for word in asked & known) / total if total > 0 else 0.0


def near_enough(covered: float, cosine: float) -> bool:
    """Whether a source with this coverage and cosine can be taken to speak about the question."""
    return cosine >= LEAST_COSINE and covered / 2 + cosine >= LEAST_NEARNESS


def extract(question: str, sources: Sequence[Source], weight: Weight) -> Answer:
    """The sources' own best sentences, the best source first, each with its citation."""
    lines: list[str] = []
    cited: list[Citation] = []
    for source in sources:
        picked = _leading(question, source, weight) if not cited else _further(question, source, weight)
        if picked:
            cited.append(Citation(source.source_id, source.heading_path))
            lines.append(f"{source.heading_path[-1]}:")
            lines += [f"- {line} [{len(cited)}]" for line in picked]
    return Answer("\n".join(lines), tuple(cited), "extractive", "")


def parts_asked(question: str) -> tuple[frozenset[str], float]:
    """The parts of a section that a question asks for, and how strongly; what to do, weakly, unless it says otherwise."""
    for pattern, parts in _INTENTS:
        if re.search(pattern, question, re.IGNORECASE):
            return parts, _ASKED_FOR
    return _ACTIONS, _USUALLY_MEANT


def _leading(question: str, source: Source, weight: Weight) -> list[str]:
    """Of the best source: what it is about, and its best lines in its own order."""
    found = units(source.body)
    parts, share = parts_asked(question)
    values = [value + share * (part in parts) for value, (part, _) in zip(_values(question, found, weight), found, strict=True)]
    kept = set(_highest(values, MOST_LINES)) | ({0} if found and found[0][0] == "" else set())
    return [found[i][1] for i in sorted(kept)]


def _further(question: str, source: Source, weight: Weight) -> list[str]:
    """Of another source: only lines that share words with the question."""
    found = units(source.body)
    return [found[i][1] for i in sorted(_highest(_values(question, found, weight), MOST_LINES // 2))]


def _values(question: str, found: Sequence[tuple[str, str]], weight: Weight) -> list[float]:
    return [coverage(question, line, weight) for _, line in found]


def _highest(values: Sequence[float], most: int) -> list[int]:
    return sorted((i for i in range(len(values)) if values[i] > 0), key=lambda i: (-values[i], i))[:most]


def held(draft: Draft, sources: Sequence[Source], question: str) -> tuple[Answer | None, list[str]]:
    """What of a draft holds against its sources, and why the rest was dropped; None when nothing holds."""
    offered = {source.mark: source for source in sources}
    cited: dict[str, int] = {}
    said, dropped = [], []
    for sentence in draft.sentences:
        fault = _fault(sentence, offered, question)
        if fault is None:
            marks = [cited.setdefault(mark, len(cited) + 1) for mark in dict.fromkeys(sentence.cites)]
            said.append(f"{_bare(sentence.text)} " + "".join(f"[{number}]" for number in marks))
        else:
            dropped.append(fault)
    citations = tuple(Citation(offered[mark].source_id, offered[mark].heading_path) for mark in cited)
    return (Answer(" ".join(said), citations, "model", "") if said else None), dropped


def _fault(sentence: Sentence, offered: dict[str, Source], question: str) -> str | None:
    """Why a sentence does not hold: a citation not offered, a number not in its sources, too few of its words, an echo."""
    unknown = [mark for mark in sentence.cites if mark not in offered]
    if unknown:
        return f"it cites {unknown[0]!r}, which was not offered"
    text = " ".join(" > ".join(offered[mark].heading_path) + "\n" + offered[mark].body for mark in sentence.cites)
    bare = _bare(sentence.text)
    invented = set(_NUMBER.findall(bare)) - set(_NUMBER.findall(text)) - set(_NUMBER.findall(question))
    if invented:
        return f"its sources do not contain {min(invented)}"
    said = set(words(bare))
    if said <= set(words(question)):
        return "it only repeats the question"
    if len(said & set(words(text))) / len(said) < LEAST_OVERLAP:
        return "its sources do not say that"
    return None


def _bare(text: str) -> str:
    """A sentence without the marks that some models repeat inside it."""
    return " ".join(re.sub(r"\s*[\[(](?:s\d+(?:,\s*)?)+[\])]", "", text).split())
