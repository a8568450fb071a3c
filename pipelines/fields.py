"""What an expression may name: the fields of an event, and of an anomaly with its event."""

from collections.abc import Mapping
from dataclasses import dataclass, field

EVENT: dict[str, str] = {
    "event_id": "string", "event_time": "timestamp", "kind": "string", "account_id": "string", "amount": "double",
    "currency": "string", "counterparty_id": "string", "service": "string", "status": "int", "latency_ms": "double",
    "metric": "string", "value": "double", "message": "string", "attributes": "map", "topic": "string",
}  # fmt: skip
ANOMALY: dict[str, str] = EVENT | {
    "entity": "string", "entity_kind": "string", "detector": "string", "severity": "double", "expected": "double",
    "observed": "double", "hits": "int",
}  # fmt: skip
MEANING = {
    "event_id": "unique id of the event",
    "event_time": "when it happened (UTC)",
    "kind": "transaction, request or measurement",
    "account_id": "a transaction's account",
    "amount": "of a transaction, in its currency",
    "currency": "of the amount",
    "counterparty_id": "merchant or terminal",
    "service": "of a request or measurement",
    "status": "of a request; 500 and above is an error",
    "latency_ms": "of a request, in milliseconds",
    "metric": "name of what was measured",
    "value": "what was measured",
    "message": "free text, untrusted; sealed where privacy.identifiers is tokenised",
    "attributes": 'further texts: attributes["country"] or attributes.country; has(attributes.country)',
    "topic": "the topic that it came by",
    "entity": "`account:A1/EUR`, `service:pay` …",
    "entity_kind": "account, counterparty, service or series",
    "detector": "the one with the highest score",
    "severity": "0 to 1",
    "expected": "what the entity's window led to expect",
    "observed": "what was seen instead",
    "hits": "hits of the episode so far",
}


@dataclass(frozen=True)
class Scope:
    """What an expression may use: fields with their types, names of data lists, enrichments with their columns."""

    fields: Mapping[str, str] = field(default_factory=lambda: EVENT)
    lists: frozenset[str] = frozenset()
    enriched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def known(self) -> list[str]:
        """Everything that may be named, for messages."""
        return [
            *self.fields, *(f"lists.{name}" for name in sorted(self.lists)),
            *(f"enriched.{name}.{column}" for name, columns in sorted(self.enriched.items()) for column in columns),
        ]  # fmt: skip
