"""Maintenance windows: planned work, during which what begins is held quiet."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from desk import quiet
from gateway import cursors
from gateway.access import Needs, Now, Store
from gateway.casework import answers
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/maintenance", tags=["maintenance"])
Reader = Annotated[Caller, Needs(Role.viewer, scope="cases")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="cases")]


class Plan(BaseModel):
    """Planned work."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$", examples=["payments moves"])]
    pattern: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$", examples=["service:pay*"])]
    kinds: list[Literal["account", "counterparty", "service", "series"]] = Field([], max_length=4, description="empty: all")
    starts_at: AwareDatetime = Field(description="event time")
    ends_at: AwareDatetime


class WindowItem(BaseModel):
    window_id: int
    title: str
    pattern: str
    kinds: list[str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    created_by: str
    created_at: AwareDatetime
    ended_by: str | None


class Holding(WindowItem):
    holds: int = Field(description="cases that it keeps quiet")


class WindowPage(BaseModel):
    items: list[Holding]
    next: str | None


@router.get("", summary="Maintenance windows")
def windows(
    caller: Reader,
    store: Store,
    current: Annotated[bool, Query(description="only those not over")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
) -> WindowPage:
    """The newest first, each with how many cases it keeps quiet."""
    last = cursors.opened(after, cursors.big)[0] if after is not None else None
    rows = quiet.windows(store, caller.tenant, current=current, after=last, limit=limit + 1)
    more = cursors.closed(rows[limit - 1]["window_id"]) if len(rows) > limit else None
    return WindowPage(items=[Holding(**row) for row in rows[:limit]], next=more)


@router.post("", summary="Plan maintenance", status_code=201)
def plan(caller: Analyst, store: Store, asked: Plan) -> WindowItem:
    """Cases of matching entities that begin in it are held quiet, and released when they go on after its end."""
    with store.connection() as connection:
        return WindowItem(**quiet.plan(connection, caller, **asked.model_dump()))


@router.delete("/{window_id}", summary="End maintenance now", responses=answers(404))
def end(caller: Analyst, store: Store, now: Now, window_id: Annotated[int, Path(ge=1, lt=2**63)]) -> WindowItem:
    """Cut it short; cases that go on are released."""
    with store.connection() as connection:
        return WindowItem(**quiet.end(connection, caller, window_id, now))
