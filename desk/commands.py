"""Commands: proposals until a person, or a policy, approves them; then sent, and undone where that is possible.

proposed → approved → executed | failed; proposed → rejected; failed → approved (again, the same key);
executed → undoing → undone | executed (when the undo failed).
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from desk import file, telling, timeline, webhook
from desk.errors import BadDetail, CommandChanged, UnknownCommand
from desk.timeline import Entry
from store.database import Connection, Queries, fetch, run
from store.outbox import publish
from store.sections.desk import Approval, Desk
from trust import audit
from trust.roles import Caller, Role

STATES = ("proposed", "withdrawn", "approved", "rejected", "executed", "failed", "undoing", "undone")
TRANSITIONS: dict[tuple[str, str], str] = {
    ("proposed", "approve"): "approved", ("failed", "approve"): "approved", ("proposed", "reject"): "rejected",
    ("failed", "reject"): "rejected", ("approved", "done"): "executed", ("failed", "done"): "executed",
    ("executed", "undo"): "undoing", ("undoing", "done"): "undone",
}  # fmt: skip
ROW = dict[str, Any]


def after(state: str, step: str) -> str:
    """The state that follows; raises CommandChanged, which says what it is now.

    >>> after("proposed", "approve")
    'approved'
    """
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise CommandChanged(f"It is {state}; that cannot be followed by “{step}”.") from None


def steps(state: str) -> list[str]:
    """What can be done with a command in this state."""
    return [step for (was, step) in TRANSITIONS if was == state]


def command(queries: Queries, tenant: str, command_id: str) -> ROW:
    """A command with its case's `entity` and `head_id`, its `runs` and what is `possible`. Raises UnknownCommand."""
    with queries.connection() as connection:
        row = _read(connection, tenant, command_id)
        row["runs"] = fetch(connection, "desk_command_runs", tenant=tenant, command_id=command_id)
    return row


def commands(
    queries: Queries, tenant: str, *, states: list[str] | None = None, case_id: str | None = None,
    after: tuple[datetime, str] | None = None, limit: int = 50,
) -> list[ROW]:  # fmt: skip
    """Commands, the newest first; `after`: `created_at` and `command_id` of the last one seen."""
    at, last = after or (None, None)
    return queries.fetch("desk_commands", tenant=tenant, states=states, case_id=case_id, after_at=at, after_id=last, limit=limit)


def approve(
    connection: Connection, caller: Caller, command_id: str, *, desk: Desk, reason: str = "", ruling_id: str | None = None,
    now: datetime | None = None,
) -> ROW:  # fmt: skip
    """Approve a proposal, or a failed command once more; it is sent by the desk's loop. The command as it is then.

    `ruling_id`: the ruling that the person saw it rest on. Raises UnknownCommand, CommandChanged.
    """
    row, at = _lock(connection, caller.tenant, command_id, now)
    if ruling_id is not None and ruling_id != row["ruling_id"]:
        raise CommandChanged("It rests on a later ruling now: read that first.")
    sending = webhook.sent(row["action"], desk)
    how = (
        "" if sending else "; no webhook is set for it (desk.webhook_url, desk.webhook_secret), so carry it out and mark it done"
    )
    _decide(connection, row, after(row["state"], "approve"), caller.actor, reason, at)
    if sending:
        _enqueue(connection, row, "do", caller.actor, desk, at)
    said = f"approved: {_words(row)}{_because(reason)}{how}"
    _told(connection, row, caller, "approved", said, {"reason": reason, "sent": sending}, at, desk)
    return _read(connection, caller.tenant, command_id)


def reject(
    connection: Connection, caller: Caller, command_id: str, *, desk: Desk, reason: str, now: datetime | None = None
) -> ROW:
    """Turn a proposal down, with a reason in words. Raises UnknownCommand, CommandChanged, BadDetail."""
    if not reason.strip():
        raise BadDetail("reason", "say in words why")
    row, at = _lock(connection, caller.tenant, command_id, now)
    _decide(connection, row, after(row["state"], "reject"), caller.actor, reason, at)
    said = f"rejected: {_words(row)}{_because(reason)}"
    _told(connection, row, caller, "rejected", said, {"reason": reason}, at, desk)
    return _read(connection, caller.tenant, command_id)


def done(
    connection: Connection, caller: Caller, command_id: str, *, desk: Desk, reason: str = "", now: datetime | None = None
) -> ROW:
    """Mark a command (or its undo) as carried out by hand; one that is on its way to the webhook cannot be. Raises the same."""
    row, at = _lock(connection, caller.tenant, command_id, now)
    state = after(row["state"], "done")
    runs = fetch(connection, "desk_command_runs", tenant=caller.tenant, command_id=command_id)
    if any(one["state"] in ("waiting", "leased") for one in runs):
        raise CommandChanged("It is being sent; wait for the answer.")
    finished(connection, row, state, desk, at)
    said = f"carried out by hand: {_words(row)}{_because(reason)}"
    _told(connection, row, caller, state, said, {"reason": reason, "by_hand": True}, at, desk, "command.executed")
    return _read(connection, caller.tenant, command_id)


