"""What a subscription may set off beside channels: a processor of pipelines/, a call of the language model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notify.errors import Again, Refused
from notify.senders import Outgoing
from notify.wording import template
from rag.quoting import name, quote
from store.database import Database
from store.settings import Settings

Processor = Callable[[str, str, Sequence[Mapping[str, Any]], str], str]
Speaker = Callable[[str, Outgoing], str]
LINES = 10


@dataclass(frozen=True)
class Targets:
    """`processor(tenant, name, messages, key)` and `model(prompt, delivery)`; each says in words what came of it."""

    processor: Processor | None = None
    model: Speaker | None = None


def built_in(database: Database, settings: Settings) -> Targets:
    """Those of this installation."""
    return Targets(None, asker(settings) if settings.model.enabled else None)


def asker(settings: Settings) -> Speaker:
    """Ask the model of the settings about a bundle; a model that is away is tried again."""

    def ask(prompt: str, out: Outgoing) -> str:
        from rag.errors import ModelAway, ModelBusy, ModelSlow, NoAnswer
        from rag.models import OllamaModel

        try:
            return OllamaModel(settings.model).ask([{"role": "user", "content": question(prompt, out.content)}]).text
        except (ModelAway, ModelBusy, ModelSlow) as error:
            raise Again(str(error)) from error
        except NoAnswer as error:
            raise Refused(str(error)) from error

    return ask


def question(prompt: str, content: Mapping[str, Any]) -> str:
    """The prompt with the bundle's lines as quoted data."""
    lines = [
        f"- {name(line['words'])}, {line['level']}, {quote(line['title'])}"
        + (f" because {quote(line['detail'])}" if line["detail"] else "")
        for line in content["lines"][:LINES]
    ]
    return template("model.md").substitute(prompt=prompt, count=f"{content['total']:,}", lines="\n".join(lines))
