"""Channels, routes and the delivery log: where messages go, what was sent, what came back."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import big, closed, opened
from notify import registry, sent
from notify.errors import Changed, InFile, InUse, NotFound, NotReplayable
from notify.kinds import KINDS
from notify.loop import tools
from notify.registry import Change
from notify.routes import Route
from notify.targets import Targets
from store.outbox import Message
from trust.roles import Caller, Role

MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": problems.ProblemDetail, "description": problems.TITLES[404]},
    409: {"model": problems.ProblemDetail, "description": problems.TITLES[409]},
}
router = APIRouter(prefix="/v1", tags=["channels"], responses=MISSING)
Viewer = Annotated[Caller, Needs(Role.viewer, scope="channels")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="channels")]
Admin = Annotated[Caller, Needs(Role.admin, scope="channels")]
Name = Annotated[str, Path(max_length=63, pattern=r"^[a-z0-9][a-z0-9_-]*$", examples=["desk-slack"])]
DeliveryId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
Filter = Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9_.:-]*$")]
Version = Annotated[
    int | None, Field(ge=1, le=2**31 - 1, description="the version you saw; without it whatever is there is replaced")
]
problems.register({NotFound: 404, Changed: 409, InFile: 409, InUse: 409, NotReplayable: 409})


class ChannelIn(BaseModel):
    """A channel. Secrets are references, `env:NAME` or `file:NAME`; they are never given, kept or shown themselves."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(max_length=20, description=f"one of {', '.join(KINDS)}", examples=["webhook"])
    config: dict[str, Any] = Field(
        {}, description="what the kind asks", examples=[{"url": "https://hooks.example/in", "secret": "env:NOTIFY_HOOK"}]
    )
    enabled: bool = True
    version: Version = None


class ChannelItem(BaseModel):
    """A channel and how it has done in the last week."""

    id: str
    kind: str
    enabled: bool
    config: dict[str, Any]
    origin: Literal["file", "database"] = Field(description="what stands in the file cannot be changed here")
    version: int | None
    fault: str | None = Field(description="why it cannot be used, if so")
    sent: int
    waiting: int
    dead: int
    last_sent_at: AwareDatetime | None
    last_error: str | None


class ChannelList(BaseModel):
    items: list[ChannelItem]


class RouteIn(Route):
    """A route: whom it takes, where to, grouped how, how often at most."""

    position: int | None = Field(None, ge=0, le=1_000_000, description="lower is asked earlier; new ones are last")
    version: Version = None


class RouteList(BaseModel):
    """In the order in which they are asked."""

    items: list[dict[str, Any]]


class Written(BaseModel):
    """Done."""

    id: str
    version: int


class Removed(BaseModel):
    """What went with it."""

    removed: list[str]


class Tried(BaseModel):
    """What came of a test."""

    state: Literal["sent", "waiting", "dead", "skipped"]
    status: int | None = Field(description="of the receiver's answer, if it has one")
    answer: str
    error: str


class Sample(BaseModel):
    """A message as it would be published."""

    model_config = ConfigDict(extra="forbid")
    topic: str = Field("cases", max_length=63)
    kind: str = Field("case.opened", max_length=63)
    subject: str = Field("", max_length=200)
    entity: str = Field("", max_length=700)
    severity: float = Field(0.5, ge=0, le=1)
    title: str = Field("", max_length=500)
    payload: dict[str, Any] = {}


class WouldGo(BaseModel):
    """Where a message would go. Nothing is sent."""

    routes: list[str]
    channels: list[str]
    topics: list[str]
    subscriptions: list[str]


class DeliveryItem(BaseModel):
    """A message's way to a channel."""

    delivery_id: str
    bundle_id: str
    route_id: str
    channel_id: str
    kind: str
    action: str = Field(description="tell, or trigger, acknowledge and resolve an incident, or test")
    subject: str = Field(description="the case (or else) it is about, when it is about one")
    title: str
    total: int = Field(description="messages that it accounts for")
    state: Literal["waiting", "sending", "sent", "dead", "skipped"]
    attempts: int
    replays: int
    status: int | None
    answer: str
    error: str
    not_before: AwareDatetime
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class DeliveryPage(BaseModel):
    """The newest first."""

    items: list[DeliveryItem]
    next: str | None


class Try(BaseModel):
    """One attempt."""

    attempt: int
    at: AwareDatetime
    latency_ms: float
    outcome: Literal["sent", "again", "dead"]
    status: int | None
    detail: str


class DeliveryDetail(DeliveryItem):
    """With what it says and every attempt."""

    content: dict[str, Any]
    tries: list[Try]


class Replayed(BaseModel):
    count: int


