"""Alert topics: what rulings and rule hits are published to, to be read from any offset, and subscriptions to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import big, closed, opened
from gateway.routes.channels import MISSING, Name, Removed, Version, Written
from notify import registry
from notify.errors import NotFound
from notify.registry import Change
from notify.routes import AlertTopic, Subscription
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1", tags=["alert topics"], responses=MISSING)
Viewer = Annotated[Caller, Needs(Role.viewer, scope="alerts")]
Admin = Annotated[Caller, Needs(Role.admin, scope="alerts")]
TopicName = Annotated[str, Path(max_length=63, pattern=r"^[a-z0-9][a-z0-9_.-]*$", examples=["confirmed-fraud"])]
Dependents = Annotated[bool, Query(description="remove what depends on it, too")]
problems.register({NotFound: 404})


class TopicIn(AlertTopic):
    """An alert topic."""

    version: Version = None


class SubscriptionIn(Subscription):
    """A subscription."""

    version: Version = None


class Listed(BaseModel):
    """Those of the file first."""

    items: list[dict[str, Any]]


class AlertItem(BaseModel):
    """A message as the topic keeps it."""

    offset: int = Field(description="0, 1, 2 … without gaps")
    message_id: int
    kind: str
    subject: str
    entity: str
    severity: float
    title: str
    payload: dict[str, Any]
    created_at: AwareDatetime
    stored_at: AwareDatetime


class AlertPage(BaseModel):
    """In the order of offsets; `next` is null at the end: go on later from the last offset and one."""

    items: list[AlertItem]
    next: str | None


@router.get("/alert-topics", summary="List the alert topics")
def list_topics(caller: Viewer, store: Store, app: App) -> Listed:
    """With the first offset that is still kept, and the next to be given."""
    return Listed(items=registry.listed(store, caller.tenant, app, "alert_topics"))


@router.put("/alert-topics/{topic}", summary="Make or change an alert topic")
def put_topic(caller: Admin, store: Store, app: App, now: Now, topic: TopicName, wanted: TopicIn) -> Written:
    """It takes what is published from now on."""
    entry = wanted.model_dump(mode="json", exclude={"version"})
    with store.connection() as connection:
        return Written(id=topic, version=registry.put_topic(Change(connection, caller, app, now), topic, entry, wanted.version))


@router.delete("/alert-topics/{topic}", summary="Remove an alert topic")
def remove_topic(
    caller: Admin, store: Store, app: App, now: Now, topic: TopicName, with_dependents: Dependents = False
) -> Removed:
    """With its messages. 409 names the subscriptions to it; `with_dependents=true` removes them, too."""
    with store.connection() as connection:
        change = Change(connection, caller, app, now)
        return Removed(removed=registry.remove(change, "alert_topics", topic, with_dependents=with_dependents))


@router.get("/alert-topics/{topic}/messages", summary="Read an alert topic")
def read_topic(
    caller: Viewer,
    store: Store,
    topic: TopicName,
    offset: Annotated[int, Query(ge=0, le=2**62, description="from this offset on")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> AlertPage:
    """Messages past the topic's retention are gone; then it goes on with the oldest that is kept."""
    first = opened(after, big)[0] if after is not None else offset
    rows = registry.messages_of(store, caller.tenant, topic, first, limit)
    return AlertPage(
        items=[AlertItem(**row) for row in rows], next=closed(rows[-1]["offset"] + 1) if len(rows) == limit else None
    )


@router.get("/subscriptions", summary="List the subscriptions")
def list_subscriptions(caller: Viewer, store: Store, app: App) -> Listed:
    """What follows when a message reaches a topic."""
    return Listed(items=registry.listed(store, caller.tenant, app, "subscriptions"))


@router.put("/subscriptions/{name}", summary="Make or change a subscription")
def put_subscription(caller: Admin, store: Store, app: App, now: Now, name: Name, wanted: SubscriptionIn) -> Written:
    """A channel, a processor, a model call or a Kafka topic, set off by the messages of an alert topic that the matchers take."""
    entry = wanted.model_dump(mode="json", exclude={"version"})
    with store.connection() as connection:
        version = registry.put_subscription(Change(connection, caller, app, now), name, entry, wanted.version)
    return Written(id=name, version=version)


@router.delete("/subscriptions/{name}", summary="Remove a subscription")
def remove_subscription(caller: Admin, store: Store, app: App, now: Now, name: Name) -> Removed:
    """What waits at it is not sent; the log says so."""
    with store.connection() as connection:
        return Removed(removed=registry.remove(Change(connection, caller, app, now), "subscriptions", name))
