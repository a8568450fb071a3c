"""A Kafka topic: each message of a bundle is a record, its key the subject, its id in a header so that a repeat can be known."""

from collections.abc import Mapping
from typing import Any

from notify.errors import Again
from notify.kinds import Kafka
from notify.senders import Outgoing, Tools, encoded
from notify.wire import Receipt
from notify.wording import stamp


def record(tenant: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as it stands in the topic."""
    return {
        "tenant": tenant, "message_id": message["message_id"], "topic": message["topic"], "kind": message["kind"],
        "subject": message["subject"], "entity": message["entity"], "severity": message["severity"], "title": message["title"],
        "payload": message["payload"], "created_at": stamp(message["created_at"]),
    }  # fmt: skip


def deliver(kind: Kafka, out: Outgoing, tools: Tools) -> Receipt:
    """All records acknowledged by all replicas, or Again."""
    from confluent_kafka import KafkaException, Producer

    source, faults = tools.settings.source, list[str]()
    options = {
        "bootstrap.servers": source.kafka_servers,
        "enable.idempotence": True,
        "message.timeout.ms": int(1000 * tools.timeout_s),
    }
    producer = Producer({**source.kafka_options, **options})
    messages = out.messages()

    def acknowledged(error: Any, _: Any) -> None:
        faults.extend([str(error)] if error is not None else [])

    try:
        for message in messages:
            headers = {"message_id": f"{out.tenant}/{message['message_id']}", "kind": message["kind"]}
            _produce(producer, kind.topic, message["subject"], encoded(record(out.tenant, message)), headers, acknowledged)
        left = producer.flush(tools.timeout_s)
    except KafkaException as error:
        raise Again(f"({error})") from error
    if left or faults:
        raise Again(f"({left + len(faults):,} of {len(messages):,} records not acknowledged{': ' + faults[0] if faults else ''})")
    return Receipt(None, f"{len(messages):,} records in {kind.topic}")


def _produce(producer: Any, topic: str, key: str, value: bytes, headers: dict[str, str], acknowledged: Any) -> None:
    """One record; a full queue is waited for."""
    while True:
        try:
            producer.produce(topic, value, key.encode(), headers=headers, on_delivery=acknowledged)
            return
        except BufferError:
            producer.poll(0.1)
