"""What a question asks for: its kind, the entities and cases it names, its times, what is to be counted. Pure, no model.

A reading never becomes SQL: its slots are the parameters of fixed queries (assistant/lookups.py).
"""

import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from assistant.times import Span, spans
from assistant.vocabulary import (
    CERTAIN,
    COUNTED,
    DESPITE_HOW,
    ENTITY_WORDS,
    EVENT_KINDS,
    FOLLOWS,
    HOW,
    KINDS,
    NOT_NAMES,
    OUTCOMES,
    PLURALS,
    POINTS,
    WHATS,
    Kind,
    What,
)

MOST_NAMES = 24
SHORT = 4  # words: such a question leans on the one before it

_WORD = r"[A-Za-z0-9][\w.@*-]*(?:/[\w.-]+)?"
_KIND_WORDS = "|".join(ENTITY_WORDS)
_EXPLICIT = re.compile(rf"\b(account|counterparty|service|series):({_WORD})", re.IGNORECASE)
_CASE = re.compile(r"\bcase-[\w-]+", re.IGNORECASE)
_QUOTED = re.compile(r"[\"'`“‘«]([^\"'`”’»\n]{1,80})[\"'`”’»](?!\w)")
_AFTER = re.compile(rf"\b({_KIND_WORDS})\s+(?:called|named|number|no\.?|id|#)?\s*({_WORD})", re.IGNORECASE)
_BEFORE = re.compile(rf"\b({_WORD})\s+(service|api|account|terminal|merchant|shop)\b", re.IGNORECASE)
_CODE = re.compile(r"\b(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z_])[A-Za-z0-9][\w.-]*\w\b")
_TIME_CODE = re.compile(r"\d+(?:st|nd|rd|th|am|pm|h|hrs?|min|mins|s|d|w|k|m)|\d{4}-\d\d-\d\d", re.IGNORECASE)
_MOST = re.compile(r"\b(?:top|first|worst)\s+(\d{1,2})\b|\b(\d{1,2})\s+(?:most|worst|largest|biggest|busiest)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Name:
    """Something that may be an entity's name. `sure` when the question says so; others only count when they are known."""

    text: str
    kind: str = ""  # account | counterparty | service | series, or unsaid
    sure: bool = True


@dataclass(frozen=True)
class Reading:
    """A question as it was understood."""

    kind: Kind
    names: tuple[Name, ...] = ()
    cases: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    what: What = "flags"
    outcome: str = ""
    of_kind: str = ""  # the kind of entities asked for: `accounts`, `services` …
    most: int = 5

    @property
    def span(self) -> Span | None:
        return self.spans[0] if self.spans else None


def read(question: str, now: datetime, zone: ZoneInfo) -> Reading:
    """Read one question by itself."""
    times = spans(question, now, zone)
    cases = tuple(dict.fromkeys(match[0] for match in _CASE.finditer(question)))
    rest = _without_times(question, times)
    names = _names(_CASE.sub(" ", rest))
    kind = _kind(rest, names, cases)
    if kind in ("count", "top"):
        names = tuple(name for name in names if name.sure or name.text.casefold() not in COUNTED)
    return Reading(kind, names, cases, tuple(times), _what(rest), _outcome(rest), _plural(rest), _most(rest))


def follow(before: Reading | None, now: Reading, question: str) -> Reading:
    """The reading in the light of the one before it: `and yesterday?` asks the same of another day."""
    if before is None:
        return now
    short = len(question.split()) <= SHORT
    continues = FOLLOWS.search(question) is not None
    named = bool(now.cases) or any(name.sure for name in now.names)
    if continues and now.kind == "how" and (now.spans or named):
        now = replace(now, kind=before.kind, what=before.what, outcome=before.outcome, of_kind=before.of_kind)
    points = POINTS.search(question) is not None or continues or (short and now.kind in ("why", "similar"))
    if not named and points and now.kind not in ("how", "waiting", "top"):
        now = replace(now, names=before.names or now.names, cases=before.cases)
    if not now.spans and continues and before.spans:
        now = replace(now, spans=before.spans)
    return now


def _kind(text: str, names: tuple[Name, ...], cases: tuple[str, ...]) -> Kind:
    named = bool(cases) or any(name.sure for name in names)
    if HOW.search(text) and not (named and DESPITE_HOW.search(text)):
        return "how"
    for kind, pattern in KINDS:
        if pattern.search(text):
            of_something = named or POINTS.search(text) or len(text.split()) <= SHORT
            return "how" if kind == "why" and not of_something else kind
    return "happened" if named else "how"


def _names(text: str) -> tuple[Name, ...]:
    found: dict[str, Name] = {}

    def take(word: str, kind: str = "", *, sure: bool = True) -> None:
        word = word.strip(".-/'")
        if word and (word.casefold() not in NOT_NAMES) and not _TIME_CODE.fullmatch(word):
            kept = found.get(word.casefold())
            if kept is None or (kind and not kept.kind):
                found[word.casefold()] = Name(word, kind, sure or (kept is not None and kept.sure))

    for match in _EXPLICIT.finditer(text):
        take(match[2], match[1].casefold())
    text = _EXPLICIT.sub(" ", text)
    for match in _AFTER.finditer(text):
        word = match[1].casefold()
        take(match[2], ENTITY_WORDS[word], sure=word in CERTAIN and _name_like(match[2], word))
    for match in _BEFORE.finditer(text):
        take(match[1], ENTITY_WORDS[match[2].casefold()], sure=_name_like(match[1], match[2].casefold()))
    for match in _QUOTED.finditer(text):
        take(match[1].strip())
    for match in _CODE.finditer(text):
        take(match[0])
    for word in re.findall(_WORD, text):
        take(word, sure=False)
    return tuple(sorted(found.values(), key=lambda name: not name.sure)[:MOST_NAMES])


def _name_like(word: str, kind_word: str) -> bool:
    """`service checkout` names one; `account holders` does not."""
    if kind_word in ("service", "api"):
        return len(word) > 3
    return any(letter.isdigit() or letter.isupper() or letter == "_" for letter in word)


def _without_times(text: str, times: list[Span]) -> str:
    for one in times:
        text = re.sub(r"\s+".join(re.escape(word) for word in one.words.split()), " ", text, count=1, flags=re.IGNORECASE)
    return text


def _what(text: str) -> What:
    return next((what for what, pattern in WHATS if pattern.search(text)), "flags")


def _outcome(text: str) -> str:
    return next((OUTCOMES[word] for word in OUTCOMES if re.search(rf"\b{word}\b", text, re.IGNORECASE)), "")


def _plural(text: str) -> str:
    found = re.search(rf"\b({'|'.join(PLURALS)})\b", text, re.IGNORECASE)
    if found:
        return PLURALS[found[1].casefold()]
    singular = re.search(rf"\b(?:which|what)\s+({'|'.join(ENTITY_WORDS)})\b", text, re.IGNORECASE)
    if singular:
        return ENTITY_WORDS[singular[1].casefold()]
    return next((kind for kind, pattern in EVENT_KINDS if pattern.search(text)), "")


def _most(text: str) -> int:
    found = _MOST.search(text)
    return min(20, max(1, int(found[1] or found[2]))) if found else 5


def as_json(reading: Reading) -> dict[str, Any]:
    """The reading as it is kept with a conversation."""
    kept = asdict(reading)
    kept["spans"] = [{"since": s.since.isoformat(), "until": s.until.isoformat(), "words": s.words} for s in reading.spans]
    return kept


def from_json(kept: dict[str, Any]) -> Reading:
    """The reading as it was kept."""
    times = tuple(Span(datetime.fromisoformat(s["since"]), datetime.fromisoformat(s["until"]), s["words"]) for s in kept["spans"])
    names = tuple(Name(**name) for name in kept["names"])
    return Reading(**{**kept, "names": names, "cases": tuple(kept["cases"]), "spans": times})
