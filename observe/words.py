"""Text as what can be compared: sentences, content words by their stems, numbers, names. Pure, English."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import Stemmer

FOLDER = Path(__file__).parent


def listed(name: str) -> list[str]:
    """The words of a file beside this one; lines that begin with # are remarks."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


STOP = frozenset(listed("stop"))
NEGATIONS = frozenset(
    ("no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "cannot", "without", "lacks", "unable")
)
SPELLED = {word: float(value) for word, _, value in (pair.partition("=") for pair in listed("numbers"))}
UNSAID = STOP | NEGATIONS | SPELLED.keys() | {"one", "once"}
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d[\w.,:/-]*\w|\d", re.UNICODE)
NUMBER = re.compile(
    r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:\s?(?:%|percent\b))?(?:\s?(?:k|million|billion|thousand|m|bn)\b)?", re.IGNORECASE
)
SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "billion": 1e9, "bn": 1e9}
IDENTIFIER = re.compile(r"\b(?=[\w:./-]*\d)(?=[\w:./-]*[^\W\d])[\w][\w:./-]*\w\b")
CAPITALISED = re.compile(r"\b[A-ZÀ-ÖØ-Þ][\w'’-]+(?:\s+[A-ZÀ-ÖØ-Þ][\w'’-]+)*")
BREAK = re.compile(r"(?<=[.!?。])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-ZÀ-ÖØ-Þ0-9•*-])|\n+|(?<=;)\s+")
ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|approx|Inc|Ltd|Fig|cf)|\b[A-Z])\.$")
COUNTABLE = re.compile(r"[\d.,:/-]+(?:st|nd|rd|th|ms|s|h|d|k|m|bn|x|gb|mb|kb|tb|am|pm|usd|eur|min|hz|kg|km|cm|mm|c|f|v|w|kw|mw)?")
ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """`text[start:end]` of the whole."""

    start: int
    end: int
    text: str


@cache
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


def normal(text: str) -> str:
    """The text in one form of Unicode, with plain quotes; its length may differ from the original's."""
    return unicodedata.normalize("NFKC", text).replace("’", "'")


def sentences(text: str) -> list[Sentence]:
    """Sentences, lines and list items in their order, with their places; blank ones left out.

    >>> [one.text for one in sentences("Dr. Ahn left. It rained; we stayed.")]
    ['Dr. Ahn left.', 'It rained;', 'we stayed.']
    """
    cuts, begin = [], 0
    for match in BREAK.finditer(text):
        if "\n" in match.group() or not ABBREVIATION.search(text[begin : match.start()]):
            cuts.append((begin, match.start()))
            begin = match.end()
    return [one for start, end in [*cuts, (begin, len(text))] if (one := _trimmed(text, start, end)) is not None]


def _trimmed(text: str, start: int, end: int) -> Sentence | None:
    inside = text[start:end]
    kept = inside.strip(" \t\r\n-•*#>")
    if not kept:
        return None
    at = start + inside.index(kept)
    return Sentence(at, at + len(kept), kept)


@lru_cache(maxsize=4096)
def content(text: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, in order; numbers left out.

    >>> content("The accounts were blocked at once.")
    ('account', 'block')
    """
    found = (word.lower() for word in WORD.findall(normal(text)))
    stem = _stemmer().stemWord
    return tuple(stem(word) for word in found if len(word) > 1 and not word[0].isdigit() and word not in UNSAID)


@lru_cache(maxsize=4096)
def numbers(text: str) -> frozenset[float]:
    """Numbers as values: 1,200 and 1.2k are one, 12% is 12, words up to a hundred count.

    >>> sorted(numbers("Twelve of 1,200 (1%), or 1.2k"))
    [1.0, 12.0, 1200.0]
    """
    plain = normal(text)
    found = {value for match in NUMBER.finditer(plain) if (value := _value(match.group())) is not None}
    words = [word.lower() for word in WORD.findall(plain)]
    found |= {SPELLED[word] for word in words if word in SPELLED}
    return frozenset(found | {float(match[1]) for word in words if (match := ORDINAL.match(word))})


def _value(said: str) -> float | None:
    match = re.match(r"([-−]?)([\d,]*\d(?:\.\d+)?)\s?(%|percent)?\s?([a-z]*)", said.strip().lower())
    if match is None:
        return None
    try:
        amount = float(match[2].replace(",", ""))
    except ValueError:
        return None
    return amount * SCALES.get(match[4], 1.0)  # a range's dash and a minus cannot be told apart: the sign is left out


@lru_cache(maxsize=4096)
def names(text: str) -> frozenset[str]:
    """Names in lower case: capitalised words inside a sentence, and identifiers such as `INC-2041` or `account:a-17`."""
    plain = normal(text)
    found = {match.group().lower().rstrip(".:/-") for match in IDENTIFIER.finditer(plain) if not _countable(match.group())}
    for sentence in sentences(plain):
        for match in CAPITALISED.finditer(sentence.text):
            words = match.group().split()
            if match.start() == 0:
                words = words[1:] if words[0].lower() in STOP or len(words) == 1 else words
            found |= {word.lower().removesuffix("'s") for word in words if word.lower() not in STOP}
    return frozenset(name for name in found if len(name) > 1)


def _countable(said: str) -> bool:
    """Whether it is a number with a unit stuck to it, as `250ms` or `3rd`."""
    return COUNTABLE.fullmatch(said.lower()) is not None


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """Every word in lower case and its stem, small words included."""
    lowered = [word.lower() for word in WORD.findall(normal(text))]
    return frozenset(lowered) | frozenset(_stemmer().stemWords(lowered))
