"""What a batch's rules leave behind, written in the transaction of the batch's ledger entry: counts, hits, messages, work."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pipelines.judging import Key, Tallies
from pipelines.plan import Step
from store.bulk import copy_rows
from store.database import Connection, Jsonb, fetch, run
from store.outbox import Message, publish
from store.sections.pipelines import Pipelines

SLOW = ("model", "http")


@dataclass(frozen=True)
class Hit:
    """An event that a rule hit; `event` is the canonical event as JSON."""

    tenant: str
    hit_id: str
    processor: str
    version: int
    segment: str
    kind: str
    query_id: str
    batch_id: int
    event_id: str
    event_time: datetime
    entity: str
    case_id: str | None
    lane: str | None
    severity: float
    event: dict[str, Any]
    answer: dict[str, Any] | None = None

    @property
    def key(self) -> Key:
        return (self.tenant, self.segment, self.processor, self.version)


@dataclass
class Fates:
    """Of each rule: hits kept, given to a pool, and not given to it since it was full."""

    kept: Counter[Key] = field(default_factory=Counter)
    queued: Counter[Key] = field(default_factory=Counter)
    overflowed: Counter[Key] = field(default_factory=Counter)


def hit_id(tenant: str, segment: str, processor: str, version: int, event_id: str) -> str:
    """Of rule and event, so that an event delivered twice is one hit."""
    whole = "\0".join((tenant, segment, processor, str(version), event_id))
    return hashlib.blake2b(whole.encode(), digest_size=12).hexdigest()


def write(connection: Connection, batch: tuple[str, int], tallies: Tallies, hits: Sequence[Hit], steps: Mapping[Key, Step],
          settings: Pipelines) -> None:  # fmt: skip
    """Write what the rules said of a batch (query id, batch id): every rule's counts, hit or not, and the kept hits."""
    fates = Fates()
    fast = [one for one in hits if one.kind not in SLOW]
    new = put_hits(connection, fast)
    fates.kept.update(one.key for one in new)
    tell(connection, new, steps, settings.messages_per_batch)
    queue(connection, [one for one in hits if one.kind in SLOW], steps, settings, fates)
    for key, tally in tallies.items():
        if tally.kind in SLOW:
            fates.overflowed[key] += tally.hit - len(tally.rows)
        tenant, segment, processor, version = key
        counts = {
            "tenant": tenant, "segment": segment, "processor": processor, "version": version, "evaluated": tally.evaluated,
            "hit": tally.hit, "missed": tally.missed, "errors": tally.errors, "kept": fates.kept[key],
            "queued": fates.queued[key], "overflowed": fates.overflowed[key],
        }  # fmt: skip
        run(connection, "put_rule_count", query_id=batch[0], batch_id=batch[1], **counts)
        run(connection, "add_rule_total", **counts)


def put_hits(connection: Connection, hits: Sequence[Hit]) -> list[Hit]:
    """Write the hits and answer those that were not there yet."""
    if not hits:
        return []
    run(connection, "create_incoming_hits")
    rows = {(one.tenant, one.hit_id): one for one in hits}
    columns = list(Hit.__dataclass_fields__)
    copy_rows(connection, "incoming_rule_hits", columns, [_row(one) for one in rows.values()])
    new = {(row["tenant"], row["hit_id"]) for row in fetch(connection, "merge_rule_hits")}
    return [one for key, one in rows.items() if key in new]


def _row(hit: Hit) -> tuple[Any, ...]:
    values = {name: getattr(hit, name) for name in Hit.__dataclass_fields__}
    values |= {"event": Jsonb(hit.event), "answer": None if hit.answer is None else Jsonb(hit.answer)}
    return tuple(values.values())


def tell(connection: Connection, hits: Iterable[Hit], steps: Mapping[Key, Step], most: int) -> None:
    """A message per rule and entity; the entities above `most` of a rule share one."""
    grouped: dict[Key, dict[str, list[Hit]]] = defaultdict(lambda: defaultdict(list))
    for one in hits:
        grouped[one.key][one.entity].append(one)
    for key, by_entity in sorted(grouped.items()):
        shown = sorted(by_entity.items(), key=lambda item: (-len(item[1]), item[0]))
        for entity, group in shown[:most]:
            publish(connection, message(steps[key], group, entity, 1))
        if rest := shown[most:]:
            publish(connection, message(steps[key], [one for _, group in rest for one in group], "", len(rest)))


def message(step: Step, hits: Sequence[Hit], entity: str, entities: int) -> Message:
    """What somebody may want to be told of a rule's hits on one entity, or on several that share a message."""
    first, count = hits[0], len(hits)
    about = entity or (f"{entities:,} further entities" if entities > 1 else "an event of no entity")
    title = getattr(step.spec, "title", "") or f"Rule {first.processor}"
    return Message(
        tenant=first.tenant, topic="rules", kind="rule.hit", subject=first.processor, severity=first.severity,
        title=f"{title}: {count:,} hit{'s' if count != 1 else ''} on {about}", entity=entity,
        dedupe_key=f"rule {first.processor} {first.version} {first.segment} {first.query_id} {first.batch_id} {entity or 'rest'}",
        payload={
            "processor": first.processor, "version": first.version, "segment": first.segment, "kind": first.kind, "hits": count,
            "entities": entities, "lane": first.lane, "case_id": first.case_id, "event_ids": [one.event_id for one in hits[:10]],
            "event": first.event, "answer": first.answer,
        },
    )  # fmt: skip


def queue(connection: Connection, hits: Sequence[Hit], steps: Mapping[Key, Step], settings: Pipelines, fates: Fates) -> None:
    """Give hits of slow rules to their pools as long as there is room; the others are counted."""
    room: dict[tuple[str, str], int] = {}
    for one in hits:
        pool = str(steps[one.key].spec.pool)
        place = (one.tenant, pool)
        if place not in room:
            room[place] = room_in(connection, one.tenant, pool, settings)
        if room[place] <= 0:
            fates.overflowed[one.key] += 1
        else:
            put = offer(connection, one, pool)
            room[place] -= put
            fates.queued[one.key] += put
    if fates.queued:
        fetch(connection, "notify_rule_work")


def room_in(connection: Connection, tenant: str, pool: str, settings: Pipelines) -> int:
    """How many more items the pool's queue takes."""
    held = fetch(connection, "pool_of", tenant=tenant, pool=pool)
    limit = held[0]["queue_limit"] if held else settings.pool_queue
    return limit - int(fetch(connection, "queue_length", tenant=tenant, pool=pool, limit=limit)[0]["n"])


def offer(connection: Connection, hit: Hit, pool: str) -> int:
    """Put an event into a pool's queue; 0 when it was there before."""
    given = asdict(hit) | {"event_time": hit.event_time.isoformat()}
    return run(
        connection, "put_work", tenant=hit.tenant, pool=pool, hit_id=hit.hit_id, processor=hit.processor, version=hit.version,
        segment=hit.segment, input=given,
    )  # fmt: skip
