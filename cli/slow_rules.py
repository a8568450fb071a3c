"""The pipelines part of `conclave operate`: pipelines/loop.py, with the council's model for its questions while there is one."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant import voice as assistant
    from pipelines.slow import Voice
    from store.database import Database
    from store.settings import Settings


def step(database: "Database", settings: "Settings") -> int:
    """A bounded piece of what is due; how much was done."""
    from pipelines import loop

    return loop.step(database, settings, voice_of(database, settings))


def voice_of(database: "Database", settings: "Settings") -> "Voice | None":
    """The model, when an event waits for one and the model is there and within its pace; else None."""
    if not settings.model.enabled or not database.fetch("model_work_waits"):
        return None
    from assistant import voice as assistant
    from pipelines.slow import Voice
    from rag import quoting

    spoken = assistant.voice_of(settings.model)
    if spoken.absence():
        return None

    def ask(tenant: str, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], timeout_s: float) -> str:
        return _ask(database, spoken, tenant, messages, schema, timeout_s)

    return Voice(spoken.name, ask, quoting.quote)


def _ask(
    database: "Database", spoken: "assistant.Voice", tenant: str, messages: Sequence[Mapping[str, str]],
    schema: Mapping[str, Any], timeout_s: float,
) -> str:  # fmt: skip
    """One call under the bench's pace, written to tool_audit; the breaker learns how it ended."""
    from pipelines.errors import NoModel
    from rag import quoting
    from rag.errors import NoAnswer

    if spoken.take():
        raise NoModel
    row: dict[str, Any] = {
        "tenant": tenant,
        "kind": "model",
        "called": spoken.name,
        "role": "rule",
        "prompt_hash": hashed(messages),
    }
    try:
        reply = spoken.ask(messages, schema, timeout_s)
    except NoAnswer as error:
        row |= {"tokens_in": None, "tokens_out": None, "response": error.said}
        database.run("audit_question", **row, latency_ms=error.latency_ms, outcome=error.outcome, detail=str(error))
        raise
    row |= {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "response": quoting.plain(reply.text, 4_000)}
    database.run("audit_question", **row, latency_ms=reply.latency_ms, outcome="ok", detail="")
    return reply.text


def hashed(messages: Sequence[Mapping[str, str]]) -> str:
    return hashlib.sha256("\0".join(message["content"] for message in messages).encode()).hexdigest()
