"""What a subscription may set off beside channels: a processor of pipelines/, a call of the language model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notify.errors import Again, Refused
from notify.senders import Outgoing
from notify.wording import stamp, template
from rag.quoting import name, quote
from store.database import Database, fetch
from store.settings import Settings

if TYPE_CHECKING:
    from pipelines.hits import Hit

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
    return Targets(processing(database, settings), asker(settings) if settings.model.enabled else None)


def processing(database: Database, settings: Settings) -> Processor:
    """Give messages to the worker pool of a live processor of kind model or http; what its workers find is a rule hit.

    A message given before is not given again, so an attempt may be repeated.
    """

    def process(tenant: str, processor: str, messages: Sequence[Mapping[str, Any]], key: str) -> str:
        from pipelines import hits, specs

        with database.connection() as connection:
            live = [
                row for row in fetch(connection, "live_processors") if (row["tenant"], row["processor"]) == (tenant, processor)
            ]
            if not live:
                raise Refused(f"(no live processor {processor})")
            spec, version = specs.read(live[0]["spec"]), int(live[0]["live_version"])
            if spec.kind not in hits.SLOW:
                raise Refused(f"(processor {processor} is of kind {spec.kind}; only {' and '.join(hits.SLOW)} work on messages)")
            if hits.room_in(connection, tenant, spec.pool, settings.pipelines) < len(messages):
                raise Again(f"(pool {spec.pool} is full)")
            put = sum(hits.offer(connection, hit_of(tenant, processor, version, spec.kind, one), spec.pool) for one in messages)
            fetch(connection, "notify_rule_work")
        return f"{put:,} of {len(messages):,} given to pool {spec.pool}"

    return process


def hit_of(tenant: str, processor: str, version: int, kind: str, message: Mapping[str, Any]) -> "Hit":
    """A message as work for a processor: the event that it carries, else the message in an event's form."""
    from pipelines.hits import Hit, hit_id

    payload, event_id = message["payload"], f"message-{message['message_id']}"
    own = {
        "event_id": event_id, "event_time": stamp(message["created_at"]), "kind": message["kind"], "message": message["title"],
        "attributes": {"subject": message["subject"], "entity": message["entity"]},
    }  # fmt: skip
    event = payload["event"] if isinstance(payload.get("event"), dict) else own
    case_id = payload.get("case_id") or (message["subject"] if message["subject"].startswith("case-") else None)
    return Hit(
        tenant, hit_id(tenant, "", processor, version, event_id), processor, version, "", kind, "messages", message["message_id"],
        event_id, message["created_at"], message["entity"], case_id, None, message["severity"], event,
    )  # fmt: skip


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
