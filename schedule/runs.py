"""Runs of schedules: one taken at a time, recorded from its beginning to its end, cached when nothing is new."""

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from observe.telemetry import catalogue, work
from schedule.errors import JobFailed
from schedule.plan import Turn, next_after, timing_of, turn
from schedule.registry import Context, Result, job
from store.database import Database, fetch, run
from store.errors import ConclaveError
from store.outbox import Message, publish
from store.settings import Settings

Row = dict[str, Any]


def worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def take(database: Database, now: datetime, lease_s: float) -> Row | None:
    """The next run that is due or asked for, leased to this worker; None when nothing is.

    A run whose worker vanished is closed as `lost` when its lease has run out; its moment is not run twice.
    """
    with database.connection() as connection:
        rows = fetch(connection, "due_schedule", now=now)
        if not rows:
            return None
        schedule = rows[0]
        names = {"tenant": schedule["tenant"], "schedule_id": schedule["schedule_id"]}
        run(connection, "lose_runs", **names, now=now)
        step = _turn(schedule, now)
        until = now + timedelta(seconds=lease_s) if step.run else None
        run(connection, "lease_schedule", **names, next_at=step.next_at, leased_by=worker(), until=until)
        begun = {"job": schedule["job"], "due_at": step.due_at, "reason": step.reason, "worker": worker(), "now": now}
        state = "running" if step.run else "skipped"
        run_id = fetch(connection, "begin_run", **names, **begun, state=state)[0]["run_id"]
        return {**schedule, "run_id": run_id, "state": state}


def _turn(schedule: Row, now: datetime) -> Turn:
    timing = timing_of(schedule)
    if schedule["asked_at"] is not None:
        following = schedule["next_at"] or next_after(timing, now)
        return Turn(schedule["asked_at"], "now", True, following)
    return turn(timing, schedule["next_at"], now)


def carry_out(database: Database, settings: Settings, taken: Row, now: datetime) -> str:
    """Run what was taken and record how it ended: done, cached or failed."""
    with work.ran(taken["job"]) as ended_as:
        outcome = outcome_of(database, settings, taken, now)
        ended_as.append(outcome["state"])
    with database.connection() as connection:
        ended = run(connection, "end_run", run_id=taken["run_id"], **outcome)
        if ended:
            run(connection, "free_schedule", tenant=taken["tenant"], schedule_id=taken["schedule_id"], leased_by=worker())
        if outcome["state"] == "failed":
            publish(connection, _failure(taken, str(outcome["error"])))
    return str(outcome["state"])


def outcome_of(database: Database, settings: Settings, taken: Row, now: datetime) -> Row:
    """The answer, or what went wrong: whatever a job does, the schedule goes on and says so."""
    try:
        return answer(database, settings, taken, now)
    except Exception as error:
        catalogue.failed("schedule", error)
        fault = str(error) if isinstance(error, ConclaveError) else f"{type(error).__name__}: {error}"
        return {"state": "failed", "mark": None, "result": None, "answer_of": None, "error": fault[:2000]}


def answer(database: Database, settings: Settings, taken: Row, now: datetime) -> Row:
    """The job's answer, or the last one when what the job reads has not changed since."""
    found, last = job(taken["job"]), _last(database, taken)
    context = Context(database, settings, taken["tenant"], taken["arguments"], now, last["started_at"] if last else None)
    mark = found.mark(context)
    if taken["cached"] and mark and last is not None and last["mark"] == mark:
        told = {**last["result"], "cached": f"Nothing new since {last['started_at']:%Y-%m-%d %H:%M} UTC."}
        return {"state": "cached", "mark": mark, "result": told, "answer_of": last["answer_of"] or last["run_id"], "error": None}
    return {"state": "done", "mark": mark, "result": found.run(context), "answer_of": None, "error": None}


def _last(database: Database, taken: Row) -> Row | None:
    rows = database.fetch("last_answer", tenant=taken["tenant"], schedule_id=taken["schedule_id"])
    return rows[0] if rows else None


def _failure(taken: Row, fault: str) -> Message:
    name = taken["schedule_id"]
    return Message(
        tenant=taken["tenant"], topic="schedule", kind="schedule.failed", subject=name, severity=0.6,
        title=f"The scheduled job {name} failed", dedupe_key=f"schedule.failed {taken['run_id']}",
        payload={"job": taken["job"], "error": fault, "run_id": taken["run_id"]},
    )  # fmt: skip


def at_once(
    database: Database, settings: Settings, tenant: str, name: str, arguments: Mapping[str, Any], now: datetime
) -> Result:
    """Run a job outside of any schedule and return its answer, as `conclave nightly JOB` does. Raises JobFailed, UnknownJob."""
    found = job(name)
    if unknown := sorted(set(arguments) - set(found.accepts)):
        raise JobFailed(f"({', '.join(unknown)}: {name} takes {', '.join(found.accepts) or 'no arguments'})")
    return found.run(Context(database, settings, tenant, arguments, now))
