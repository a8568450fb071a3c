"""Topics: their registration, and the Kafka topic of the same name where Kafka is the source."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import BadName, BadSpec, Exists, KafkaRefused, Needed
from pipelines.guard import check_live, known
from pipelines.specs import TOPIC, check_text
from store.database import Connection, fetch, run
from store.settings import Settings
from trust import audit

ANSWER_S = 20.0


@dataclass(frozen=True)
class Topic:
    """What is wanted of a topic; `schema`: JSON schema of its events, `retention_s` None is the broker's default."""

    topic: str
    kind: str = "mixed"
    schema: dict[str, Any] = field(default_factory=dict)
    partitions: int = 1
    retention_s: int | None = None
    description: str = ""


def create(connection: Connection, tenant: str, wanted: Topic, settings: Settings, *, actor: str) -> dict[str, Any]:
    """Register a topic, and make it in Kafka when that is the source; the registration.

    A Kafka topic that was there before is used, but is not deleted with the registration.
    Raises BadName, BadSpec (schema), Exists, KafkaRefused.
    """
    if not TOPIC.fullmatch(wanted.topic) or wanted.topic in (".", ".."):
        raise BadName(f"a topic has letters, digits, `.`, `_` and `-`: `{wanted.topic[:80]}`.")
    check_schema(wanted.schema)
    if fetch(connection, "find_topic", tenant=tenant, topic=wanted.topic):
        raise Exists(f"`{wanted.topic}`.")
    in_kafka = settings.source.kind == "kafka" and make_in_kafka(settings, wanted)
    made = run(
        connection, "put_topic", tenant=tenant, topic=wanted.topic, kind=wanted.kind, schema=wanted.schema,
        partitions=wanted.partitions, retention_s=wanted.retention_s, description=wanted.description, in_kafka=in_kafka,
        actor=actor,
    )  # fmt: skip
    if not made:
        raise Exists(f"`{wanted.topic}`.")
    detail = {"kind": wanted.kind, "partitions": wanted.partitions, "kafka": in_kafka}
    audit.record(connection, tenant, actor, "topic.create", wanted.topic, detail)
    return find(connection, tenant, wanted.topic, settings)


def find(connection: Connection, tenant: str, topic: str, settings: Settings) -> dict[str, Any]:
    """A topic's registration, what depends on it, and whether ingest reads it; raises Unknown."""
    row = known(fetch(connection, "find_topic", tenant=tenant, topic=topic), topic)
    return row | {"dependents": dependents(connection, tenant, topic), "ingested": ingested(topic, settings)}


def ingested(topic: str, settings: Settings) -> bool:
    """Files carry their topic in their name, so all of theirs are; of Kafka the ones named in the settings."""
    return settings.source.kind == "files" or topic in [one.strip() for one in settings.source.kafka_topics.split(",")]


def dependents(connection: Connection, tenant: str, topic: str) -> list[str]:
    return [f"segment {row['segment']}" for row in fetch(connection, "segments_of_topic", tenant=tenant, topic=topic)]


def remove(
    connection: Connection, tenant: str, topic: str, settings: Settings, *, actor: str, cascade: bool = False
) -> list[str]:
    """Delete a topic, in Kafka as well when it was made there; with `cascade` also the segments that read it. What went with it.

    Raises Unknown; Needed, naming the segments; KafkaRefused.
    """
    row = known(fetch(connection, "find_topic", tenant=tenant, topic=topic), topic)
    users = dependents(connection, tenant, topic)
    if users and not cascade:
        raise Needed(users)
    for one in fetch(connection, "segments_of_topic", tenant=tenant, topic=topic):
        run(connection, "remove_segment", tenant=tenant, segment=one["segment"])
    run(connection, "remove_topic", tenant=tenant, topic=topic)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "topic.delete", topic, {"with": users, "kafka": row["in_kafka"]})
    if row["in_kafka"]:
        drop_in_kafka(settings, topic)
    return users


def check_schema(schema: dict[str, Any]) -> None:
    """A JSON schema is an object that describes objects; raises BadSpec."""
    if not schema:
        return
    check_text(schema)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        raise BadSpec("schema: a topic's schema is a JSON schema of an object, with `properties`.", "schema")
    if unknown := sorted(str(name) for name in required if name not in list(properties)):
        raise BadSpec(f"schema: required, but not described: {', '.join(unknown)}.", "schema")


def admin(settings: Settings) -> Any:
    from confluent_kafka.admin import AdminClient

    quiet: dict[str, Any] = {"bootstrap.servers": settings.source.kafka_servers, "socket.timeout.ms": 10_000, "log_level": 0}
    return AdminClient(quiet | dict(settings.source.kafka_options))


def make_in_kafka(settings: Settings, wanted: Topic) -> bool:
    """Whether it was made: False when there was one already, which is taken as it is. Raises KafkaRefused."""
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    config = {} if wanted.retention_s is None else {"retention.ms": str(wanted.retention_s * 1000)}
    new = NewTopic(wanted.topic, num_partitions=wanted.partitions, replication_factor=-1, config=config)
    return _await(admin(settings).create_topics([new], operation_timeout=ANSWER_S)[wanted.topic], KafkaError.TOPIC_ALREADY_EXISTS)


def drop_in_kafka(settings: Settings, topic: str) -> None:
    """Raises KafkaRefused; a topic that is gone already is gone."""
    from confluent_kafka import KafkaError

    _await(admin(settings).delete_topics([topic], operation_timeout=ANSWER_S)[topic], KafkaError.UNKNOWN_TOPIC_OR_PART)


def _await(answer: Any, fine: Any) -> bool:
    from confluent_kafka import KafkaException

    try:
        answer.result(ANSWER_S)
    except KafkaException as error:
        if error.args[0].code() != fine:
            raise KafkaRefused(f"({error.args[0].str()})") from error
        return False
    except TimeoutError as error:
        raise KafkaRefused(f"(no answer in {ANSWER_S:.0f} s)") from error
    return True
