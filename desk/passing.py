"""What time does to cases, and proposals that the desk has not seen: limits, escalations, snoozes, windows, policies."""

from dataclasses import replace
from datetime import datetime

from desk import actions, commands, file, telling, timeline, timers
from desk.file import File, of_row
from desk.timeline import Entry
from desk.timers import Due
from store.database import Connection, Database, fetch, run
from store.outbox import publish
from store.sections.desk import Desk


def due(database: Database, desk: Desk, now: datetime | None = None) -> int:
    """Do what is due by `now` (default: the database's clock); how many cases were touched. Other workers' are left to them."""
    with database.connection() as connection:
        at = now or fetch(connection, "database_now")[0]["now"]
        heads = [of_row(row) for row in fetch(connection, "desk_due_timers", now=at, limit=desk.batch)]
        for head in heads:
            _pass(connection, head, desk, at)
        return len(heads)


def _pass(connection: Connection, head: File, desk: Desk, now: datetime) -> None:
    """Everything due for one case, in its order; each changes the file before the next is looked at."""
    done = False
    while found := timers.due(file.clock(head), desk, now):
        head = _done(connection, head, found[0], desk, now)
        done = True
    file.save(connection, head if done else replace(head), desk)


def _done(connection: Connection, head: File, one: Due, desk: Desk, now: datetime) -> File:
    match one.what:
        case "woken":
            after = actions.woken(head, now).next_version(now)
            timeline.write(connection, after, Entry("woken", "ended the snooze: its time is over"), now)
        case "expired":
            after = head.next_version(now, expires_at=None)
            timeline.write(connection, after, Entry("expired", "ended the dismissal: what comes back opens the case again"), now)
        case "sla_breached":
            after = head.next_version(now, breached=(*head.breached, one.limit))
            entry = Entry("sla_breached", f"noted: {timers.late(one, now)}", detail=_limit(one))
            timeline.write(connection, after, entry, now)
            telling.tell(connection, after, "case.sla_breached", entry.said, f"{one.limit}:{one.at.isoformat()}", **_limit(one))
        case _:
            level = desk.escalation[one.level - 1]
            after = head.next_version(now, escalation=one.level)
            detail = {"level": one.level, "to": level.to, "route": level.route, **_limit(one)}
            entry = Entry("escalated", f"escalated it to {level.to} (level {one.level}): {timers.late(one, now)}", detail=detail)
            timeline.write(connection, after, entry, now)
            dedupe = f"{one.limit}:{one.level}:{one.at.isoformat()}"
            telling.tell(connection, after, "case.escalated", entry.said, dedupe, **detail)
    return after


def _limit(one: Due) -> dict[str, str]:
    return {"limit": one.limit, "due_at": one.at.isoformat()}


def windows_over(database: Database, desk: Desk) -> int:
    """Release held cases that their window does not cover any longer; how many."""
    with database.connection() as connection:
        at = fetch(connection, "database_now")[0]["now"]
        heads = [of_row(row) for row in fetch(connection, "desk_held_over", limit=desk.batch)]
        for head in heads:
            after = actions.released(head, at, desk).next_version(at)
            file.save(connection, after, desk)
            entry = Entry("released", "released it: it goes on outside its maintenance window")
            timeline.write(connection, after, entry, at)
            telling.tell(connection, after, "case.opened", entry.said)
        return len(heads)


def proposals(database: Database, desk: Desk) -> int:
    """Tell of new proposals, and approve those that a policy covers; how many were looked at."""
    done = 0
    while done < desk.batch and _proposal(database, desk):
        done += 1
    return done


def _proposal(database: Database, desk: Desk) -> bool:
    """One proposal, in a transaction of its own: an approval's audit entry must be the last thing in it."""
    with database.connection() as connection:
        at = fetch(connection, "database_now")[0]["now"]
        for row in (found := fetch(connection, "desk_unseen_proposals", limit=1)):
            run(connection, "desk_see_command", tenant=row["tenant"], command_id=row["command_id"], now=at)
            policy = commands.allowed(desk.approve, row)
            if policy is not None:
                commands.policy_approves(connection, row, policy, desk, at)
            else:
                said = f"proposed: {row['action'].replace('_', ' ')} {row['target']}"
                publish(connection, telling.of_command(row, "command.proposed", row["severity"], said, row["ruling_id"]))
        return bool(found)
