"""The observe part of `conclave operate`: observe/loop.py, with the council's model as judge while there is one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.voice import Voice
    from observe.judge import Judge
    from store.database import Database
    from store.settings import Settings


def step(database: "Database", settings: "Settings") -> int:
    """A bounded piece of what is due; how much was done."""
    from observe import loop

    return loop.step(database, settings, judge_of(database, settings))


def judge_of(database: "Database", settings: "Settings") -> "Judge | None":
    """The judge, when a trace waits for one and the model is there and within its pace; else None."""
    if not settings.model.enabled or not database.fetch("judging_waits"):
        return None
    from assistant.voice import voice_of
    from observe.judge import Judge
    from rag import quoting

    voice = voice_of(settings.model)
    if voice.absence():
        return None
    return Judge(voice.name, lambda messages, schema: _ask(voice, messages, schema), quoting.quote)


def _ask(voice: "Voice", messages: Sequence[dict[str, str]], schema: dict[str, Any]) -> str:
    from rag.errors import ModelBusy

    if why := voice.take():
        raise ModelBusy(f"({why})")
    return voice.ask(messages, schema).text
