"""What a hearing leaves behind, in one transaction with the docket: rulings, commands, alerts, memories, calls."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from observe.telemetry import hearings as telemetry
from rag import docket, search, spans, tracing
from rag.audit import rows
from rag.cause import target
from rag.council import Ruling
from rag.docket import Taken
from rag.hearing import Heard, Hearings
from rag.items import Brief, from_json
from rag.signals import WORDS, signals
from rag.triage import Lane
from store import database as store
from store.database import Connection, Database
from store.settings import Settings

ROWS = dict[str, Any]


def write(
    database: Database, taken: Sequence[Taken], hearings: Hearings, worker: str, now: datetime, latency_ms: float,
    settings: Settings | None = None,
) -> list[Ruling]:  # fmt: skip
    """Write the rulings on the cases whose lease is still held, and close these on the docket; the others' are dropped.

    All or nothing: a worker that ends in the middle has ruled nothing, and its leases run out. With `settings` the model's part
    in it is kept as a trace, too.
    """
    with spans.hearing(database, taken, hearings, now, latency_ms) as told, database.connection() as connection:
        held = docket.hold(connection, taken, worker)
        heard = [one for one in hearings.heard if one.ruling.case_id in held]
        lanes = {case.case_id: case.lane for case in taken}
        put(connection, [one.ruling for one in heard], latency_ms)
        told.rulings(connection, [one.ruling for one in heard])
        docket.finish(connection, [_closed(one, lanes, now) for one in heard])
        tenant = taken[0].tenant if taken else "main"
        store.run(connection, "put_calls", rows=json.dumps(rows(hearings.calls, tenant)))
    telemetry.heard(
        ((one.ruling.outcome, one.ruling.council) for one in heard), hearings.calls, taken[0].lane if taken else "", latency_ms
    )
    if settings is not None:
        tracing.council(database, settings, tenant, heard, hearings.calls, now, latency_ms)
    return [one.ruling for one in heard]


def _closed(one: Heard, lanes: dict[str, Lane], now: datetime) -> docket.Closed:
    not_before = None if one.again_s is None else now + timedelta(seconds=one.again_s)
    return docket.Closed(one.ruling.case_id, one.ruling.revision, lanes[one.ruling.case_id], not_before)


def put(connection: Connection, rulings: Sequence[Ruling], latency_ms: float) -> None:
    """Rulings in force and everything that follows from them."""
    if not rulings:
        return
    briefs = {ruling.case_id: from_json(ruling.brief) for ruling in rulings}
    written = json.dumps([{**vars(ruling), "ruling_id": ruling.ruling_id, "latency_ms": latency_ms} for ruling in rulings])
    store.run(connection, "supersede_rulings", rows=written)
    store.run(connection, "put_rulings", rows=written)
    confirmed = [ruling for ruling in rulings if ruling.outcome == "confirmed"]
    commands = [command(ruling, briefs[ruling.case_id]) for ruling in confirmed]
    kept = [row["command_id"] for row in commands]
    store.run(connection, "withdraw_commands", case_ids=[ruling.case_id for ruling in rulings], kept=kept)
    store.run(connection, "put_commands", rows=json.dumps(commands))
    store.run(connection, "put_alerts", rows=json.dumps([alert(ruling, briefs[ruling.case_id]) for ruling in confirmed]))
    remember(connection, rulings, briefs)
    store.fetch(connection, "notify_rulings")


def command(ruling: Ruling, brief: Brief) -> ROWS:
    """The proposal of a confirmed ruling."""
    whom = target(brief)
    return {
        "command_id": "command-" + _hash(ruling.case_id, ruling.action, whom), "tenant": ruling.tenant, "case_id": ruling.case_id,
        "ruling_id": ruling.ruling_id, "action": ruling.action, "target": whom, "reason": ruling.root_cause,
    }  # fmt: skip


def alert(ruling: Ruling, brief: Brief) -> ROWS:
    return {
        "alert_id": "alert-" + _hash(ruling.case_id, ruling.ruling_id), "tenant": ruling.tenant, "case_id": ruling.case_id,
        "ruling_id": ruling.ruling_id, "severity": brief.severity, "title": f"{ruling.action.replace('_', ' ')}: {target(brief)}",
        "root_cause": ruling.root_cause, "next_steps": ruling.next_steps,
    }  # fmt: skip


def remember(connection: Connection, rulings: Iterable[Ruling], briefs: dict[str, Brief]) -> None:
    """A summary of each resolved case, to be found by later ones."""
    for ruling in rulings:
        if ruling.outcome == "unresolved":
            continue
        brief = briefs[ruling.case_id]
        episode = brief.first("episode")
        if episode is not None:
            happened = datetime.fromisoformat(str(episode.fields["started_at"]))
            search.remember(connection, ruling.case_id, summary(ruling, brief), ruling.outcome, happened, tenant=ruling.tenant)


def summary(ruling: Ruling, brief: Brief) -> str:
    """What happened and what became of it, without the entity's name: cases are alike by their course."""
    course = ruling.root_cause.replace(brief.entity, f"this {brief.kind}")
    return f"{WORDS[signals(brief).pattern]} (this {brief.kind}). {course} {ruling.outcome}, {ruling.action.replace('_', ' ')}."


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:24]
