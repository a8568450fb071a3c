"""Messages about what happened, written in the transaction in which it happened; notify/ dispatches them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from store.database import Connection, run


@dataclass(frozen=True)
class Message:
    """Something that somebody may want to be told. `severity` in 0..1; `dedupe_key` makes a second one with it a no-op."""

    tenant: str
    topic: str
    kind: str
    subject: str
    severity: float
    title: str
    dedupe_key: str
    entity: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


def publish(connection: Connection, message: Message) -> bool:
    """Write it; False when a message with its key was there already."""
    return run(connection, "put_message", **asdict(message)) == 1
