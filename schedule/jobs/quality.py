"""Data quality of the last day: what was refused and why, what came late or twice, who fell silent, volume against last week."""

from datetime import timedelta
from typing import Any

from schedule.registry import Context, Result

ACCEPTS = ("hours",)
MOST = 10
CHANGE = 0.5


def mark(context: Context) -> str:
    return ""


def run(context: Context) -> Result:
    until, span = context.now, timedelta(hours=float(context.arguments.get("hours", 24)))
    spans = {"since": until - span, "until": until}
    fetch, tenant = context.database.fetch, context.tenant
    flow = fetch("nightly_flow", **spans)[0]
    refusals = fetch("nightly_refusals", tenant=tenant, limit=MOST, **spans)
    silent = fetch("nightly_silent", tenant=tenant, before=until - 2 * span, limit=MOST, **spans)
    moved = [row for row in fetch("nightly_services", tenant=tenant, limit=1000, **spans) if unusual(row)][:MOST]
    told = [*flow_words(flow), *refusal_words(refusals), *silence_words(silent), *volume_words(moved)]
    faults = len(refusals) + len(silent) + len(moved)
    hours = f"The {span.total_seconds() / 3600:g} hours to {until:%Y-%m-%d %H:%M} UTC."
    return {"text": "\n".join(["# Data quality", "", hours, "", *told]), "flow": flow, "faults": faults}


def unusual(row: dict[str, Any]) -> bool:
    """Half as much or twice as much as a week ago; nothing is said without a week ago.

    >>> unusual({"now": 10, "week_ago": 100}), unusual({"now": 90, "week_ago": 100}), unusual({"now": 5, "week_ago": 0})
    (True, False, False)
    """
    return row["week_ago"] > 0 and not CHANGE <= row["now"] / row["week_ago"] <= 1 / CHANGE


def flow_words(flow: dict[str, Any]) -> list[str]:
    """The counts, each with its share of what was read or scored."""
    if not flow["read"] and not flow["scored"]:
        return ["No events came."]
    lines = [f"- {flow['read']:,} records read, {flow['accepted']:,} taken in, {_share(flow['refused'], flow['read'])} refused"]
    counts = (("late", "came too late"), ("duplicates", "came twice"), ("conflicts", "came with the id of another"))
    lines += [f"- {_share(flow[name], flow['scored'])} {words}" for name, words in counts]
    return [*lines, f"- {flow['unwatched']:,} of a kind that has no window"]


def refusal_words(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        field = f" ({row['field']})" if row["field"] else ""
        lines.append(f"- {row['records']:,} × {row['reason']}{field}, as {row['example']}")
    return ["", "## Why records were refused", "", *lines] if lines else []


def silence_words(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"- {row['entity']}, last heard {row['last_at']:%Y-%m-%d %H:%M} UTC" for row in rows]
    return ["", "## Fell silent", "", *lines] if lines else []


def volume_words(rows: list[dict[str, Any]]) -> list[str]:
    lines = [f"- {row['entity']}: {row['now']:,} against {row['week_ago']:,}" for row in rows]
    return ["", "## Other volume than a week ago", "", *lines] if lines else []


def _share(part: int, whole: int) -> str:
    return f"{part:,}" + (f" ({part / whole:.2%})" if whole else "")
