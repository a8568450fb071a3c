"""Whether a sentence is supported by what it cites: its marks, its numbers, its words. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rag import quoting
from rag.answer import LEAST_OVERLAP
from rag.ranking import words
from rag.sections import sentences

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_MARKS = re.compile(r"\s*[\[(]((?:[a-z]\d+)(?:\s*[,;]\s*[a-z]\d+)*)[\])]")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@dataclass(frozen=True)
class Said:
    """A sentence of an answer; `why` says what is wrong with an unsupported one."""

    text: str
    cites: tuple[str, ...]
    supported: bool = True
    why: str = ""


def parted(line: str) -> tuple[str, tuple[str, ...]]:
    """A line of a model's answer as its sentence and the marks it cites.

    >>> parted('- It fell at noon [f1][f2].')
    ('It fell at noon.', ('f1', 'f2'))
    """
    marks = tuple(dict.fromkeys(mark for found in _MARKS.findall(line) for mark in re.split(r"\s*[,;]\s*", found)))
    bare = _BULLET.sub("", _MARKS.sub("", line))
    return " ".join(bare.split()).replace(" .", "."), marks


def judged(text: str, cites: tuple[str, ...], offered: Mapping[str, str], question: str) -> Said:
    """The sentence with the verdict on it; `offered` has what each mark says."""
    why = _fault(text, cites, offered, question)
    return Said(text, tuple(mark for mark in cites if mark in offered), not why, why)


def by_reference(text: str, cites: tuple[str, ...], offered: Mapping[str, str], question: str) -> Said:
    """A sentence of ours, whose numbers were put in from its exhibits: marks and numbers are held all the same."""
    why = _marks_fault(cites, offered) or _numbers_fault(_BULLET.sub("", text), cites, offered, question)
    return Said(text, cites, not why, why)


def sound(text: str) -> str:
    """What a source says without the sentences that give orders to a model: nothing may rest on those."""
    kept = [one for line in text.split("\n") for one in sentences(line) if not quoting.orders(one)]
    return "\n".join(kept)


def numbers(text: str) -> set[str]:
    """The numbers in a text, without commas between thousands.

    >>> sorted(numbers('1,204 of 3.50 at 02:14'))
    ['02:14', '1204', '3.50']
    """
    return {re.sub(r",(?=\d{3}(?!\d))", "", found) for found in _NUMBER.findall(text)}


def _fault(text: str, cites: tuple[str, ...], offered: Mapping[str, str], question: str) -> str:
    fault = _marks_fault(cites, offered) or _numbers_fault(text, cites, offered, question)
    if fault:
        return fault
    spoken, source = set(words(text)), set(words(_sources(cites, offered)))
    if spoken and spoken <= set(words(question)):
        return "it only repeats the question"
    if not spoken or len(spoken & source) / len(spoken) < LEAST_OVERLAP:
        return "what it cites does not say that"
    return ""


def _marks_fault(cites: tuple[str, ...], offered: Mapping[str, str]) -> str:
    if not cites:
        return "it cites nothing"
    unknown = [mark for mark in cites if mark not in offered]
    return f"it cites {unknown[0]}, which was not offered" if unknown else ""


def _numbers_fault(text: str, cites: tuple[str, ...], offered: Mapping[str, str], question: str) -> str:
    invented = numbers(text) - numbers(_sources(cites, offered)) - numbers(question)
    return f"what it cites does not contain {min(invented)}" if invented else ""


def _sources(cites: tuple[str, ...], offered: Mapping[str, str]) -> str:
    return " ".join(offered[mark] for mark in cites)
