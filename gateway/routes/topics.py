"""Topics over HTTP: register, look, delete."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import problems
from gateway.access import App, Needs, Store
from gateway.cursors import closed, opened, text
from pipelines import errors, topics
from store.database import fetch
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/topics", tags=["pipelines"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="pipelines")]
Admin = Annotated[Caller, Needs(Role.admin, scope="pipelines")]
Name = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["payments"])]
Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]
Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
problems.register(
    {
        errors.Unknown: 404, errors.Exists: 409, errors.Changed: 409, errors.Needed: 409, errors.KafkaRefused: 503,
        errors.BronzeElsewhere: 503, errors.PlanBroken: 409,
    }
)  # fmt: skip


class TopicIn(BaseModel):
    """A topic to be registered; where Kafka is the source it is made there as well."""

    topic: str = Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["payments"])
    kind: Literal["transaction", "request", "measurement", "mixed"] = "mixed"
    schema_: dict[str, Any] = Field(
        {}, alias="schema", description="JSON schema of its events", examples=[{"type": "object", "properties": {"amount": {}}}]
    )
    partitions: int = Field(1, ge=1, le=1000)
    retention_s: int | None = Field(
        None, ge=60, le=10 * 366 * 86_400, description="of the Kafka topic; none: the broker's default"
    )
    description: Text = ""


class TopicItem(BaseModel):
    """A topic's registration."""

    topic: str
    kind: str
    schema_: dict[str, Any] = Field(alias="schema")
    partitions: int
    retention_s: int | None
    description: str
    in_kafka: bool = Field(description="whether the Kafka topic was made with it, and goes with it")
    ingested: bool = Field(description="whether ingest reads it: every file, and the Kafka topics in source.kafka_topics")
    dependents: list[str] = Field(description="what reads it", examples=[["segment big-spenders"]])
    created_by: str
    created_at: AwareDatetime


class TopicPage(BaseModel):
    """Topics by name."""

    items: list[TopicItem]
    next: str | None


class Removed(BaseModel):
    """What was removed or changed with it."""

    removed: list[str]


@router.get("", summary="List the topics")
def list_topics(caller: Viewer, store: Store, app: App, limit: Limit = 100, after: After = None) -> TopicPage:
    """By name. Events of files belong to the topic that begins the file's name (`TOPIC--anything`), else to `events`."""
    start = opened(after, text)[0] if after else ""
    with store.connection() as connection:
        rows = fetch(connection, "list_topics", tenant=caller.tenant, after=start, limit=limit)
        items = [TopicItem(**topics.find(connection, caller.tenant, row["topic"], app)) for row in rows]
    return TopicPage(items=items, next=closed(rows[-1]["topic"]) if len(rows) == limit else None)


@router.post("", status_code=201, summary="Register a topic")
def create_topic(caller: Admin, store: Store, app: App, wanted: TopicIn) -> TopicItem:
    """Events of a topic can be chosen by segments. A Kafka topic of this name is made where Kafka is the source."""
    topic = topics.Topic(wanted.topic, wanted.kind, wanted.schema_, wanted.partitions, wanted.retention_s, wanted.description)
    with store.connection() as connection:
        return TopicItem(**topics.create(connection, caller.tenant, topic, app, actor=caller.actor))


@router.get("/{topic}", summary="A topic")
def get_topic(caller: Viewer, store: Store, app: App, topic: Name) -> TopicItem:
    """With what depends on it."""
    with store.connection() as connection:
        return TopicItem(**topics.find(connection, caller.tenant, topic, app))


@router.delete("/{topic}", summary="Delete a topic")
def delete_topic(caller: Admin, store: Store, app: App, topic: Name, cascade: bool = False) -> Removed:
    """409 names the segments that read it; `cascade=true` removes them, too. Its events stay in bronze."""
    with store.connection() as connection:
        return Removed(removed=topics.remove(connection, caller.tenant, topic, app, actor=caller.actor, cascade=cascade))
