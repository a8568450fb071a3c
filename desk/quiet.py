"""Maintenance windows: cases that begin in planned work are held quiet, and shown as such."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from desk.errors import BadDetail, UnknownWindow
from store.database import Connection, Queries, fetch
from trust import audit
from trust.roles import Caller

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
KINDS = ("account", "counterparty", "service", "series")


@dataclass(frozen=True)
class Window:
    """Planned work on the entities that match `pattern` (`service:pay*`) and are of `kinds` (empty: all), in event time."""

    window_id: int
    title: str
    pattern: str
    kinds: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime


def covers(window: Window, entity: str, kind: str, began: datetime) -> bool:
    """Whether a case that began then is held by the window; its end itself is outside."""
    return (
        window.starts_at <= began < window.ends_at
        and (not window.kinds or kind in window.kinds)
        and fnmatchcase(entity, window.pattern)
    )


def holding(windows: Iterable[Window], entity: str, kind: str, began: datetime) -> Window | None:
    """The first window that holds such a case."""
    return next((one for one in windows if covers(one, entity, kind, began)), None)


def around(connection: Connection, tenant: str, cases: Sequence[dict[str, Any]]) -> list[Window]:
    """The windows that could hold any of the cases (`started_at` each)."""
    began = [case["started_at"] for case in cases]
    return [window(row) for row in fetch(connection, "desk_windows_of", tenant=tenant, since=min(began), until=max(began))]


def window(row: dict[str, Any]) -> Window:
    return Window(row["window_id"], row["title"], row["pattern"], tuple(row["kinds"]), row["starts_at"], row["ends_at"])


def plan(
    connection: Connection, caller: Caller, *, title: str, pattern: str, starts_at: datetime, ends_at: datetime,
    kinds: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Plan a window; its row. Raises BadDetail."""
    title, pattern = title.replace("\x00", "").strip(), pattern.replace("\x00", "").strip()
    if not title or len(title) > 200:
        raise BadDetail("title", "1 to 200 characters")
    if not pattern or len(pattern) > 200:
        raise BadDetail("pattern", "of entities, such as service:pay* or *")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise BadDetail("kinds", f"{', '.join(unknown)[:80]}: not of {', '.join(KINDS)}")
    if starts_at.tzinfo is None or ends_at.tzinfo is None or starts_at >= ends_at:
        raise BadDetail("ends_at", "times with a zone, the end after the start")
    if starts_at < FIRST or ends_at > LAST:
        raise BadDetail("ends_at", f"from {FIRST:%Y} to {LAST:%Y}")
    row = fetch(connection, "desk_put_window", tenant=caller.tenant, title=title, pattern=pattern, kinds=list(kinds),
                starts_at=starts_at, ends_at=ends_at, actor=caller.actor)[0]  # fmt: skip
    _audited(connection, caller, "maintenance.plan", row)
    return row


def end(connection: Connection, caller: Caller, window_id: int, at: datetime) -> dict[str, Any]:
    """Cut a window short at `at`; what it held and goes on is released by the desk. Raises UnknownWindow."""
    rows = fetch(connection, "desk_end_window", tenant=caller.tenant, window_id=window_id, at=at, actor=caller.actor)
    if not rows:
        raise UnknownWindow(f"({window_id})")
    _audited(connection, caller, "maintenance.end", rows[0])
    return rows[0]


def _audited(connection: Connection, caller: Caller, action: str, row: dict[str, Any]) -> None:
    detail = {"pattern": row["pattern"], "kinds": row["kinds"], "starts_at": row["starts_at"].isoformat(),
              "ends_at": row["ends_at"].isoformat()}  # fmt: skip
    audit.record(connection, caller.tenant, caller.actor, action, f"maintenance:{row['window_id']}", detail)


def windows(
    queries: Queries, tenant: str, *, current: bool = False, after: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Windows, the newest first, each with how many cases it `holds`; `current`: only those not over."""
    return queries.fetch("desk_windows", tenant=tenant, current=current, after=after, limit=limit)
