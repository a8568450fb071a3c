"""API keys: make, list, rotate, revoke."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import Needs, Now, Store, in_scope
from gateway.problems import Problem
from trust import keys
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Admin = Annotated[Caller, Needs(Role.admin, scope="keys")]
KeyId = Annotated[str, Path(max_length=64, examples=["0f3a9c21b7de"])]
Grace = Annotated[float, Query(ge=0, le=90 * 86_400, description="seconds that the old key still opens")]
NO_KEY = "No key of yours with this id can still be used."


class NewKey(BaseModel):
    """What a new key may do."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$", examples=["shop backend"])
    role: Literal["viewer", "analyst", "admin"] = "viewer"
    scopes: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_:.-]{0,63}$")]] = Field([], max_length=20, examples=[["events"]])
    expires_in_s: float | None = Field(None, gt=0, le=10 * 365 * 86_400, description="seconds from now; none: until revoked")


class MadeKey(BaseModel):
    """The key itself, shown this once."""

    key_id: str
    key: str = Field(examples=["conclave_0f3a9c21b7de_5c…"])


class KeyItem(BaseModel):
    """A key without its secret."""

    key_id: str
    name: str
    role: str
    scopes: list[str]
    created_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    replaces: str | None
    last_used_at: AwareDatetime | None = Field(description="to the minute")


class KeyList(BaseModel):
    """All keys of the tenant."""

    items: list[KeyItem]


@router.get("", summary="List the keys")
def list_keys(caller: Admin, store: Store) -> KeyList:
    """Every key of your tenant, oldest first; ended ones too."""
    return KeyList(items=[KeyItem(**row) for row in keys.listed(store, caller.tenant)])


@router.post("", status_code=201, summary="Make a key")
def create_key(request: Request, caller: Admin, store: Store, now: Now, wanted: NewKey) -> MadeKey:
    """The answer holds the key; it is never shown again. A key that is limited to scopes makes none that may more."""
    check_scopes(wanted.scopes, request.app.state.scopes)
    check_no_more(caller, wanted.scopes)
    expires_at = _after(now, wanted.expires_in_s)
    with store.connection() as connection:
        issued = keys.create(
            connection, caller.tenant, wanted.name, Role[wanted.role], actor=caller.actor, now=now, scopes=wanted.scopes,
            expires_at=expires_at,
        )  # fmt: skip
    return MadeKey(key_id=issued.key_id, key=issued.text)


@router.post("/{key_id}/rotate", status_code=201, summary="Replace a key")
def rotate_key(caller: Admin, store: Store, now: Now, key_id: KeyId, grace_s: Grace = keys.GRACE_S) -> MadeKey:
    """A new key with the same name, role and scopes; the old one opens for `grace_s` seconds more."""
    held = next((key["scopes"] for key in keys.listed(store, caller.tenant) if key["key_id"] == key_id), None)
    if held is not None:
        check_no_more(caller, held)
    with store.connection() as connection:
        issued = keys.rotate(connection, caller.tenant, key_id, actor=caller.actor, now=now, grace_s=grace_s)
    if issued is None:
        raise Problem(404, detail=NO_KEY)
    return MadeKey(key_id=issued.key_id, key=issued.text)


@router.delete("/{key_id}", status_code=204, summary="End a key at once")
def revoke_key(caller: Admin, store: Store, now: Now, key_id: KeyId) -> None:
    """From the next request on the key opens nothing."""
    with store.connection() as connection:
        if not keys.revoke(connection, caller.tenant, key_id, actor=caller.actor, now=now):
            raise Problem(404, detail=NO_KEY)


def check_scopes(wanted: Iterable[str], known: Collection[str]) -> None:
    """Raises Problem 422 for a scope that no route has: the key would open nothing."""
    for scope in wanted:
        if scope.partition(":")[0] not in known:
            raise Problem(422, detail=f"scopes: {scope} is none of {', '.join(sorted(known))}.", field="scopes")


def check_no_more(caller: Caller, scopes: Collection[str]) -> None:
    """Raises Problem 403 when a limited caller would come by a key that may more than theirs."""
    if caller.scopes and (not scopes or not all(in_scope(caller, scope) for scope in scopes)):
        raise Problem(403, detail=f"Your key is limited to {', '.join(sorted(caller.scopes))}; the new one would not be.")


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return now + timedelta(seconds=seconds) if seconds is not None else None
