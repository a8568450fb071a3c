"""A model's choice of how a question is looked up: a kind and typed slots, validated; never a query."""

import time
from datetime import UTC, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from assistant import prompting, record
from assistant.lookups import Asking
from assistant.reading import Name, Reading
from assistant.times import Span
from assistant.vocabulary import Kind, What
from assistant.voice import Voice
from rag import quoting
from rag.errors import NoAnswer

LONGEST = timedelta(days=400)


class Choice(BaseModel):
    """The slots a model may fill; anything else is refused."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    entities: list[str] = Field(default_factory=list, max_length=4)
    of_kind: str = Field("", pattern=r"^(account|counterparty|service|series)?$")
    what: What = "flags"
    outcome: str = Field("", pattern=r"^(confirmed|dismissed|unresolved)?$")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    most: int = Field(5, ge=1, le=20)


def choose(asking: Asking, question: str, reading: Reading, voice: Voice) -> tuple[Reading | None, str]:
    """The reading a model proposes for a question that neither rules nor runbook could serve; else None and why."""
    if why := voice.take():
        return None, f"No model spoke ({why})."
    text = prompting.fill("route", now=asking.now.isoformat(timespec="minutes"), question=quoting.quote(question, 500))
    messages = [{"role": "user", "content": text}]
    call = {"called": voice.name, "prompt_hash": prompting.hash_of(messages)}
    started = time.monotonic()
    try:
        reply = voice.ask(messages, Choice.model_json_schema())
        choice = Choice.model_validate_json(reply.text)
    except NoAnswer as error:
        record.model(asking, "route", **call, latency_ms=_ms(started), outcome=error.outcome, detail=str(error))
        return None, f"No model chose a look-up ({error})."
    except ValidationError as error:
        record.model(
            asking, "route", **call, latency_ms=_ms(started), outcome="no_opinion", detail=f"{error.error_count()} faults"
        )
        return None, "The model's choice of a look-up was not in the agreed form."
    record.model(asking, "route", **call, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, latency_ms=reply.latency_ms,
                 outcome="ok", detail=question, response=reply.text)  # fmt: skip
    return chosen(choice, question, reading), ""


def chosen(choice: Choice, question: str, reading: Reading) -> Reading:
    """A choice as a reading; only names that stand in the question count, so that a model cannot bring one along."""
    said = question.casefold()
    names = tuple(Name(quoting.name(name)) for name in choice.entities if name.strip() and name.casefold() in said)
    spans = reading.spans or _span(choice)
    return Reading(choice.kind, names, reading.cases, spans, choice.what, choice.outcome, choice.of_kind, choice.most)


def _span(choice: Choice) -> tuple[Span, ...]:
    if choice.since is None:
        return ()
    until = choice.until or choice.since + timedelta(days=1)
    if not timedelta() < until - choice.since <= LONGEST:
        return ()
    return (Span(choice.since.astimezone(UTC), until.astimezone(UTC), "in the time meant"),)


def _ms(started: float) -> float:
    return (time.monotonic() - started) * 1000
