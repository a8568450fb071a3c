"""Does the answer speak to the question, and were the contexts worth having? By words; unknown where words cannot say. Pure."""

import re
from collections.abc import Sequence

from observe.against import holds
from observe.claims import Claim, claims
from observe.words import content, normal, numbers, sentences

EVASIVE = re.compile(
    r"\b(?:i (?:don't|do not|cannot|can't) (?:know|answer|help|say)|i(?:'m| am) (?:not sure|unable|sorry)|unknown to me|as an ai"
    r"|no (?:answer|information)|(?:does not|do not|doesn't|don't) (?:say|contain|mention|answer)|cannot be answered)\b",
    re.IGNORECASE,
)
ASKING = frozenset(
    (
        "tell",
        "explain",
        "describ",
        "show",
        "give",
        "list",
        "know",
        "mean",
        "happen",
        "question",
        "pleas",
        "help",
        "find",
        "say",
        "name",
    )
)
BRIDGED = 0.9  # what a word of the question counts that stands where the answer's claim was found, not in the answer
LEAST_WORDS = 4  # an answer shorter than this is only judged through its contexts
RELEVANT = 0.34  # share of the question's words that makes a context relevant


def answer_relevancy(query: str, response: str, contexts: Sequence[str], found: Sequence[Claim]) -> tuple[float | None, str]:
    """Share of the question's words that the answer, or the context it stands on, takes up; None and why when unknown."""
    asked = [word for word in dict.fromkeys(content(query)) if word not in ASKING] or list(dict.fromkeys(content(query)))
    if not asked:
        return None, "the question has no words to compare"
    if not response.strip():
        return 0.0, "there is no answer"
    if EVASIVE.search(normal(response)) and len(sentences(response)) <= 2:
        return 0.0, "it evades the question"
    said = frozenset(content(response))
    stood_on = {claim.context for claim in found if claim.supported and claim.context is not None}
    bridge = frozenset(word for number in stood_on for word in content(contexts[number]))
    if len(said) < LEAST_WORDS and not bridge and not any(holds(word, said) for word in asked):
        return None, "the answer is too short to compare, and no context links it to the question"
    held = sum(1.0 if holds(word, said) else BRIDGED * holds(word, bridge) for word in asked)
    return round(held / len(asked), 3), ""


def context_precision(
    query: str, response: str, reference: str | None, contexts: Sequence[str]
) -> tuple[float | None, str, list[bool]]:
    """Mean precision at the ranks of the relevant contexts (average precision); which are relevant; None without contexts.

    A context is relevant when it has a third of the question's words, or carries a sentence of the reference (of the answer,
    where there is no reference).
    """
    if not contexts:
        return None, "there are no contexts", []
    relevant = [_relevant(query, reference or response, context) for context in contexts]
    hits = [sum(relevant[: rank + 1]) / (rank + 1) for rank, yes in enumerate(relevant) if yes]
    return (round(sum(hits) / len(hits), 3) if hits else 0.0), "", relevant


def _relevant(query: str, answer: str, context: str) -> bool:
    asked = [word for word in dict.fromkeys(content(query)) if word not in ASKING]
    words = frozenset(content(context))
    if asked and sum(holds(word, words) for word in asked) >= RELEVANT * len(asked):
        return True
    return any(
        claim.supported and (len(content(claim.text)) > 1 or numbers(claim.text)) for claim in claims(answer, [context], query)
    )


def context_recall(reference: str | None, contexts: Sequence[str]) -> tuple[float | None, str]:
    """Share of the reference's sentences that the contexts support; None without a reference."""
    if reference is None or not reference.strip():
        return None, "there is no reference answer to compare with"
    found = claims(reference, contexts)
    if not found:
        return None, "the reference claims nothing"
    return round(sum(claim.supported for claim in found) / len(found), 3), ""
