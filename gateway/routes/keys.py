"""API keys: make, list, rotate, revoke."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access import Needs, Now, Store
from gateway.problems import Problem
from trust import keys
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Admin = Annotated[Caller, Needs(Role.admin, scope="keys")]
KeyId = Annotated[str, Path(max_length=64, examples=["0f3a9c21b7de"])]
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
def create_key(caller: Admin, store: Store, now: Now, wanted: NewKey) -> MadeKey:
    """The answer holds the key; it is never shown again."""
    expires_at = _after(now, wanted.expires_in_s)
    with store.connection() as connection:
        issued = keys.create(
            connection, caller.tenant, wanted.name, Role[wanted.role], actor=caller.actor, now=now, scopes=wanted.scopes,
            expires_at=expires_at,
        )  # fmt: skip
    return MadeKey(key_id=issued.key_id, key=issued.text)


@router.post("/{key_id}/rotate", status_code=201, summary="Replace a key")
def rotate_key(caller: Admin, store: Store, now: Now, key_id: KeyId, grace_s: float = keys.GRACE_S) -> MadeKey:
    """A new key with the same name, role and scopes; the old one opens for `grace_s` seconds more."""
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


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return now + timedelta(seconds=seconds) if seconds is not None else None
