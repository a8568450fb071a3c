"""The observe part of `conclave operate`: observe/loop.py, with the council's model as judge while there is one."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from observe.judge import Judge
    from rag.bench import Bench
    from store.database import Database
    from store.sections.core import Model
    from store.settings import Settings


def step(database: "Database", settings: "Settings") -> int:
    """A bounded piece of what is due; how much was done."""
    from observe import loop

    return loop.step(database, settings, judge_of(database, settings))


def judge_of(database: "Database", settings: "Settings") -> "Judge | None":
    """The judge, when a trace waits for one and the model is there and within its pace; else None."""
    if not settings.model.enabled or not database.fetch("judging_waits"):
        return None
    from observe.judge import Judge
    from rag import quoting

    bench = _bench(settings.model)
    if bench.absence(1):
        return None
    return Judge(bench.presence().name, lambda messages, schema: _ask(bench, messages, schema), quoting.quote)


def _ask(bench: "Bench", messages: Sequence[dict[str, str]], schema: dict[str, Any]) -> str:
    """One call under the bench's pace; its breaker learns how it ended."""
    from rag.errors import ModelBusy, NoAnswer
    from rag.models import OllamaModel

    if why := bench.absence(1):
        raise ModelBusy(f"({why})")
    bench.pace = bench.pace.called(bench.clock())
    try:
        reply = OllamaModel(bench.settings, bench.presence().name).ask(messages, schema)
    except NoAnswer:
        bench.breaker = bench.breaker.failed(bench.clock())
        raise
    bench.breaker = bench.breaker.succeeded()
    return reply.text


@cache
def _bench(model: "Model") -> "Bench":
    """The process's dealings with this model: the breaker and the pace must outlive a step."""
    from rag.bench import Bench

    return Bench(model)
