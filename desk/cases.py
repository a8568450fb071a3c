"""The desk's services for people: the inbox, a case, and what is done to it."""

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from desk import actions, file, grouping, life, linking, telling, timeline
from desk.actions import Asked
from desk.errors import BadDetail, CaseChanged, NotPossible, UnknownCase
from desk.file import File
from desk.timeline import Entry
from store.database import Connection, Queries, fetch
from store.sections.desk import Desk
from trust import audit
from trust.roles import Caller

Sort = Literal["urgency", "loss", "severity", "newest", "oldest", "changed"]
Quiet = Literal["awake", "snoozed", "held", "all"]
ACTIVE: tuple[life.Status, ...] = ("open", "acknowledged", "investigating")
ROW = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    """Which cases, in which order; `assignee` '' is nobody's. `after` is the `next` of the page before."""

    statuses: tuple[life.Status, ...] = ACTIVE
    quiet: Quiet = "awake"
    assignee: str | None = None
    tag: str | None = None
    kind: str | None = None
    entity: str | None = None
    q: str | None = None
    late: bool = False
    sort: Sort = "urgency"
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True)
class Page:
    """Rows of the inbox (query desk_inbox), how many there are in all, and the cursor of the next page."""

    items: list[ROW]
    of_all: int
    next: str | None


def inbox(queries: Queries, tenant: str, filters: Filters | None = None, *, now: datetime | None = None) -> Page:
    """Cases by expected loss and age, or as `filters` say; `now` is the moment ages are counted to (default: the database's)."""
    asked = filters or Filters()
    at, rank, case_id = _cursor(asked.after) if asked.after else (now, None, None)
    at = at or queries.fetch("database_now")[0]["now"]
    wanted = {**asdict(asked), "statuses": list(asked.statuses), "limit": asked.limit + 1}
    wanted |= {"q": asked.q or None, "now": at, "after_rank": rank, "after_id": case_id}
    rows = queries.fetch("desk_inbox", tenant=tenant, **{k: v for k, v in wanted.items() if k != "after"})
    items, more = rows[: asked.limit], len(rows) > asked.limit
    return Page(items, rows[0]["of_all"] if rows else 0, _mark(at, items[-1]) if more else None)


def _mark(at: datetime, row: ROW) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), row["rank"], row["case_id"]]).encode()).decode()


def _cursor(mark: str) -> tuple[datetime, float, str]:
    try:
        at, rank, case_id = json.loads(base64.urlsafe_b64decode(mark.encode()))
        return datetime.fromisoformat(at), float(rank), str(case_id).replace("\x00", "")
    except (ValueError, TypeError):
        raise BadDetail("after", "the `next` of the page before, as it was given") from None


def counts(queries: Queries, tenant: str) -> ROW:
    """How many cases stand where, and what is kept quiet.

    `open`, `acknowledged`, `investigating`, `snoozed`, `held`, `late`, `unassigned`, `resolved`, `dismissed`, `recurrences` (kept
    quiet by dismissals), `expected_loss` of the awake ones in `loss_currency`, the commonest (None when it is known of none),
    `loss_unknown` (unknown, or in another currency), `next_wake_at`.
    """
    return queries.fetch("desk_counts", tenant=tenant)[0]


def case(queries: Queries, tenant: str, case_id: str, *, members: int = 200) -> ROW:
    """All of a case: the file, its ruling, `all_members`, `links`, `commands`, `feedback` and what is `possible`.

    A member's `head` names the case it belongs to. Raises UnknownCase.
    """
    with queries.connection() as connection:
        return case_in(connection, tenant, case_id, members=members)


def case_in(connection: Connection, tenant: str, case_id: str, *, members: int = 200) -> ROW:
    """The same inside the caller's transaction."""
    rows = fetch(connection, "desk_case", tenant=tenant, case_id=case_id)
    if not rows:
        raise UnknownCase(f"({case_id[:80]})")
    row = rows[0]
    row["all_members"] = fetch(connection, "desk_members", tenant=tenant, case_id=case_id, limit=members)
    row["links"] = fetch(connection, "desk_links", tenant=tenant, case_id=case_id)
    row["commands"] = fetch(connection, "desk_case_commands", tenant=tenant, case_id=case_id)
    row["feedback"] = fetch(connection, "desk_case_feedback", tenant=tenant, case_id=case_id)
    row["possible"] = actions.possible(file.of_row(row)) if row["head"] is None else []
    row["snooze_hides"] = hides(row)
    return row


