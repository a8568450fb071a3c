"""The audit log: who did what, and the proof that nobody changed it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import Needs, Owner, Store
from gateway.cursors import big, closed, opened
from trust import audit
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/audit", tags=["audit"])
Admin = Annotated[Caller, Needs(Role.admin, scope="audit")]


class AuditEntry(BaseModel):
    """One link of the chain."""

    seq: int
    at: AwareDatetime
    actor: str = Field(examples=["key:0f3a9c21b7de"])
    action: str = Field(examples=["key.create"])
    subject: str
    detail: dict[str, Any]


class AuditPage(BaseModel):
    """Newest first."""

    items: list[AuditEntry]
    next: str | None = Field(description="`after` of the next page; null at the end")


class ChainVerdict(BaseModel):
    """`broken` is the number of the first entry that does not hold."""

    tenant: str
    entries: int = Field(description="entries that hold, from the first")
    head: str = Field(description="hash of the last of them: kept elsewhere, it proves that none was cut off")
    broken: int | None
    why: str


@router.get("", summary="Read the log")
def read_log(
    caller: Admin,
    store: Store,
    subject: Annotated[str | None, Query(max_length=400, description="only what was done to it")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> AuditPage:
    """What anyone of your tenant did, newest first."""
    before = opened(after, big)[0] if after is not None else None
    rows = store.fetch("audit_newest", tenant=caller.tenant, subject=subject, before=before, limit=limit + 1)
    more = closed(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return AuditPage(items=[AuditEntry(**row) for row in rows[:limit]], next=more)


@router.get("/verify", summary="Prove that it is whole")
def verify_log(caller: Admin, database: Owner) -> ChainVerdict:
    """Follows your tenant's chain of hashes from its first entry and names the first link that is broken."""
    verdict = audit.verify(database, caller.tenant)
    return ChainVerdict(tenant=verdict.tenant, entries=verdict.entries, head=verdict.head, broken=verdict.broken, why=verdict.why)
