"""The pipelines part of `conclave operate`: pipelines/loop.py, with the council's model for its questions while there is one."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.slow import Voice
    from rag.bench import Bench
    from store.database import Database
    from store.sections.core import Model
    from store.settings import Settings


def step(database: "Database", settings: "Settings") -> int:
    """A bounded piece of what is due; how much was done."""
    from pipelines import loop

    return loop.step(database, settings, voice_of(database, settings))


def voice_of(database: "Database", settings: "Settings") -> "Voice | None":
    """The model, when an event waits for one and the model is there and within its pace; else None."""
    if not settings.model.enabled or not database.fetch("model_work_waits"):
        return None
    from pipelines.slow import Voice
    from rag import quoting

    bench = _bench(settings.model)
    if bench.absence(1):
        return None

    def ask(tenant: str, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], timeout_s: float) -> str:
        return _ask(database, bench, tenant, messages, schema, timeout_s)

    return Voice(bench.presence().name, ask, quoting.quote)


def _ask(
    database: "Database", bench: "Bench", tenant: str, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any],
    timeout_s: float,
) -> str:  # fmt: skip
    """One call under the bench's pace, written to tool_audit; the breaker learns how it ended."""
    from pipelines.errors import NoModel
    from rag import quoting
    from rag.errors import NoAnswer
    from rag.models import OllamaModel

    if bench.absence(1):
        raise NoModel
    bench.pace = bench.pace.called(bench.clock())
    settings = bench.settings.model_copy(update={"timeout_s": min(timeout_s, bench.settings.timeout_s)})
    model = OllamaModel(settings, bench.presence().name)
    row: dict[str, Any] = {
        "tenant": tenant,
        "kind": "model",
        "called": model.name,
        "role": "rule",
        "prompt_hash": hashed(messages),
    }
    try:
        reply = model.ask(messages, schema)
    except NoAnswer as error:
        bench.breaker = bench.breaker.failed(bench.clock())
        row |= {"tokens_in": None, "tokens_out": None, "response": error.said}
        database.run("audit_question", **row, latency_ms=error.latency_ms, outcome=error.outcome, detail=str(error))
        raise
    bench.breaker = bench.breaker.succeeded()
    row |= {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "response": quoting.plain(reply.text, 4_000)}
    database.run("audit_question", **row, latency_ms=reply.latency_ms, outcome="ok", detail="")
    return reply.text


def hashed(messages: Sequence[Mapping[str, str]]) -> str:
    return hashlib.sha256("\0".join(message["content"] for message in messages).encode()).hexdigest()


@cache
def _bench(settings: "Model") -> "Bench":
    """The process's dealings with this model: the breaker and the pace must outlive a step."""
    from rag.bench import Bench

    return Bench(settings)
