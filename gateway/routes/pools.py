"""Worker pools of slow processors over HTTP: how large, how full, and what they did."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import App, Store
from gateway.cursors import big, closed, opened
from gateway.processing import NAME
from gateway.routes.topics import Admin, After, Limit, Viewer
from pipelines import pools

router = APIRouter(prefix="/v1/pools", tags=["pipelines"])
Name = Annotated[str, Path(pattern=NAME, examples=["default"])]

State = Annotated[Literal["waiting", "leased", "done", "dead"] | None, Query()]


class PoolIn(BaseModel):
    """How much a pool may do."""

    size: int = Field(2, ge=1, le=100, description="calls at the same time, over all processes")
    queue_limit: int = Field(1000, ge=1, le=1_000_000, description="waiting items; what comes above is counted as overflowed")
    timeout_s: float = Field(30, gt=0, le=3600, description="of one call")
    attempts: int = Field(3, ge=1, le=20)


class PoolItem(PoolIn):
    """A pool and what lies in it; `configured` false: with the settings' defaults."""

    pool: str
    waiting: int
    running: int
    dead: int
    configured: bool


class PoolList(BaseModel):
    """All pools of the tenant."""

    items: list[PoolItem]


class WorkItem(BaseModel):
    """One event in a pool; `answer` is untrusted."""

    work_id: int
    pool: str
    processor: str
    version: int
    segment: str
    state: str
    attempts: int
    last_error: str | None
    answer: dict[str, Any] | None
    enqueued_at: AwareDatetime
    finished_at: AwareDatetime | None


class WorkPage(BaseModel):
    """Work, newest first."""

    items: list[WorkItem]
    next: str | None


@router.get("", summary="List the worker pools")
def list_pools(caller: Viewer, store: Store, app: App) -> PoolList:
    """Those that are configured, and those that have work."""
    return PoolList(items=[PoolItem(**row) for row in pools.every(store, caller.tenant, app.pipelines)])


@router.put("/{pool}", summary="Configure a worker pool")
def put_pool(caller: Admin, store: Store, app: App, pool: Name, wanted: PoolIn) -> PoolItem:
    """Its workers (`conclave operate`) heed it from the next item on."""
    with store.connection() as connection:
        pools.configure(connection, caller.tenant, pool, pools.Pool(**wanted.model_dump()), actor=caller.actor)
    return next(PoolItem(**row) for row in pools.every(store, caller.tenant, app.pipelines) if row["pool"] == pool)


@router.get("/{pool}/work", summary="What a pool did")
def list_work(caller: Viewer, store: Store, pool: Name, state: State = None, limit: Limit = 100, after: After = None) -> WorkPage:
    """Newest first."""
    last = opened(after, big)[0] if after else None
    rows = store.fetch("list_work", tenant=caller.tenant, pool=pool, state=state, after=last, limit=limit)
    return WorkPage(items=[WorkItem(**row) for row in rows], next=closed(rows[-1]["work_id"]) if len(rows) == limit else None)
