"""Channels, routes and deliveries in words, from rows."""

import json
from typing import Any

from dashboard import words
from dashboard.casetables import case_link
from dashboard.markup import Column, Html, table
from dashboard.words import escaped

Row = dict[str, Any]
STATES = {
    "waiting": ("Waiting", "unresolved"), "sending": ("Being sent", "unresolved"), "sent": ("✓ Sent", "dismissed"),
    "dead": ("✕ Given up", "confirmed"), "skipped": ("Skipped", "quiet"),
}  # fmt: skip


def tag(state: str) -> Html:
    said, style = STATES.get(state, (state, "quiet"))
    return Html(f'<span class="cv-tag cv-{style}">{escaped(said)}</span>')


def channels(rows: list[Row], health: dict[str, Row]) -> str:
    """Every channel with how it has done in the last week."""
    columns = [Column("Channel", "tight"), Column("Kind", "tight"), Column("Sent", "right"), Column("Waiting", "right"),
               Column("Given up", "right"), Column("Last sent", "tight"), Column("Remark", "wide")]  # fmt: skip
    return table("Channels", columns, [_channel(row, health.get(row["id"], {})) for row in rows])


def _channel(row: Row, done: Row) -> tuple[str, ...]:
    sent_at = words.short(done["last_sent_at"]) if done.get("last_sent_at") else "never"
    return (
        row["id"],
        str(row["kind"]),
        words.count(done.get("sent", 0)),
        words.count(done.get("waiting", 0)),
        words.count(done.get("dead", 0)),
        sent_at,
        "; ".join(part for part in (*_origin(row), done.get("last_error") or "") if part),
    )


def _origin(row: Row) -> tuple[str, str, str]:
    return (
        "in the file" if row["origin"] == "file" else "",
        "" if row.get("enabled", True) else "switched off",
        f"cannot be used: {row['fault']}" if row.get("fault") else "",
    )


def routes(rows: list[Row]) -> str:
    """Routes in the order in which they are asked."""
    columns = [Column("Asked", "right"), Column("Route", "tight"), Column("Takes", "wide"), Column("Sends to", "wide"),
               Column("Groups by", "tight"), Column("At most", "tight"), Column("Remark", "tight")]  # fmt: skip
    return table("Routes", columns, [_route(place, row) for place, row in enumerate(rows, 1)])


def _route(place: int, row: Row) -> tuple[str, ...]:
    if row.get("fault"):
        return (str(place), row["id"], "", "", "", "", f"cannot be used: {row['fault']}")
    most = f"{row['per_route']['count']} in {words.age(row['per_route']['per_s'])}" if row["per_route"]["count"] else "no limit"
    remark = "; ".join(part for part in (*_origin(row), "later routes are asked, too" if row["go_on"] else "") if part)
    return (
        str(place),
        row["id"],
        ", ".join(row["matchers"]) or "everything",
        ", ".join(row["channels"]),
        ", ".join(row["group_by"]) or "all",
        most,
        remark,
    )


def topics(rows: list[Row], subscriptions: list[Row]) -> str:
    columns = [Column("Topic", "tight"), Column("Takes", "wide"), Column("Messages", "right"), Column("Kept", "tight"),
               Column("Sets off", "wide")]  # fmt: skip
    return table("Alert topics", columns, [_topic(row, subscriptions) for row in rows])


def _topic(row: Row, subscriptions: list[Row]) -> tuple[str, ...]:
    off = [f"{one['target']['kind']} {one['target']['name']}" for one in subscriptions if one.get("topic") == row["id"]]
    first, following = row.get("first_offset"), row.get("next_offset") or 0
    return (
        row["id"],
        ", ".join(row.get("matchers") or ()) or "everything",
        words.count(following - (first or 0)),
        f"{row.get('retention_days', '?')} days",
        "; ".join(off) or "nothing",
    )


def deliveries(rows: list[Row]) -> str:
    """The delivery log, newest first."""
    columns = [Column("When", "tight"), Column("Message", "wide"), Column("To", "tight"), Column("State", "tight"),
               Column("Tries", "right"), Column("Answer", "wide")]  # fmt: skip
    return table("Deliveries", columns, [_delivery(row) for row in rows])


def _delivery(row: Row) -> tuple[str, ...]:
    told = f"{row['title']}" + (f" (stands for {row['total']} messages)" if row["total"] > 1 else "")
    title = case_link(row["subject"], told) if str(row["subject"]).startswith("case-") else words.visible(told, 200)
    status = f"HTTP {row['status']} " if row["status"] else ""
    return (
        words.short(row["created_at"]),
        title,
        f"{row['channel_id']} ({row['action']})",
        tag(row["state"]),
        str(row["attempts"]),
        words.visible(row["error"] or f"{status}{row['answer'] or ''}", 200),
    )


def windows(rows: list[Row]) -> str:
    columns = [Column("Window", "wide"), Column("Entities", "tight"), Column("From", "tight"), Column("To", "tight"),
               Column("Holds", "right")]  # fmt: skip
    return table(
        "Maintenance windows",
        columns,
        [
            (row["title"], row["pattern"], words.short(row["starts_at"]), words.short(row["ends_at"]), words.count(row["holds"]))
            for row in rows
        ],
    )


def pretty(config: Any) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False, default=str)
