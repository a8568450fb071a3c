"""Commands: what the council proposes, approved or turned down by people, and what became of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from desk import commands
from gateway import cursors
from gateway.access import App, Needs, Store
from gateway.casework import CommandItem, Short, Text, answers, seen
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/commands", tags=["commands"])
Reader = Annotated[Caller, Needs(Role.viewer, scope="commands")]
Analyst = Annotated[Caller, Needs(Role.analyst, scope="commands")]
CommandId = Annotated[str, Path(max_length=100, pattern=r"^command-[\w-]{1,90}$", examples=["command-3fa9"])]
State = Literal["proposed", "withdrawn", "approved", "rejected", "executed", "failed", "undoing", "undone"]


class CommandPage(BaseModel):
    items: list[CommandItem]
    next: str | None


class Run(BaseModel):
    """One carrying out (or undoing), with every answer of the webhook."""

    run_id: str = Field(description="the Idempotency-Key")
    purpose: Literal["do", "undo"]
    state: Literal["waiting", "leased", "done", "failed"]
    attempts: int
    not_before: AwareDatetime
    give_up_at: AwareDatetime
    answers: list[dict[str, Any]]
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class CommandWhole(CommandItem):
    head_id: str | None = Field(description="the case that it is shown in")
    possible: list[str]
    runs: list[Run]


class Decision(BaseModel):
    """Why, and on which ruling's ground."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = ""
    ruling_id: Short | None = Field(None, description="the ruling you saw it rest on; 409 when a later one has replaced it")


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Text = ""


class Refusal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]*\S[^\x00]*$")]


@router.get("", summary="Commands")
def listed(
    caller: Reader,
    store: Store,
    state: Annotated[list[State] | None, Query(description="default: all")] = None,
    case_id: Annotated[str | None, Query(max_length=130)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before")] = None,
) -> CommandPage:
    """Proposals and what became of them, the newest first."""
    at: tuple[datetime, str] | None = None
    if after is not None:
        when, last = cursors.opened(after, cursors.time, cursors.text)
        at = (when, last)
    states = [str(one) for one in state] if state else None
    case = case_id.replace("\0", "") if case_id else None
    rows = commands.commands(store, caller.tenant, states=states, case_id=case, after=at, limit=limit + 1)
    more = cursors.closed(rows[limit - 1]["created_at"].isoformat(), rows[limit - 1]["command_id"]) if len(rows) > limit else None
    return CommandPage(items=[CommandItem(**seen(caller, row)) for row in rows[:limit]], next=more)


@router.get("/{command_id}", summary="A command", responses=answers(404))
def one(caller: Reader, store: Store, command_id: CommandId) -> CommandWhole:
    """A command with every attempt to carry it out and what was answered."""
    return CommandWhole(**seen(caller, commands.command(store, caller.tenant, command_id)))


@router.post("/{command_id}/approve", summary="Approve a command", responses=answers(404, 409))
def approve(caller: Analyst, store: Store, app: App, command_id: CommandId, asked: Decision) -> CommandWhole:
    """It is then sent to the webhook, once; a failed one is tried again under the same Idempotency-Key."""
    with store.connection() as connection:
        commands.approve(connection, caller, command_id, desk=app.desk, reason=asked.reason, ruling_id=asked.ruling_id)
    return one(caller, store, command_id)


@router.post("/{command_id}/reject", summary="Turn a command down", responses=answers(404, 409))
def reject(caller: Analyst, store: Store, app: App, command_id: CommandId, asked: Refusal) -> CommandWhole:
    """With a reason; nothing is sent."""
    with store.connection() as connection:
        commands.reject(connection, caller, command_id, desk=app.desk, reason=asked.reason)
    return one(caller, store, command_id)


@router.post("/{command_id}/done", summary="Say that it was done by hand", responses=answers(404, 409))
def done(caller: Analyst, store: Store, app: App, command_id: CommandId, asked: Why) -> CommandWhole:
    """For commands that no webhook carries out, or that it failed to."""
    with store.connection() as connection:
        commands.done(connection, caller, command_id, desk=app.desk, reason=asked.reason)
    return one(caller, store, command_id)


@router.post("/{command_id}/undo", summary="Undo a command", responses=answers(404, 409))
def undo(caller: Analyst, store: Store, app: App, command_id: CommandId, asked: Why) -> CommandWhole:
    """Where its action has an opposite (block and unblock an account …), within the time that the settings allow."""
    with store.connection() as connection:
        commands.undo(connection, caller, command_id, desk=app.desk, reason=asked.reason)
    return one(caller, store, command_id)
