"""Segments over HTTP: a filter on a topic, and the processors that act on what passes."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import Store
from gateway.cursors import closed, opened, text
from gateway.processing import NAME
from gateway.routes.topics import Admin, After, Limit, Text, Viewer
from pipelines import catalogue
from pipelines.errors import Unknown
from store.database import Connection, fetch

router = APIRouter(prefix="/v1/segments", tags=["pipelines"])
Name = Annotated[str, Path(pattern=NAME, examples=["big-spenders"])]
ProcessorName = Annotated[str, Field(pattern=NAME)]


class SegmentSettings(BaseModel):
    """What a segment is told. Processors act in this order."""

    topic: str = Field("*", max_length=200, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]*)$", description="`*` is every topic")
    filter: str = Field("", max_length=4000, pattern=r"^[^\x00]*$", description="CEL over the event; none takes all",
                        examples=['kind == "transaction" && amount > 100.0'])  # fmt: skip
    processors: list[ProcessorName] = Field([], max_length=100, examples=[["vip", "stolen-cards"]])
    enabled: bool = True
    description: Text = ""


class SegmentIn(SegmentSettings):
    """A new segment."""

    segment: str = Field(pattern=NAME, examples=["big-spenders"])


class SegmentChange(SegmentSettings):
    """A segment as it shall be; with `revision` only if nobody changed it since."""

    revision: int | None = Field(None, ge=1, le=2**31 - 1)


class SegmentItem(SegmentSettings):
    """A segment."""

    segment: str
    revision: int
    created_by: str
    created_at: AwareDatetime
    updated_by: str
    updated_at: AwareDatetime


class SegmentPage(BaseModel):
    """Segments by name."""

    items: list[SegmentItem]
    next: str | None


@router.get("", summary="List the segments")
def list_segments(caller: Viewer, store: Store, limit: Limit = 100, after: After = None) -> SegmentPage:
    """By name."""
    start = opened(after, text)[0] if after else ""
    rows = store.fetch("list_segments", tenant=caller.tenant, after=start, limit=limit)
    return SegmentPage(
        items=[SegmentItem(**row) for row in rows], next=closed(rows[-1]["segment"]) if len(rows) == limit else None
    )


@router.post("", status_code=201, summary="Make a segment")
def create_segment(caller: Admin, store: Store, wanted: SegmentIn) -> SegmentItem:
    """It acts from the stream's next batch on, with the live versions of its processors."""
    with store.connection() as connection:
        catalogue.put_segment(connection, caller.tenant, **wanted.model_dump(), actor=caller.actor, new=True)
        return one(connection, caller.tenant, wanted.segment)


@router.get("/{segment}", summary="A segment")
def get_segment(caller: Viewer, store: Store, segment: Name) -> SegmentItem:
    """As it is now."""
    with store.connection() as connection:
        return one(connection, caller.tenant, segment)


@router.put("/{segment}", summary="Make or change a segment")
def put_segment(caller: Admin, store: Store, segment: Name, wanted: SegmentChange) -> SegmentItem:
    """409 when it has another revision than the one that is given."""
    with store.connection() as connection:
        catalogue.put_segment(connection, caller.tenant, segment, **wanted.model_dump(), actor=caller.actor)
        return one(connection, caller.tenant, segment)


@router.delete("/{segment}", status_code=204, summary="Delete a segment")
def delete_segment(caller: Admin, store: Store, segment: Name) -> None:
    """Its processors stay."""
    with store.connection() as connection:
        catalogue.remove_segment(connection, caller.tenant, segment, actor=caller.actor)


def one(connection: Connection, tenant: str, segment: str) -> SegmentItem:
    rows = fetch(connection, "find_segment", tenant=tenant, segment=segment)
    if not rows:
        raise Unknown(f"`{segment}`.")
    return SegmentItem(**rows[0])
