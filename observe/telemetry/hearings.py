"""What hearings and answers count: rulings, calls of a model, tokens, the breaker."""

from collections.abc import Iterable
from typing import Protocol

from observe.telemetry import catalogue

BREAKER = ("closed", "half-open", "open")


class Call(Protocol):
    """A call of a model or a tool, as rag.audit keeps it."""

    @property
    def kind(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def tokens_in(self) -> int | None: ...
    @property
    def tokens_out(self) -> int | None: ...


def heard(rulings: Iterable[tuple[str, str]], asked: Iterable[Call], lane: str, latency_ms: float) -> None:
    """A batch of cases of a lane was heard; `rulings` are (outcome, council)."""
    for outcome, council in rulings:
        catalogue.RULINGS.labels(outcome, council).inc()
    catalogue.HEARING_SECONDS.labels(lane).observe(latency_ms / 1000)
    calls(asked, "council")


def calls(asked: Iterable[Call], by: str) -> None:
    """Calls of a model that were made; of unknown tokens nothing is counted."""
    for call in asked:
        if call.kind != "model" or call.outcome == "skipped":
            continue
        catalogue.CALLS.labels(by, call.outcome).inc()
        catalogue.CALL_SECONDS.labels(by).observe(call.latency_ms / 1000)
        for direction, tokens in (("in", call.tokens_in), ("out", call.tokens_out)):
            if tokens is not None:
                catalogue.TOKENS.labels(by, direction).inc(tokens)


def answered(source: str, by_model: bool, asked: Iterable[Call], latency_ms: float) -> None:
    """A question was answered: by `ask`, `infer` or `chat`."""
    catalogue.ANSWERS.labels(source, "model" if by_model else "sources").inc()
    catalogue.ANSWER_SECONDS.labels(source).observe(latency_ms / 1000)
    calls(asked, source)


def breaker(state: str) -> None:
    for one in BREAKER:
        catalogue.BREAKER.labels(one).set(1 if one == state else 0)
