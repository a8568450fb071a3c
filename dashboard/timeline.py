"""A case's timeline as HTML: who did what and when, newest first, under the day's heading."""

from itertools import groupby
from typing import Any

from dashboard import words
from dashboard.words import escaped

Row = dict[str, Any]
SIGNS = {
    "commented": "❝", "resolved": "✓", "dismissed": "○", "approved": "✓", "rejected": "✕", "executed": "✓", "failed": "✕",
    "snoozed": "☾", "escalated": "▲", "sla_breached": "▲", "grown": "▲", "reopened": "●", "opened": "●",
}  # fmt: skip
SOURCES = {"ruling": "§", "call": "◇", "command": "→", "run": "→", "delivery": "✉", "feedback": "✎", "receipt": "☰"}


def timeline(rows: list[Row]) -> str:
    """`rows` (desk.timeline.read): at, source, kind, who, said; they are shown newest first."""
    days = groupby(reversed(rows), key=lambda row: words.day(row["at"]))
    return "".join(
        f'<h3 class="cv-day">{escaped(day)}</h3><ul class="cv-line-up">{"".join(map(_entry, of))}</ul>' for day, of in days
    )


def _entry(row: Row) -> str:
    sign = SIGNS.get(row["kind"]) or SOURCES.get(row["source"], "·")
    said = escaped(row["said"] or row["kind"].replace("_", " "), 4000)
    who, at = escaped(row["who"] or "", 80), words.clock(row["at"])
    told = f'<b>{who}</b> commented<div class="cv-quote">{said}</div>' if row["kind"] == "commented" else f"<b>{who}</b> {said}"
    return (
        f'<li><span class="cv-sign" aria-hidden="true">{sign}</span>'
        f'<div>{told} <span class="cv-soft cv-num">{at}</span></div></li>'
    )
