"""Data lists over HTTP: upload, look, go back, delete; and the worker pools of slow processors."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import App, Store
from gateway.cursors import closed, opened, text
from gateway.processing import NAME, Text
from gateway.routes.topics import Admin, After, Limit, Viewer
from pipelines import lists
from pipelines.errors import Unknown
from store.database import Connection, fetch

router = APIRouter(prefix="/v1/lists", tags=["pipelines"])
Name = Annotated[str, Path(pattern=NAME, examples=["vip"])]
Item = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ListIn(BaseModel):
    """A version of a list: `items`, or `table` (key → column → text), or `csv` whose first column is the key."""

    items: list[Item] | None = Field(None, max_length=200_000, examples=[["A17", "A23"]])
    table: dict[Item, dict[str, Item]] | None = Field(None, examples=[{"T1": {"country": "CH", "risk": "0.2"}}])
    csv: str | None = Field(None, max_length=20_000_000, examples=["key,country\nT1,CH\n"])
    holds: Literal["account", "counterparty", "other"] = Field(
        "other", description="what the keys are; identifiers are kept as tokens where ingest tokenises them"
    )
    description: Text = ""
    why: Text = ""


class LiveList(BaseModel):
    """The version that shall act."""

    version: int = Field(ge=1, le=2**31 - 1)
    why: Text = ""


class ListItem(BaseModel):
    """A data list, without its items."""

    list_: str = Field(alias="list")
    description: str
    holds: str
    columns: list[str]
    live_version: int | None
    items: int | None
    created_by: str
    created_at: AwareDatetime
    changed_at: AwareDatetime | None


class ListPage(BaseModel):
    """Lists by name."""

    items: list[ListItem]
    next: str | None


class ListVersion(BaseModel):
    """One version of a list; it never changes."""

    version: int
    items: int
    sha256: str
    why: str
    created_by: str
    created_at: AwareDatetime


class ListDetail(ListItem):
    """A list with its versions, newest first, and what uses it."""

    versions: list[ListVersion]
    used_by: list[str]


class Entry(BaseModel):
    """An item of a list."""

    key: str
    data: dict[str, str]


class EntryPage(BaseModel):
    """Items by key."""

    version: int
    items: list[Entry]
    next: str | None


@router.get("", summary="List the data lists")
def all_lists(caller: Viewer, store: Store, limit: Limit = 100, after: After = None) -> ListPage:
    """By name."""
    start = opened(after, text)[0] if after else ""
    rows = store.fetch("all_lists", tenant=caller.tenant, after=start, limit=limit)
    return ListPage(items=[ListItem(**row) for row in rows], next=closed(rows[-1]["list"]) if len(rows) == limit else None)


@router.put("/{name}", summary="Write a version of a list")
def put_list(caller: Admin, store: Store, app: App, name: Name, wanted: ListIn) -> ListDetail:
    """The list is made when there is none. The new version acts from the stream's next batch on."""
    items = lists.given(wanted.items, wanted.table, wanted.csv)
    protect = lists.protector(app, store, caller.tenant)
    with store.connection() as connection:
        lists.put_list(connection, caller.tenant, name, items, actor=caller.actor, why=wanted.why, description=wanted.description,
                       holds=wanted.holds, protect=protect, most=app.pipelines.list_items)  # fmt: skip
        return one(connection, caller.tenant, name)


@router.get("/{name}", summary="A data list")
def get_list(caller: Viewer, store: Store, name: Name) -> ListDetail:
    """With its versions and what uses it."""
    with store.connection() as connection:
        return one(connection, caller.tenant, name)


@router.get("/{name}/items", summary="Items of a list")
def get_items(caller: Viewer, store: Store, name: Name, version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
              limit: Limit = 100, after: After = None) -> EntryPage:  # fmt: skip
    """By key; of the live version when none is named."""
    start = opened(after, text)[0] if after else ""
    with store.connection() as connection:
        live = one(connection, caller.tenant, name).live_version
        number = version if version is not None else (live or 0)
        rows = fetch(connection, "page_list", tenant=caller.tenant, list=name, version=number, after=start, limit=limit)
    following = closed(rows[-1]["key"]) if len(rows) == limit else None
    return EntryPage(version=number, items=[Entry(**row) for row in rows], next=following)


@router.post("/{name}/live", summary="Go back to a version of a list")
def go_live(caller: Admin, store: Store, name: Name, wanted: LiveList) -> ListDetail:
    """From the stream's next batch on."""
    with store.connection() as connection:
        lists.set_live_list(connection, caller.tenant, name, wanted.version, actor=caller.actor, why=wanted.why)
        return one(connection, caller.tenant, name)


@router.delete("/{name}", status_code=204, summary="Delete a data list")
def delete_list(caller: Admin, store: Store, name: Name) -> None:
    """409 names what looks at it."""
    with store.connection() as connection:
        lists.remove_list(connection, caller.tenant, name, actor=caller.actor)


def one(connection: Connection, tenant: str, name: str) -> ListDetail:
    rows = fetch(connection, "find_list", tenant=tenant, list=name)
    if not rows:
        raise Unknown(f"`{name}`.")
    versions = fetch(connection, "versions_of_list", tenant=tenant, list=name, limit=100)
    return ListDetail(
        **rows[0], versions=[ListVersion(**row) for row in versions], used_by=lists.users_of(connection, tenant, name)
    )
