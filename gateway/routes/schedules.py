"""Schedules over HTTP: list, make, change, run now, pause, remove, and how the runs went."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import problems
from gateway.access import Needs, Now, Store
from schedule import schedules
from schedule.errors import UnknownSchedule
from schedule.plan import Timing
from schedule.registry import SUMMARIES
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="schedules")]
Admin = Annotated[Caller, Needs(Role.admin, scope="schedules")]
Name = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=["daily-digest"])]
problems.register({UnknownSchedule: 404})


class ScheduleIn(BaseModel):
    """When which job runs."""

    job: str = Field(max_length=40, examples=["digest"], description=f"one of {', '.join(SUMMARIES)}")
    cron: str | None = Field(None, max_length=100, examples=["30 2 * * *"], description="five fields, read in `zone`")
    every_s: float | None = Field(None, ge=1, le=366 * 86_400, description="an interval instead of cron")
    zone: str = Field("UTC", max_length=64, examples=["Europe/Berlin"])
    misfire: Literal["once", "skip"] = Field(
        "once", description="runs missed while nothing was up: one makes up for them, or none"
    )
    grace_s: float = Field(3600, ge=0, le=366 * 86_400, description="a run this late is still on time")
    arguments: dict[str, str | float | bool] = Field({}, examples=[{"hours": 24}])
    cached: bool = Field(True, description="while nothing is new, give the last answer again, marked")


class ScheduleItem(ScheduleIn):
    """A schedule and how its last run ended."""

    schedule_id: str
    enabled: bool
    origin: str
    next_at: AwareDatetime | None
    asked_at: AwareDatetime | None
    last_run: int | None
    last_state: str | None
    last_at: AwareDatetime | None
    last_error: str | None


class ScheduleList(BaseModel):
    """All schedules of the tenant, and the jobs there are."""

    items: list[ScheduleItem]
    jobs: dict[str, str]


class RunItem(BaseModel):
    """One run. `answer_of`: the run whose answer this is, when nothing was new."""

    run_id: int
    schedule_id: str
    job: str
    due_at: AwareDatetime
    reason: str
    state: str
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    result: dict[str, Any] | None
    answer_of: int | None
    error: str | None


class RunPage(BaseModel):
    """Runs, the newest first."""

    items: list[RunItem]
    next: str | None


@router.get("", summary="List the schedules")
def list_schedules(caller: Viewer, store: Store) -> ScheduleList:
    """Every schedule with its next moment, and what can be scheduled."""
    rows = schedules.every(store, caller.tenant)
    return ScheduleList(items=[ScheduleItem(**row) for row in rows], jobs=SUMMARIES)


@router.put("/{name}", summary="Make or change a schedule")
def put_schedule(caller: Admin, store: Store, now: Now, name: Name, wanted: ScheduleIn) -> ScheduleItem:
    """It is due next after now."""
    timing = Timing(wanted.cron, wanted.every_s, wanted.zone, wanted.misfire, wanted.grace_s)
    definition = schedules.Definition(name, wanted.job, timing, wanted.arguments, wanted.cached)
    with store.connection() as connection:
        return ScheduleItem(**schedules.put(connection, caller.tenant, caller.actor, definition, now))


@router.post("/{name}/run", status_code=202, summary="Run it now")
def run_now(caller: Admin, store: Store, now: Now, name: Name) -> ScheduleItem:
    """A worker (`conclave operate`) takes it; asking again before it began changes nothing."""
    with store.connection() as connection:
        schedules.run_now(connection, caller.tenant, caller.actor, name, now)
        return ScheduleItem(**schedules.one(connection, caller.tenant, name))


@router.post("/{name}/{verb}", summary="Pause it or let it go on")
def pause(caller: Admin, store: Store, now: Now, name: Name, verb: Literal["pause", "resume"]) -> ScheduleItem:
    """Moments that pass meanwhile are not made up for."""
    with store.connection() as connection:
        schedules.pause(connection, caller.tenant, caller.actor, name, now, enabled=verb == "resume")
        return ScheduleItem(**schedules.one(connection, caller.tenant, name))


@router.delete("/{name}", status_code=204, summary="Remove a schedule")
def remove(caller: Admin, store: Store, name: Name) -> None:
    """With the history of its runs. The default ones can only be paused."""
    with store.connection() as connection:
        schedules.remove(connection, caller.tenant, caller.actor, name)


@router.get("/{name}/runs", summary="List runs")
def list_runs(
    caller: Viewer, store: Store, name: Name, limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=r"^\d{1,18}$")] = None,
) -> RunPage:  # fmt: skip
    """The newest first; `next` is the `after` of the following page."""
    rows = schedules.runs(store, caller.tenant, name, before=None if after is None else int(after), limit=limit)
    return RunPage(items=[RunItem(**row) for row in rows], next=str(rows[-1]["run_id"]) if len(rows) == limit else None)