def undo(
    connection: Connection, caller: Caller, command_id: str, *, desk: Desk, reason: str = "", now: datetime | None = None
) -> ROW:
    """Take an executed command back where its action has an opposite, within desk.undo_within_s. Raises the same."""
    row, at = _lock(connection, caller.tenant, command_id, now)
    state = after(row["state"], "undo")
    if row["action"] not in webhook.UNDO:
        raise CommandChanged(f"{row['action'].replace('_', ' ')} cannot be undone.")
    if row["undo_until"] is None or at > row["undo_until"]:
        raise CommandChanged("The time in which it could be undone is over.")
    _decide(connection, row, state, caller.actor, reason, at)
    sending = webhook.sent(row["action"], desk)
    if sending:
        _enqueue(connection, row, "undo", caller.actor, desk, at)
    opposite = webhook.UNDO[row["action"]].replace("_", " ")
    said = f"undoes it: {opposite} {row['target']}{_because(reason)}" + ("" if sending else "; to be carried out by hand")
    _told(connection, row, caller, "undo", said, {"reason": reason, "sent": sending}, at, desk)
    return _read(connection, caller.tenant, command_id)


def allowed(policies: tuple[Approval, ...], row: ROW) -> Approval | None:
    """The policy that approves a proposal (`action`, `outcome`, `confidence`, `severity`) without a person, if one does."""
    if row["outcome"] != "confirmed":
        return None
    return next(
        (
            one
            for one in policies
            if one.action == row["action"] and row["confidence"] >= one.min_confidence and row["severity"] >= one.min_severity
        ),
        None,
    )


def finished(connection: Connection, row: ROW, state: str, desk: Desk, at: datetime) -> None:
    """Write what became of a command; an executed one can be undone for a while."""
    until = at + timedelta(seconds=desk.undo_within_s) if state == "executed" and row["action"] in webhook.UNDO else None
    run(connection, "desk_command_state", tenant=row["tenant"], command_id=row["command_id"], state=state, now=at,
        executed_at=at if state == "executed" else None, undo_until=until)  # fmt: skip


def enter(connection: Connection, row: ROW, entry: Entry, at: datetime, desk: Desk) -> None:
    """A command's entry on the timeline of its case, where the desk has that case."""
    if row.get("filed_id") is None:
        return
    own = file.read(connection, row["tenant"], row["filed_id"])
    head, _ = file.lock(connection, row["tenant"], own.head or own.case_id)
    head = head.next_version(at)
    file.save(connection, head, desk)
    detail = {"command_id": row["command_id"], **entry.detail}
    timeline.write(connection, head, replace(entry, detail=detail), at)


def _lock(connection: Connection, tenant: str, command_id: str, now: datetime | None) -> tuple[ROW, datetime]:
    held = fetch(connection, "desk_lock_command", tenant=tenant, command_id=command_id)
    if not held:
        raise UnknownCommand(f"({command_id[:80]})")
    return _read(connection, tenant, command_id), now or held[0]["now"]


def _read(connection: Connection, tenant: str, command_id: str) -> ROW:
    rows = fetch(connection, "desk_command", tenant=tenant, command_id=command_id)
    if not rows:
        raise UnknownCommand(f"({command_id[:80]})")
    return {**rows[0], "possible": steps(rows[0]["state"])}


def _decide(connection: Connection, row: ROW, state: str, actor: str, reason: str, at: datetime) -> None:
    run(connection, "desk_decide_command", tenant=row["tenant"], command_id=row["command_id"], state=state, actor=actor,
        now=at, decision=reason.strip())  # fmt: skip


def _enqueue(connection: Connection, row: ROW, purpose: str, actor: str, desk: Desk, at: datetime) -> None:
    run(connection, "desk_put_run", run_id=webhook.run_id(row["command_id"], purpose), tenant=row["tenant"],
        command_id=row["command_id"], purpose=purpose, body=webhook.body(row, purpose, actor, at), now=at,
        give_up_at=at + timedelta(seconds=desk.command_ttl_s))  # fmt: skip
    fetch(connection, "desk_notify_work")


def _told(
    connection: Connection, row: ROW, caller: Caller, kind: str, said: str, detail: ROW, at: datetime, desk: Desk,
    message: str = "",
) -> None:  # fmt: skip
    """Timeline, message and audit of what a person did to a command."""
    enter(connection, row, Entry(kind, said, caller.actor, caller.name, detail), at, desk)
    if message:
        told = telling.of_command({**row, "state": kind}, message, row["severity"], said, f"{kind}:{at.isoformat()}")
        publish(connection, told)
    subject, plain = f"command:{row['command_id']}", {key: value for key, value in detail.items() if key != "reason"}
    audit.record(connection, caller.tenant, caller.actor, f"command.{kind}", subject, {"case_id": row["case_id"], **plain})


def policy_approves(connection: Connection, row: ROW, policy: Approval, desk: Desk, at: datetime) -> None:
    """A policy approves a proposal: the same as a person's approval, by the name of the policy."""
    name = f"policy {policy.action} from confidence {policy.min_confidence:.2f}"
    system = Caller(row["tenant"], f"policy:{policy.action}", name, Role.analyst)
    approve(connection, system, row["command_id"], desk=desk, reason=f"confidence {row['confidence']:.2f}", now=at)


def _words(row: ROW) -> str:
    return f"{row['action'].replace('_', ' ')} {row['target']}"


def _because(reason: str) -> str:
    return f" ({reason.strip()})" if reason.strip() else ""
