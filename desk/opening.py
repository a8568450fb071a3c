"""A ruled case as it comes to the desk: its file, what is at stake in it, its expected loss."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from desk import telling, timers
from desk.file import File
from desk.fingerprint import fingerprint
from rag import loss
from rag.items import from_json
from rag.signals import signals
from store.database import Connection, fetch
from store.sections.desk import Desk

ROW = dict[str, Any]


def new_file(row: ROW, events: list[ROW], desk: Desk, now: datetime) -> File:
    """The file of a ruled case, as a head of its own."""
    brief = from_json(row["brief"])
    pattern = str(signals(brief).pattern)
    print_ = fingerprint(row, pattern, events)
    ack, close = timers.due_times(row["severity"], now, desk)
    return File(
        case_id=row["case_id"], tenant=row["tenant"], title=telling.title(row), entity=row["entity"], kind=row["kind"],
        pattern=pattern, fingerprint=print_.shown(), touches=print_.keys, ruling_id=row["ruling_id"], outcome=row["outcome"],
        confidence=row["confidence"], severity=row["severity"], own_severity=row["severity"], revision=row["revision"],
        hits=row["revision"], started_at=row["started_at"], last_at=row["last_at"], own_started_at=row["started_at"],
        own_last_at=row["last_at"], opened_at=now, changed_at=now, stake=stake(row, events), ack_due_at=ack,
        resolve_due_at=close,
    )  # fmt: skip


def stake(row: ROW, events: list[ROW]) -> ROW:
    impact = from_json(row["brief"]).first("impact")
    return loss.stake(events if row["kind"] in ("account", "counterparty") else (), impact.fields if impact else {})


def reckoned(connection: Connection, head: File, desk: Desk) -> File:
    """The head with its expected loss, from what is at stake in each of its group."""
    group = fetch(connection, "desk_stakes", tenant=head.tenant, case_id=head.case_id)
    standing = [row for row in group if row["outcome"] != "dismissed"] or group
    sure = max((row["confidence"] for row in standing), default=head.confidence)
    found = loss.expected((row["stake"] for row in standing), head.severity, sure, desk)
    return replace(
        head,
        expected_loss=found.amount,
        loss_currency=found.currency,
        loss_words=found.words,
        weight=loss.weight(found, head.severity, desk),
    )
