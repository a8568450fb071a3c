"""What can go wrong before the council; each docstring is the message that a person reads."""

from typing import Any

from store.errors import ConclaveError


class NoAnswer(ConclaveError):
    """The model gave no answer that can be used."""

    outcome = "error"
    latency_ms = 0.0
    said: str | None = None  # what came of the answer, if anything
    calls: tuple[Any, ...] = ()  # what was called in vain, for tool_audit


class ModelAway(NoAnswer):
    """The model cannot be reached; start it, or set model.enabled to false to rule without one."""


class ModelSlow(NoAnswer):
    """The model did not finish within model.timeout_s; raise it or choose a smaller model."""

    outcome = "timeout"


class ModelBusy(NoAnswer):
    """The model refused the call; lower model.calls_per_minute or the number of workers."""

    outcome = "refused"


class Truncated(NoAnswer):
    """The model's answer did not end properly; raise model.max_tokens or model.context_tokens."""

    outcome = "no_opinion"


class PromptIncomplete(ConclaveError):
    """A prompt names something that was not given; mend the file in rag/prompts."""


class NotAnOpinion(ConclaveError):
    """The answer is not an opinion in the agreed form."""


class UnknownCase(ConclaveError):
    """There is no such case; `conclave council --dead` lists the dead letters."""


class CaseBeingHeard(ConclaveError):
    """The case is before the council now; try again when its hearing has ended."""


class UnreadableRunbook(ConclaveError):
    """The runbook file cannot be read; give a Markdown file in UTF-8."""


class EmptyRunbook(ConclaveError):
    """The runbook file has no section with text under a heading; nothing was changed."""
