"""What should not be in a question, a context or an answer: insults and threats, personal data, orders to the model. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from observe.words import normal
from trust import pii

TOXIC = Path(__file__).parent / "toxic.txt"

# Each way of giving orders to a model, with how sure a sign of it this is. Patterns in English; what is said politely or in
# another language is not found.
ORDERS = (
    (0.95, "asks to ignore instructions",
     r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:previous|prior|above|earlier|all|your|any|the)\b.{0,20}"
     r"\b(?:instructions?|rules?|prompts?|guidelines?|directions?|context|restrictions?)\b"),
    (0.9, "asks for the system prompt",
     r"\b(?:reveal|show|print|repeat|output|tell me|what (?:is|are)|leak)\b.{0,30}"
     r"\b(?:system|initial|hidden|original) (?:prompt|instructions?|message)\b"),
    (0.9, "gives the model another role",
     r"\b(?:you are now|from now on,? you(?:'re| are)?|pretend (?:to be|you are)|act as (?:if you|an? unrestricted|DAN)"
     r"|do anything now|developer mode|jailbreak)\b"),
    (0.8, "poses as a message of the system",
     r"(?:^|[\n>])\s*(?:system|assistant|developer)\s*:|<\|?(?:im_start|im_end|system|endoftext)\|?>|\[/?INST\]"),
    (0.8, "asks to send data away",
     r"\b(?:send|post|upload|exfiltrate|forward|e-?mail)\b.{0,60}\b(?:to|at)\b.{0,20}(?:https?://|[\w.]+@[\w.]+)"
     r"|!\[[^\]]{0,60}\]\(https?://[^)]{0,200}(?:\?|=)"),
    (0.7, "dictates the answer",
     r"\b(?:always|only|must|simply|just)\b.{0,20}\b(?:answer|reply|respond|say|output|vote)\b.{0,20}"
     r"(?:[\"'«“:]|\bwith\b|\byes\b|\bconfirm|\bdismiss)"),
    (0.7, "forbids to tell the user",
     r"\b(?:do not|don't|never)\b.{0,20}\b(?:tell|inform|mention|reveal)\b.{0,30}\b(?:user|human|customer|operator|anyone)\b"),
)  # fmt: skip
PATTERNS = tuple((weight, why, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for weight, why, pattern in ORDERS)


def injection(texts: Sequence[str]) -> tuple[float, str]:
    """How much these texts read as orders to the model, 0..1, and what the strongest sign is."""
    found = [(weight, why) for text in texts for weight, why, pattern in PATTERNS if pattern.search(normal(text))]
    return max(found, default=(0.0, ""))


def toxicity(text: str, file: Path | None = None) -> tuple[float, str]:
    """The weight of the worst listed word, 0..1, and that word."""
    said = normal(text).lower()
    found = [(weight, match.group()) for weight, pattern in _toxic(file or TOXIC) if (match := pattern.search(said))]
    return max(found, default=(0.0, ""))


@lru_cache(maxsize=8)
def _toxic(file: Path) -> tuple[tuple[float, re.Pattern[str]], ...]:
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return tuple((float(weight), _pattern(phrase)) for weight, phrase in pairs)


def _pattern(phrase: str) -> re.Pattern[str]:
    """One listed phrase; a trailing star stands for any ending.

    >>> bool(_pattern("idiot*").search("such idiots")), bool(_pattern("scum").search("scumble"))
    (True, False)
    """
    words = r"\s+".join(re.escape(word) for word in phrase.lower().removesuffix("*").split())
    return re.compile(rf"\b{words}" + (r"\w*" if phrase.endswith("*") else r"\b"))


def personal(texts: Sequence[str]) -> dict[str, int]:
    """Kinds of personal data and secrets in these texts, and how often each."""
    return dict(sorted(Counter(found.kind for text in texts for found in pii.find(text)).items()))
