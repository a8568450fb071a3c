"""What in the contexts speaks against a claim: a denial, a reversal, a number or name said of something else. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from observe.words import NEGATIONS, WORD, content, listed, names, normal, numbers, stems

OPPOSITES = tuple(tuple(pair.split("/")) for pair in listed("opposites"))
CLAUSE = re.compile(
    r",|;|\b(?:because|which|while|whereas|although|since|and|but|so|when|if|until|after|before)\b", re.IGNORECASE
)
PRONOUN = re.compile(r"^(?:it|they|he|she|this|that|these|those|its|their|both|such)\b", re.IGNORECASE)
SUBJECT = re.compile(
    r"^(?:the |a |an )?([A-Z][\w'-]+) (?:is|are|was|were|has|have|had|will|would|can|could|may|must|does|did)\b", re.IGNORECASE
)
LEAST_NEAR = 0.5  # of a clause's words that stand where its number or name stands


@dataclass(frozen=True)
class Said:
    """One sentence of a context, with the one before it when it begins with a pronoun."""

    text: str
    words: frozenset[str]
    stems: frozenset[str]
    denied: frozenset[str]
    numbers: frozenset[float]
    names: frozenset[str]


def said(sentences: Sequence[str]) -> list[Said]:
    """Every sentence of a context as it may be held against a claim."""
    found = []
    for number, sentence in enumerate(sentences):
        whole = f"{sentences[number - 1]} {sentence}" if number and PRONOUN.match(sentence) else sentence
        found.append(
            Said(sentence, frozenset(content(whole)), stems(whole), denied(sentence), numbers(sentence), lowered(sentence))
        )
    return found


def lowered(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w[\w:./'-]*\w", normal(text).lower())) | names(text)


def denied(sentence: str) -> frozenset[str]:
    """The first content word after each negation: what it denies.

    >>> sorted(denied("It is not idempotent and cannot be retried."))
    ['idempot', 'retri']
    """
    words = [word.lower() for word in WORD.findall(normal(sentence))]
    found = set()
    for place, word in enumerate(words):
        if (word in NEGATIONS or word.endswith("n't")) and words[place + 1 : place + 2] != ["only"]:
            found |= set(next((content(after) for after in words[place + 1 : place + 6] if content(after)), ()))
    return frozenset(found)


def denial(claim: str, nearest: Iterable[Said]) -> str:
    """Whether the claim denies what the nearest sentences say, or the other way round; in words, or empty."""
    ours, our_words = denied(claim), frozenset(content(claim))
    sentences = list(nearest)
    theirs = frozenset(word for one in sentences for word in one.denied)
    plainly = frozenset(word for one in sentences for word in one.words - one.denied)
    for word in sorted((ours & plainly) - theirs):
        return f"it denies what the contexts say ({word}…)"
    for word in sorted((theirs & (our_words - ours)) - plainly):
        return f"the contexts deny it ({word}…)"
    return ""


def reversal(claim: str, nearest: Said) -> str:
    """Whether the claim says the opposite word where the nearest sentence says the other; in words, or empty."""
    ours = stems(claim)
    for pair in OPPOSITES:
        for left, right in (pair, pair[::-1]):
            if left in ours and left not in nearest.stems and right in nearest.stems and right not in ours:
                return f"it says {left}…, the contexts say {right}…"
    return ""


def displaced(claim: str, sentences: Sequence[Said], asked: frozenset[str]) -> str:
    """A number or name that the contexts say of something else; in words, or empty.

    Each clause's numbers and names must stand in a sentence that has half of the clause's words, and its subject when the subject
    is in the contexts at all.
    """
    everything = frozenset(word for one in sentences for word in one.words)
    for clause in CLAUSE.split(claim):
        words = [word for word in content(clause) if word not in asked or word in everything]
        for value in sorted(numbers(clause)):
            holding = [one for one in sentences if any(rounds(value, other) for other in one.numbers)]
            if holding and not any(_together(words, one, everything) for one in holding):
                return f"the contexts have {value:g}, but say it of something else"
        for name in sorted(names(clause)):
            holding = [one for one in sentences if name in one.names]
            if holding and not any(_together(words, one, everything) for one in holding):
                return f"the contexts name {name}, but say something else of it"
    return ""


def _together(words: Sequence[str], one: Said, everything: frozenset[str]) -> bool:
    if not words:
        return True
    if words[0] in everything and words[0] not in one.words:
        return False
    return sum(holds(word, one.words) for word in words) >= LEAST_NEAR * len(words)


def unknown_subject(claim: str, known: frozenset[str]) -> str:
    """The subject of a plain sentence (`Melbourne is …`) when no context has the word; else empty."""
    match = SUBJECT.match(normal(claim))
    if match is None:
        return ""
    word = content(match[1])
    return match[1] if word and not holds(word[0], known) else ""


def rounds(stated: float, held: float) -> bool:
    """Whether one is the other, rounded to the places that were stated."""
    text = f"{stated:.10f}".rstrip("0").rstrip(".")
    return stated == held or round(held, len(text.partition(".")[2])) == stated


def holds(word: str, words: frozenset[str]) -> bool:
    """The stem itself, or one that shares a long beginning with it (`verify`, `verification`)."""
    if word in words:
        return True
    return len(word) >= 5 and any(_alike(word, other) for other in words if len(other) >= 5)


def _alike(one: str, other: str) -> bool:
    longer = max(len(one), len(other))
    return one[: max(5, longer * 3 // 4)] == other[: max(5, longer * 3 // 4)]
