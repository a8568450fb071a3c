"""The messages that the desk publishes about a case. Pure, save for the publishing."""

from typing import Any

from desk.file import File
from store.database import Connection
from store.outbox import Message, publish

TITLES = {
    "case.opened": "New case",
    "case.grown": "Case has grown",
    "case.reopened": "Case is back",
    "case.acknowledged": "Case is being looked at",
    "case.assigned": "Case changed hands",
    "case.escalated": "Case needs somebody",
    "case.sla_breached": "Case is late",
    "case.resolved": "Case is resolved",
    "case.dismissed": "Case is dismissed",
}


def payload(file: File, said: str, **more: Any) -> dict[str, Any]:
    """What a message about a case carries."""
    return {
        "case_id": file.case_id, "status": file.status, "version": file.version, "title": file.title, "entity": file.entity,
        "kind": file.kind, "pattern": file.pattern, "severity": file.severity, "confidence": file.confidence,
        "outcome": file.outcome, "members": file.members, "hits": file.hits, "assignee": file.assignee, "tags": list(file.tags),
        "reason": file.reason, "expected_loss": file.expected_loss, "currency": file.loss_currency, "loss_words": file.loss_words,
        "started_at": file.started_at.isoformat(), "last_at": file.last_at.isoformat(), "said": said, **more,
    }  # fmt: skip


def of_case(file: File, kind: str, said: str, dedupe: str, **more: Any) -> Message:
    """A message about a case; `dedupe` tells apart the messages of one kind about it."""
    return Message(
        tenant=file.tenant, topic="cases", kind=kind, subject=file.case_id, severity=file.severity,
        title=f"{TITLES[kind]}: {file.title}", dedupe_key=f"{kind}:{file.case_id}:{dedupe}", entity=file.entity,
        payload=payload(file, said, **more),
    )  # fmt: skip


def tell(connection: Connection, file: File, kind: str, said: str, dedupe: str = "", **more: Any) -> None:
    """Publish a message about a case; by default one per version of it."""
    publish(connection, of_case(file, kind, said, dedupe or f"v{file.version}", **more))


def of_unreadable(row: dict[str, Any]) -> Message:
    """A ruling that the desk could not take in: a person must look, for no case was opened."""
    return Message(
        tenant=row["tenant"], topic="system", kind="ruling.unreadable", subject=row["case_id"], severity=0.9,
        title=f"A ruling on {row['entity']} could not be taken in; no case was opened",
        dedupe_key=f"unreadable:{row['ruling_id']}",
        entity=row["entity"], payload={"ruling_id": row["ruling_id"], "case_id": row["case_id"]},
    )  # fmt: skip


def of_ruling(row: dict[str, Any]) -> Message:
    """A ruling's own message, on the topic `rulings`."""
    shown = ("ruling_id", "case_id", "outcome", "action", "confidence", "root_cause", "council", "severity", "kind", "revision")
    return Message(
        tenant=row["tenant"], topic="rulings", kind=f"ruling.{row['outcome']}", subject=row["case_id"], severity=row["severity"],
        title=title(row), dedupe_key=f"ruling:{row['ruling_id']}", entity=row["entity"],
        payload={name: row[name] for name in shown},
    )  # fmt: skip


def of_command(row: dict[str, Any], kind: str, severity: float, said: str, dedupe: str) -> Message:
    """A message about a command (`commands` joined with its case's `entity`)."""
    shown = ("command_id", "case_id", "ruling_id", "action", "target", "state", "reason")
    words = kind.partition(".")[2]
    return Message(
        tenant=row["tenant"], topic="cases", kind=kind, subject=row["case_id"], severity=severity,
        title=f"Command {words}: {row['action'].replace('_', ' ')} {row['target']}",
        dedupe_key=f"{kind}:{row['command_id']}:{dedupe}", entity=row["entity"],
        payload={**{name: row[name] for name in shown}, "said": said},
    )  # fmt: skip


def title(ruling: dict[str, Any]) -> str:
    """What a case is called: what to do about whom."""
    if ruling["outcome"] == "confirmed" and ruling["action"] not in ("none", "watch"):
        return f"{ruling['action'].replace('_', ' ')}: {ruling['entity']}"
    return f"{'left open' if ruling['outcome'] == 'unresolved' else 'watch'}: {ruling['entity']}"
