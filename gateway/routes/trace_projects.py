"""Projects: whose traces they are, how long and in what form they are kept."""

import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import App, Needs, Store
from gateway.problems import Problem
from observe import projects
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/trace-projects", tags=["traces"])
Viewer = Annotated[Caller, Needs(Role.viewer, scope="traces")]
Admin = Annotated[Caller, Needs(Role.admin, scope="traces")]
ProjectName = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=["shop"])]


class ProjectIn(BaseModel):
    """How a project's traces are kept. What is left out is as the settings say, or stays as it is."""

    title: str | None = Field(None, max_length=200)
    retention_days: int | None = Field(None, ge=1, le=3_650)
    keep_share: float | None = Field(None, gt=0, le=1, description="share of ordinary traces that is kept")
    slow_ms: float | None = Field(None, gt=0, le=604_800_000)
    costly: float | None = Field(None, gt=0, lt=1e9)
    low_score: float | None = Field(None, ge=0, le=1)
    text_mode: Literal["plain", "masked", "encrypted", "none"] | None = None
    judged: bool | None = Field(None, description="a language model scores beside the words")
    version: int | None = Field(None, ge=1, lt=2**31, description="the version you saw, to change a project that is there")


class ProjectItem(BaseModel):
    """A project."""

    project: str
    title: str
    retention_days: int
    keep_share: float
    slow_ms: float | None
    costly: float | None
    low_score: float
    text_mode: str
    judged: bool
    created_by: str
    created_at: AwareDatetime
    version: int


class ProjectLine(ProjectItem):
    """A project and what it holds."""

    traces: int
    waiting: int
    newest: AwareDatetime | None


class ProjectList(BaseModel):
    """By name."""

    items: list[ProjectLine]


@router.get("", summary="List the projects")
def list_projects(caller: Viewer, store: Store) -> ProjectList:
    """Those that you may see."""
    rows = projects.listed(store, caller.tenant, projects.allowed(caller))
    return ProjectList(items=[ProjectLine.model_validate(row) for row in rows])


@router.put("/{name}", summary="Make or change a project")
def put_project(caller: Admin, store: Store, settings: App, name: ProjectName, wanted: ProjectIn) -> ProjectItem:
    """A key for it: `conclave keys create --role analyst --scope traces:NAME`. Another text mode holds for what comes later."""
    projects.check_allowed(caller, name)
    values = wanted.model_dump(exclude_none=True, exclude={"version"})
    with store.connection() as connection:
        made = projects.create(connection, caller.tenant, name, values, settings.observe, caller.actor)
        if not made:
            if wanted.version is None:
                raise Problem(409, detail="version: the project is there; give the version you saw to change it", field="version")
            projects.change(connection, caller.tenant, name, values, wanted.version, caller.actor)
    return ProjectItem.model_validate(dataclasses.asdict(projects.get(store, caller.tenant, name)))
