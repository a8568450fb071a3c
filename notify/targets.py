"""What a subscription may set off beside channels: a processor of pipelines/, a call of the language model."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

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


BUILT_IN: WeakKeyDictionary[Database, Targets] = WeakKeyDictionary()


def built_in(database: Database, settings: Settings) -> Targets:
    """Those of this installation; one of each for a database, since the model's pace is counted over all steps."""
    if database not in BUILT_IN:
        model = asker(database, settings) if settings.model.enabled else None
        BUILT_IN[database] = Targets(processing(database, settings), model)
    return BUILT_IN[database]


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


def asker(database: Database, settings: Settings) -> Speaker:
    """Ask the model of the settings about a bundle, within the pace and the circuit breaker that the council has, too.

    Every call is written to tool_audit and kept as a trace. A model that is away or at its pace is asked again later.
    """
    from rag.bench import Bench

    bench = Bench(settings.model)

    def ask(prompt: str, out: Outgoing) -> str:
        from rag.models import OllamaModel
        from rag.tracing import Overheard

        if why := bench.absence(1):
            raise Again(f"({why})")
        model, asked, began = (
            Overheard(OllamaModel(settings.model, bench.presence().name)),
            question(prompt, out.content),
            datetime.now(UTC),
        )
        bench.called()
        try:
            said = _heard(model, asked)
            bench.succeeded()
        except Again:
            bench.failed()
            raise
        finally:
            _keep(database, settings, out, model, asked, began)
        return said

    return ask


def _heard(model: Any, asked: str) -> str:
    from rag.errors import ModelAway, ModelBusy, ModelSlow, NoAnswer

    try:
        return str(model.ask([{"role": "user", "content": asked}]).text)
    except (ModelAway, ModelBusy, ModelSlow) as error:
        raise Again(str(error)) from error
    except NoAnswer as error:
        raise Refused(str(error)) from error


def _keep(database: Database, settings: Settings, out: Outgoing, model: Any, asked: str, began: datetime) -> None:
    """The calls in the log of model calls, and the whole as a trace."""
    from rag.audit import prompt_hash, rows
    from rag.tracing import Answered, answered

    cases = tuple(line["case_id"] for line in out.content["lines"] if line["case_id"] is not None)
    calls = [replace(call, role="subscription", case_ids=cases, prompt_hash=prompt_hash(asked)) for call in model.calls]
    database.run("put_calls", rows=json.dumps(rows(calls, out.tenant)))
    contexts = tuple(line["title"] for line in out.content["lines"])
    said, error = (
        (calls[-1].response or "", None if calls[-1].outcome == "ok" else calls[-1].detail) if calls else ("", "not called")
    )
    took_ms = sum(call.latency_ms for call in calls)
    answered(
        database,
        settings,
        out.tenant,
        Answered("subscription", asked, said, contexts, model.name, began, took_ms, tuple(calls), error),
    )


def question(prompt: str, content: Mapping[str, Any]) -> str:
    """The prompt with the bundle's lines as quoted data."""
    lines = [
        f"- {name(line['words'])}, {line['level']}, {quote(line['title'])}"
        + (f" because {quote(line['detail'])}" if line["detail"] else "")
        for line in content["lines"][:LINES]
    ]
    return template("model.md").substitute(prompt=prompt, count=f"{content['total']:,}", lines="\n".join(lines))
