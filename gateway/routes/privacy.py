"""Personal data: what tokens stand for, and forgetting somebody."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import App, Needs, Store
from gateway.problems import Problem, register
from trust import erase, reveal
from trust.errors import (
    ErasureFailed,
    MasterKeyBad,
    MasterKeyGiven,
    MasterKeyMissing,
    MasterKeyWrong,
    NoSubject,
    NotRevealed,
    ReasonMissing,
)
from trust.roles import Caller, Role
from trust.vault import Vault, vault_of

router = APIRouter(prefix="/v1", tags=["privacy"])
register(
    {MasterKeyMissing: 503, MasterKeyBad: 503, MasterKeyWrong: 503, MasterKeyGiven: 409, NotRevealed: 403, ReasonMissing: 422,
     NoSubject: 422, ErasureFailed: 409}
)  # fmt: skip
Analyst = Annotated[Caller, Needs(Role.analyst, scope="privacy")]
Admin = Annotated[Caller, Needs(Role.admin, scope="privacy")]
Token = Annotated[str, Field(min_length=1, max_length=100_000, pattern=r"^[^\x00]*$")]


class Wanted(BaseModel):
    """What is to be shown, and why."""

    tokens: list[Token] = Field(min_length=1, max_length=500, description="`tok_…`, or a sealed text whole")
    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00]*$", examples=["call back of the customer, case-3f…"])


class Shown(BaseModel):
    """What could be shown; unknown and erased ones are left out."""

    values: dict[str, str]


class ErasureLine(BaseModel):
    """What became of the subject in one store."""

    store: str
    removed: int = Field(description="rows, lines or versions that are gone")
    unlinked: int = Field(description="rows in which a mark stands in place of the name")
    kept: int = Field(description="rows that still name it; `note` says why")
    note: str


class Erasure(BaseModel):
    """An erasure; the subject itself is known only by a salted hash."""

    erasure_id: str
    subject_hash: str
    state: str = Field(description="asked, files (Delta and files are left to do), done, failed")
    asked_by: str
    asked_at: AwareDatetime
    finished_at: AwareDatetime | None
    report: list[ErasureLine]
    error: str


class Erasures(BaseModel):
    """A page of erasures, the newest first."""

    items: list[Erasure]
    next: str | None


@router.post("/reveal", summary="Show what tokens stand for")
def show(caller: Analyst, store: Store, app: App, wanted: Wanted) -> Shown:
    """Each reveal is written to the audit log with your reason. Some installations let only admins do this."""
    with store.connection() as connection:
        least = Role[app.privacy.reveal_role]
        values = reveal.reveal(connection, Vault.of(app, caller.tenant), caller, wanted.tokens, wanted.reason, least)
    return Shown(values=values)


@router.delete("/subjects/{entity:path}", status_code=202, summary="Forget somebody")
def forget(
    caller: Admin, store: Store, app: App,
    entity: Annotated[str, Path(max_length=300, examples=["account:A12"], description="`account:ID` or `counterparty:ID`")],
) -> Erasure:  # fmt: skip
    """With tokenised identifiers the key is destroyed before this answers; `conclave operate` does the rest. No way back."""
    _clean(entity, "entity")
    vault = vault_of(app, caller.tenant)
    with store.connection() as connection:
        asked = erase.ask(connection, caller.tenant, caller.actor, entity, vault)
    return _erasure(store, caller.tenant, asked.erasure_id)


@router.get("/erasures", summary="List the erasures")
def list_erasures(
    caller: Admin, store: Store,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
) -> Erasures:  # fmt: skip
    """What was asked to be forgotten, by whom, and how far it is."""
    before, before_id = _cursor(after)
    rows = store.fetch("erasures_newest", tenant=caller.tenant, before=before, before_id=before_id, limit=limit + 1)
    items = [Erasure(**erase.shown(row)) for row in rows[:limit]]
    more = len(rows) > limit and items
    return Erasures(items=items, next=f"{items[-1].asked_at.isoformat()}|{items[-1].erasure_id}" if more else None)


@router.get("/erasures/{erasure_id}", summary="Read an erasure's report")
def read_erasure(caller: Admin, store: Store, erasure_id: Annotated[str, Path(max_length=64)]) -> Erasure:
    """What was removed where, what stays and in what form."""
    _clean(erasure_id, "erasure_id")
    return _erasure(store, caller.tenant, erasure_id)


def _erasure(store: Store, tenant: str, erasure_id: str) -> Erasure:
    rows = store.fetch("erasure", tenant=tenant, erasure_id=erasure_id)
    if not rows:
        raise Problem(404, detail="No erasure of yours has this id.")
    return Erasure(**erase.shown(rows[0]))


def _clean(text: str, field: str) -> None:
    if "\0" in text:
        raise Problem(422, detail=f"{field}: holds a zero byte", field=field)


def _cursor(after: str | None) -> tuple[datetime | None, str]:
    if after is None:
        return None, ""
    moment, _, erasure_id = after.partition("|")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as error:
        raise Problem(422, detail="after: is not a `next` of ours", field="after") from error
    if at.tzinfo is None or "\0" in erasure_id:
        raise Problem(422, detail="after: is not a `next` of ours", field="after")
    return at, erasure_id
