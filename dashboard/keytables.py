"""The tables of the settings page, from rows."""

from datetime import datetime
from typing import Any

from dashboard import words
from dashboard.markup import Column, Html, table
from dashboard.words import escaped

Row = dict[str, Any]


def keys(rows: list[Row], now: datetime) -> str:
    """API keys, without secrets: what each may and whether it still opens."""
    columns = [Column("Key", "tight"), Column("Name", "wide"), Column("Role", "tight"), Column("Only for", "tight"),
               Column("State", "tight"), Column("Last used", "tight"), Column("Made", "tight")]  # fmt: skip
    return table(
        "API keys",
        columns,
        [
            (
                row["key_id"], row["name"], row["role"], ", ".join(row["scopes"]) or "all its role may", Html(_state(row, now)),
                words.short(row["last_used_at"]) if row["last_used_at"] else "never", words.short(row["created_at"]),
            )
            for row in rows
        ],
    )  # fmt: skip


def is_live(row: Row, now: datetime) -> bool:
    return row["revoked_at"] is None and (row["expires_at"] is None or row["expires_at"] > now)


def _state(row: Row, now: datetime) -> str:
    if row["revoked_at"] is not None:
        return f'<span class="cv-silent">revoked {words.short(row["revoked_at"])}</span>'
    if not is_live(row, now):
        return f'<span class="cv-silent">expired {words.short(row["expires_at"])}</span>'
    until = f" until {words.short(row['expires_at'])}" if row["expires_at"] else ""
    return f'<span class="cv-alive">opens{until}</span>'


def settings(rows: list[Row]) -> str:
    columns = [Column("Setting", "tight"), Column("Value", "wide"), Column("", "tight"), Column("What it does", "wide")]
    return table(
        "Settings in force",
        columns,
        [(row["name"], words.visible(row["value"], 300), "changed" if row["changed"] else "", row["said"]) for row in rows],
    )


def audit(rows: list[Row]) -> str:
    columns = [Column("No.", "right"), Column("When", "tight"), Column("Who", "tight"), Column("Did", "tight"),
               Column("To", "wide"), Column("Detail", "wide")]  # fmt: skip
    return table(
        "Audit log, newest first",
        columns,
        [
            (
                str(row["seq"]), words.short(row["at"]), row["actor"], row["action"], row["subject"],
                "; ".join(f"{name} {words.visible(value, 120)}" for name, value in row["detail"].items()),
            )
            for row in rows
        ],
    )  # fmt: skip


def verdict(broken: int | None, why: str, entries: int) -> str:
    """Whether the audit chain holds."""
    if broken is None:
        return f"<b>The chain holds.</b> {entries:,} entries, each following from the one before."
    return f"<b>The chain is broken at entry {broken}:</b> {escaped(why)}. {entries:,} entries before it hold."