def hides(row: ROW) -> str:
    """What a snooze keeps quiet, in words; empty when it is not snoozed."""
    seen = row["snooze"]
    if not seen:
        return ""
    more = [(row["hits"] - seen["hits"], "hit"), (row["members"] - seen["members"], "case")]
    since = ", ".join(f"{count} more {word}{'s' * (count != 1)}" for count, word in more if count > 0)
    return (
        f"until {row['snoozed_until']:%Y-%m-%d %H:%M %Z} it is quiet about {seen['hits']} hits at severity {seen['severity']:.2f}"
        f"; since then {since or 'nothing new'}"
    )


def head_of(queries: Queries, tenant: str, case_id: str) -> str:
    """The id of the head that a case belongs to now (its own when it is a head). Raises UnknownCase."""
    rows = queries.fetch("desk_file", tenant=tenant, case_id=case_id)
    if not rows:
        raise UnknownCase(f"({case_id[:80]})")
    return str(rows[0]["head"] or case_id)


Grouping = Callable[[Connection, File, Asked], tuple[File, Entry]]
BESIDES: dict[str, Grouping] = {  # these touch more than the one file
    "merge": grouping.merge, "split": grouping.split, "link": linking.link, "unlink": linking.unlink,
}  # fmt: skip
NAMES = (*actions.ACTIONS, *BESIDES)


def act(
    connection: Connection, caller: Caller, case_id: str, version: int | None, action: str, *, desk: Desk | None = None,
    now: datetime | None = None, **detail: Any,
) -> File:  # fmt: skip
    """Do one of NAMES to a case inside the caller's transaction; the changed file.

    `version`: as the person saw it; comments, tags and links may leave it out. `now` defaults to the database's clock.
    Raises UnknownCase, CaseChanged (with what changed), NotPossible, BadDetail.
    """
    if action not in NAMES:
        raise BadDetail("action", f"one of {', '.join(NAMES)}")
    if action in ("merge", "split"):
        grouping.take_turn(connection, caller.tenant)
    found, clock = file.lock(connection, caller.tenant, case_id)
    _as_seen(connection, found, version, action)
    asked = Asked(caller.actor, caller.name, now or clock, desk or Desk(), detail)
    if action in BESIDES:
        after, entry, message = *BESIDES[action](connection, found, asked), ""
    else:
        change = actions.ACTIONS[action](found, asked)
        after, message = change.file, change.message
        entry = Entry(change.kind, change.said, caller.actor, caller.name, change.detail)
    after = after.next_version(asked.now)
    file.save(connection, after, asked.desk)
    timeline.write(connection, after, entry, asked.now)
    if message:
        telling.tell(connection, after, message, f"{caller.name or caller.actor} {entry.said}", by=caller.actor)
    kept = {"version": after.version, **{k: v for k, v in entry.detail.items() if k not in ("text", "said")}}
    audit.record(connection, caller.tenant, caller.actor, f"case.{action}", case_id, kept)
    return after


def _as_seen(connection: Connection, found: File, version: int | None, action: str) -> None:
    if found.head is not None:
        raise NotPossible(f"It belongs to {found.head}: do it there, or split it off first.")
    if version is None and action not in actions.COMMUTING:
        raise BadDetail("version", "say which version of the case you saw")
    if version is not None and version != found.version:
        changes = timeline.since(connection, found.tenant, found.case_id, version)
        raise CaseChanged(found.case_id, found.version, changes)


def merge_candidates(queries: Queries, tenant: str, case_id: str, *, desk: Desk | None = None) -> list[ROW]:
    """Other heads that would belong to this case, the strongest bond first: `case_id`, `title`, `status`, `because`, `apart`.

    `apart`: a person split them, so the machine never joins them. Raises UnknownCase.
    """
    with queries.connection() as connection:
        return grouping.candidates(connection, tenant, case_id, desk or Desk())