@router.get("/channels", summary="List the channels")
def list_channels(caller: Viewer, store: Store, app: App, now: Now) -> ChannelList:
    """With how each has done in the last week."""
    done = sent.health(store, caller.tenant, now)
    none = {"sent": 0, "waiting": 0, "dead": 0, "last_sent_at": None, "last_error": None}
    rows = registry.listed(store, caller.tenant, app, "channels")
    return ChannelList(items=[ChannelItem(**(none | done.get(row["id"], {}) | row)) for row in rows])


@router.put("/channels/{name}", summary="Make or change a channel")
def put_channel(caller: Admin, store: Store, app: App, now: Now, name: Name, wanted: ChannelIn) -> Written:
    """The address is checked against what this installation may reach."""
    entry = wanted.config | {"kind": wanted.kind, "enabled": wanted.enabled}
    with store.connection() as connection:
        version = registry.put_channel(Change(connection, caller, app, now), name, entry, wanted.version)
    return Written(id=name, version=version)


@router.delete("/channels/{name}", summary="Remove a channel")
def remove_channel(
    caller: Admin, store: Store, app: App, now: Now, name: Name, with_dependents: Annotated[bool, Query()] = False
) -> Removed:
    """409 names what still uses it; `with_dependents=true` removes that, too."""
    with store.connection() as connection:
        gone = registry.remove(Change(connection, caller, app, now), "channels", name, with_dependents=with_dependents)
    return Removed(removed=gone)


@router.post("/channels/{name}/test", summary="Send a test")
def test_channel(caller: Admin, store: Store, app: App, now: Now, name: Name) -> Tried:
    """At once; an incident that it opens is resolved again."""
    outcome = sent.try_channel(store, caller, name, app, tools(app, Targets()), now)
    return Tried(state=outcome.state, status=outcome.status, answer=outcome.answer, error=outcome.error)


@router.get("/routes", summary="List the routes")
def list_routes(caller: Viewer, store: Store, app: App) -> RouteList:
    """Those of the file first."""
    return RouteList(items=registry.listed(store, caller.tenant, app, "routes"))


@router.put("/routes/{name}", summary="Make or change a route")
def put_route(caller: Admin, store: Store, app: App, now: Now, name: Name, wanted: RouteIn) -> Written:
    """Messages that come from now on take it."""
    entry = wanted.model_dump(mode="json", exclude={"position", "version"})
    with store.connection() as connection:
        version = registry.put_route(Change(connection, caller, app, now), name, entry, wanted.version, wanted.position)
    return Written(id=name, version=version)


@router.delete("/routes/{name}", summary="Remove a route")
def remove_route(caller: Admin, store: Store, app: App, now: Now, name: Name) -> Removed:
    """What waits at it is not sent; the log says so."""
    with store.connection() as connection:
        return Removed(removed=registry.remove(Change(connection, caller, app, now), "routes", name))


@router.post("/routes/preview", summary="Where would this go?")
def preview(caller: Viewer, store: Store, app: App, now: Now, sample: Sample) -> WouldGo:
    """Which routes, channels, alert topics and subscriptions a message would take."""
    message = Message(tenant=caller.tenant, dedupe_key="preview", **sample.model_dump())
    return WouldGo(**registry.would_go(registry.in_force(store, caller.tenant, app), message, now))


@router.get("/deliveries", summary="The delivery log")
def list_deliveries(
    caller: Viewer,
    store: Store,
    state: Literal["waiting", "sending", "sent", "dead", "skipped"] | None = None,
    channel: Filter = None,
    route: Filter = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> DeliveryPage:
    """Newest first; `state=dead` are the dead letters."""
    before = opened(after, big)[0] if after is not None else None
    rows = sent.deliveries(
        store, caller.tenant, before=before, limit=limit + 1, state=state, channel_id=channel or None, route_id=route or None
    )
    more = closed(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return DeliveryPage(items=[DeliveryItem(**row) for row in rows[:limit]], next=more)


@router.get("/deliveries/{delivery_id}", summary="One delivery")
def one_delivery(caller: Viewer, store: Store, delivery_id: DeliveryId) -> DeliveryDetail:
    """What it says, and every attempt with what came back."""
    return DeliveryDetail(**sent.delivery(store, caller.tenant, delivery_id))


@router.post("/deliveries/{delivery_id}/replay", status_code=202, summary="Send it again")
def replay(caller: Analyst, store: Store, now: Now, delivery_id: DeliveryId) -> Replayed:
    """A dead letter, or one that was sent; under a key of its own."""
    with store.connection() as connection:
        sent.replay(connection, caller, delivery_id, now)
    return Replayed(count=1)


@router.post("/channels/{name}/replay", status_code=202, summary="Send a channel's dead letters again")
def replay_dead(caller: Analyst, store: Store, now: Now, name: Name) -> Replayed:
    """All that were given up."""
    with store.connection() as connection:
        return Replayed(count=sent.replay_dead(connection, caller, name, now))
