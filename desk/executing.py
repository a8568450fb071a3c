"""Sends approved commands. A run is leased while it is sent; a crash between sending and recording is sent again with its key.

The receiver must honour the Idempotency-Key; on our side a run has one holder at a time and an answer is recorded only by it.
"""

import os
import socket
from datetime import datetime
from typing import Any

import httpx

from desk import commands, telling, webhook
from desk.timeline import Entry
from desk.webhook import Answer
from observe.telemetry import work
from rag.items import canonical
from store.database import Connection, Database, fetch, run
from store.outbox import publish
from store.sections.desk import Desk

ROW = dict[str, Any]
WORKER = f"desk@{socket.gethostname()}/{os.getpid()}"
MOST = 20
ENDS = {(True, False): "executed", (True, True): "undone", (False, False): "failed", (False, True): "executed"}  # well, undoing


def execute(database: Database, desk: Desk, *, worker: str = WORKER, now: datetime | None = None) -> int:
    """Send the runs that are due, a bounded number of them; how many were tried. `now` stands for the database's clock."""
    tried = 0
    with httpx.Client(timeout=desk.webhook_timeout_s, follow_redirects=False, trust_env=False) as client:
        while tried < MOST and (taken := take(database, desk, worker, now)) is not None:
            at = now or database.fetch("database_now")[0]["now"]
            with work.execution(database, taken["command"], taken["attempts"]):
                answer = _tried(client, taken, desk, at)
            after = now or database.fetch("database_now")[0]["now"]
            record(database, taken, answer, desk, worker, after, (after - at).total_seconds() * 1000)
            tried += 1
            if answer is not None and answer.status is None:
                break  # nobody there: cases must not wait for one timeout after another
    return tried


def take(database: Database, desk: Desk, worker: str, now: datetime | None = None) -> ROW | None:
    """Lease the next run, with its command; None when nothing is due. The lease outlasts two timeouts."""
    with database.connection() as connection:
        at = now or fetch(connection, "database_now")[0]["now"]
        rows = fetch(connection, "desk_take_run", worker=worker, lease_s=3 * desk.webhook_timeout_s + 30, now=at)
        if not rows:
            return None
        command = fetch(connection, "desk_command", tenant=rows[0]["tenant"], command_id=rows[0]["command_id"])[0]
        return {**rows[0], "command": command, "taken_at": at}


def _tried(client: httpx.Client, taken: ROW, desk: Desk, at: datetime) -> Answer | None:
    """The answer of one attempt; None when it is too old to be sent at all."""
    address, secret = webhook.url(taken["command"]["action"], desk), desk.webhook_secret
    if at > taken["give_up_at"]:
        return None
    if not address or secret is None:
        return Answer(None, "", "no webhook is set for it any longer (desk.webhook_url, desk.webhook_secret)")
    return webhook.send(client, address, secret.get_secret_value(), taken["run_id"], taken["body"], at)


def record(database: Database, taken: ROW, answer: Answer | None, desk: Desk, worker: str, now: datetime, took_ms: float) -> bool:
    """Write what came back, in one transaction with what follows; False, and nothing, when the lease is no longer ours."""
    with database.connection() as connection:
        held = fetch(connection, "desk_hold_run", run_id=taken["run_id"], tenant=taken["tenant"], worker=worker,
                     attempts=taken["attempts"])  # fmt: skip
        if not held:
            return False
        outcome, why = judged(answer, taken["attempts"], desk)
        work.commanded(taken["command"]["action"], outcome)
        again_at = now + webhook.wait(taken["attempts"], answer, desk, now) if outcome == "again" and answer else None
        run(connection, "desk_answer_run", run_id=taken["run_id"], tenant=taken["tenant"], not_before=again_at,
            state={"done": "done", "again": "waiting", "failed": "failed"}[outcome],
            finished_at=None if outcome == "again" else now,
            answer=canonical([_kept(answer, taken, why, now, took_ms)]))  # fmt: skip
        if outcome != "again":
            _conclude(connection, taken, outcome == "done", why, desk, now)
        return True


def judged(answer: Answer | None, attempts: int, desk: Desk) -> tuple[webhook.Verdict, str]:
    """What an attempt means, and why in words."""
    if answer is None:
        return "failed", "given up: the approval is too old to be carried out"
    said = answer.error or f"the webhook answered {answer.status}"
    found = webhook.verdict(answer)
    if found == "again" and attempts >= desk.webhook_attempts:
        return "failed", f"given up after {attempts} attempts: {said}"
    return found, said


def _kept(answer: Answer | None, taken: ROW, why: str, now: datetime, took_ms: float) -> ROW:
    status, body = (None, "") if answer is None else (answer.status, answer.body)
    kept = {"attempt": taken["attempts"], "at": now.isoformat(), "status": status, "body": body, "took_ms": round(took_ms, 1)}
    return kept | ({} if status is not None else {"error": why})


def _conclude(connection: Connection, taken: ROW, well: bool, why: str, desk: Desk, now: datetime) -> None:
    """The command's new state, its entry and its message. A failed undo leaves the command executed."""
    row, undoing = taken["command"], taken["purpose"] == "undo"
    fetch(connection, "desk_lock_command", tenant=taken["tenant"], command_id=taken["command_id"])
    state = ENDS[well, undoing]
    if well and not undoing:
        commands.finished(connection, row, state, desk, now)
    else:
        run(connection, "desk_command_state", tenant=taken["tenant"], command_id=taken["command_id"], state=state, now=now,
            executed_at=None, undo_until=None)  # fmt: skip
    said = f"{'undo' if undoing else 'carry out'} {row['action'].replace('_', ' ')} {row['target']}: {why}"
    said = ("sent the webhook to " if well else "could not ") + said
    detail = {"run_id": taken["run_id"], "attempts": taken["attempts"]}
    commands.enter(connection, row, Entry(_kind(well, undoing), said, detail=detail), now, desk)
    dedupe = f"{taken['run_id']}:{taken['attempts']}:{now.isoformat()}"
    kind = "command.executed" if well else "command.failed"
    publish(connection, telling.of_command({**row, "state": state}, kind, row["severity"], said, dedupe))


def _kind(well: bool, undoing: bool) -> str:
    return ("undone" if undoing else "executed") if well else "failed"
