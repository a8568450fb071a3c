"""Every score of one trace, each 0..1, or unknown with why. Pure: the same trace gives the same scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from observe import danger
from observe.claims import Claim, claims
from observe.relevancy import answer_relevancy, context_precision, context_recall

SCORER = "words/1"  # a change of what a score means is another scorer
METRICS = ("faithfulness", "relevancy", "context_precision", "context_recall", "toxicity", "pii", "injection")
GOOD_HIGH = frozenset(METRICS[:4])  # of these low is bad, of the others high
FLAGGED = 0.5  # from here toxicity and injection are flagged


@dataclass(frozen=True)
class Text:
    """What is scored, in the clear."""

    query: str
    response: str
    contexts: tuple[str, ...] = ()
    reference: str | None = None
    pii: Mapping[str, int] = field(default_factory=dict)  # as it was found before anything was masked


@dataclass(frozen=True)
class Score:
    """`value` None is unknown, and `why` says why; else `why` may say what weighed most."""

    metric: str
    value: float | None
    why: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def score(text: Text, toxic_words: Path | None = None) -> list[Score]:
    """All scores, in the order of METRICS."""
    found = claims(text.response, text.contexts, text.query)
    relevancy, why = answer_relevancy(text.query, text.response, text.contexts, found)
    precision, precision_why, relevant = context_precision(text.query, text.response, text.reference, text.contexts)
    recall, recall_why = context_recall(text.reference, text.contexts)
    toxic, word = danger.toxicity(text.response, toxic_words)
    orders, sign = danger.injection([text.query, *text.contexts])
    return [
        faithfulness(text, found),
        Score("relevancy", relevancy, why),
        Score("context_precision", precision, precision_why, {"relevant": relevant}),
        Score("context_recall", recall, recall_why),
        Score("toxicity", toxic, f"`{word}` is on the list" if word else ""),
        Score("pii", float(bool(text.pii)), ", ".join(text.pii), {"kinds": dict(text.pii)}),
        Score("injection", orders, sign),
    ]


def faithfulness(text: Text, found: Sequence[Claim]) -> Score:
    """Share of the answer's claims that the contexts support."""
    if not text.response.strip():
        return Score("faithfulness", None, "there is no answer")
    if not text.contexts:
        return Score("faithfulness", None, "there are no contexts to hold the answer against")
    if not found:
        return Score("faithfulness", None, "the answer claims nothing")
    value = sum(claim.supported for claim in found) / len(found)
    worst = min(found, key=lambda claim: claim.support)
    return Score(
        "faithfulness", round(value, 3), worst.why if not worst.supported else "", {"claims": [one.as_json() for one in found]}
    )


@dataclass(frozen=True)
class Flags:
    """What the scores amount to; None is unknown."""

    hallucination: bool | None
    injection: bool | None
    toxic: bool | None

    @property
    def any(self) -> bool:
        return any(flag is True for flag in (self.hallucination, self.injection, self.toxic))


def flags(scores: Sequence[Score], bar: float = 0.5) -> Flags:
    """`bar`: below this faithfulness an answer is a hallucination."""
    value = {one.metric: one.value for one in scores}
    faithful, injected, toxic = value.get("faithfulness"), value.get("injection"), value.get("toxicity")
    return Flags(
        None if faithful is None else faithful < bar,
        None if injected is None else injected >= FLAGGED,
        None if toxic is None else toxic >= FLAGGED,
    )


def low(scores: Sequence[Score], bar: float) -> bool:
    """Whether the answer is bad enough to be kept for it: unfaithful, contexts that miss the reference, or beside the question.

    Relevancy by words is noisy, so only half the bar counts there.
    """
    value = {one.metric: one.value for one in scores}
    bars = {"faithfulness": bar, "context_recall": bar, "relevancy": bar / 2}
    return any((found := value.get(metric)) is not None and found < least for metric, least in bars.items())
