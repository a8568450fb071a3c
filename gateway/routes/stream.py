"""`GET /v1/stream`: anomalies, rulings and cases as they come and change."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from gateway.access import App, Needs, Now, Store, identify
from gateway.following import KINDS, Place, after, beginning, forgotten, read_place
from gateway.problems import Problem
from store.database import Tenant
from store.errors import DatabaseError
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/stream", tags=["stream"])
LOOK_EVERY_S, PING_S, CHECK_KEY_S = 1.0, 15, 30.0
MOST_STREAMS = 100  # of a process: each looks once a second


@dataclass
class Follower:
    """One open stream."""

    request: Request
    caller: Caller
    store: Tenant
    place: Place
    kinds: tuple[str, ...]
    gap: bool

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Until the client goes or its key ends. A database that is away is waited for."""
        state = self.request.app.state
        state.metrics.stream_opened()
        state.streams += 1
        try:
            yield ServerSentEvent(event="gap" if self.gap else "ready", id=str(self.place), data="{}", retry=2000)
            checked = time.monotonic()
            while not await self.request.is_disconnected():
                if time.monotonic() - checked > CHECK_KEY_S:
                    if not await run_in_threadpool(self._still_opens):
                        return
                    checked = time.monotonic()
                for event in await run_in_threadpool(self._next):
                    yield event
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            state.streams -= 1
            state.metrics.stream_closed()

    def _next(self) -> list[ServerSentEvent]:
        try:
            found = after(self.store, self.caller.tenant, self.place, self.kinds)
        except DatabaseError:
            return []
        if found:
            self.place = found[-1].place
        return [ServerSentEvent(event=one.kind, id=str(one.place), data=one.data()) for one in found]

    def _still_opens(self) -> bool:
        """A key that was revoked or has expired ends its streams."""
        headers = self.request.headers
        scheme, _, told = headers.get("authorization", "").partition(" ")
        presented = told if scheme.lower() == "bearer" and told else headers.get("x-api-key", "")
        try:
            return identify(self.request, presented) is not None
        except (DatabaseError, Problem):
            return True


@router.get("", summary="Follow changes", response_class=EventSourceResponse)
def stream(
    request: Request,
    caller: Annotated[Caller, Needs(Role.viewer, scope="stream")],
    store: Store,
    settings: App,
    now: Now,
    kinds: Annotated[list[Literal["anomalies", "rulings", "cases"]], Query(description="default: all")] = [],  # noqa: B006
    last_event_id: Annotated[str | None, Header(max_length=100, description="the id of the last event that you had")] = None,
) -> EventSourceResponse:
    """Server-sent events `anomaly`, `ruling` and `case`, each with `{"id", "at", "now"}`: what changed and what it is now.

    With the Last-Event-ID of an earlier stream it goes on right there, nothing left out, nothing twice. The first event is
    `ready`, or `gap` when that place is too old: then read the lists again. The stream ends when its key does.
    """
    if request.app.state.streams >= MOST_STREAMS:
        raise Problem(429, detail="Too many streams are open here.", headers={"Retry-After": "30"})
    place = read_place(last_event_id) if last_event_id is not None else None
    if last_event_id is not None and place is None:
        raise Problem(422, detail="Last-Event-ID: is not the id of an event of this stream.", field="Last-Event-ID")
    gap = place is not None and forgotten(place, now, settings.gateway.changes_s)
    chosen = tuple(KINDS[kind] for kind in (kinds or KINDS))
    follower = Follower(request, caller, store, place or beginning(store), chosen, gap)
    if gap:
        follower = replace(follower, place=beginning(store))
    return EventSourceResponse(follower.events(), ping=PING_S, headers={"Cache-Control": "no-store"})
