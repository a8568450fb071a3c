"""Quarantined records as a person sees them: where, why, and an excerpt that no page or terminal can trip over."""

import hashlib
from typing import Any

from store.database import Connection, sql
from trust.pii import mask

COLUMNS = ("record_id", "tenant", "position", "reason", "field", "excerpt", "size", "state", "arrived_at")
EXCERPT = 300


def row(refused: dict[str, Any]) -> tuple[Any, ...]:
    """A quarantine row of Delta as a row of the table `quarantined`; `shown`, when given, is what the excerpt is taken from."""
    raw = refused["raw"] or b""
    position = place(refused["source"], refused["position"])
    return (
        record_id(position, refused["reason"], raw), refused["tenant"] or "main", position, refused["reason"],
        refused["field"] or "", excerpt(masked(refused.get("shown", raw))), len(raw), "new", refused["ingest_time"],
    )  # fmt: skip


def place(source: str, position: int) -> str:
    """`topic/partition@offset` or `file:line`.

    >>> place("events/3", 17), place("day1.jsonl", 5)
    ('events/3@17', 'day1.jsonl:5')
    """
    head, _, tail = source.rpartition("/")
    return f"{source}@{position}" if head and tail.isdigit() else f"{source}:{position}"


def record_id(position: str, reason: str, raw: bytes) -> str:
    return hashlib.blake2b(b"\0".join([position.encode(), reason.encode(), raw]), digest_size=12).hexdigest()


def masked(raw: bytes) -> bytes:
    """The part of a record that will be shown, and a little more for what is cut, with personal data as `[card]` …"""
    return mask(raw[: 2 * EXCERPT].decode("utf-8", "backslashreplace")).encode()


def excerpt(raw: bytes) -> str:
    """The start of the record in printable characters; others as escapes.

    >>> excerpt(b'{"a": "\\xff\\x00"}')
    '{"a": "\\\\xff\\\\x00"}'
    """
    text = raw[:EXCERPT].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:EXCERPT]


def prepare(connection: Connection) -> None:
    """Make the landing tables of this connection."""
    for statement in sql("create_incoming").split(";"):
        connection.execute(statement.encode())
