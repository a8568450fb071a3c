"""The tables of the entity and health pages, from rows."""

from typing import Any

from dashboard import waits, words
from dashboard.markup import Column, Html, head, note, table
from dashboard.summary import ALIVE_S
from dashboard.words import escaped
from store.retention import RULES
from store.sections.core import Retention

Row = dict[str, Any]


def _tag(outcome: str | None) -> str:
    if outcome is None:
        return ""
    return Html(
        f'<span class="cv-tag cv-{escaped(outcome)}">{words.SYMBOLS.get(outcome, "")} {escaped(words.outcome(outcome))}</span>'
    )


def anomalies(rows: list[Row], qualifier: str) -> str:
    """One entity's anomalies: value against the expected range, the detectors that fired, what the event said."""
    spoken = any(row["event"].get("message") for row in rows)
    columns = [
        Column("Event time", "tight"),
        Column("Value", "right"),
        Column("Expected", "tight"),
        Column("Severity", "right"),
        Column("Detectors that fired", "wide"),
        *([Column("Message of the event", "code")] if spoken else []),
    ]
    return table(
        "Anomalies, newest first",
        columns,
        [
            (
                words.short(row["event_time"]),
                words.quantity(row["value"], row["unit"], qualifier),
                words.between(row["low"], row["high"], row["unit"], qualifier),
                words.severity(row["severity"]),
                fired(row["scores"]),
                *([words.visible(row["event"].get("message") or "", 160)] if spoken else []),
            )
            for row in rows
        ],
    )


def fired(scores: dict[str, float]) -> str:
    """The detectors at or over their threshold, strongest first."""
    over = sorted(((score, name) for name, score in scores.items() if score >= 1), reverse=True)
    return ", ".join(f"{words.detector(name)} {score:.1f}×" for score, name in over)


def episodes(rows: list[Row]) -> str:
    columns = [
        Column("Started", "tight"),
        Column("Last hit", "tight"),
        Column("Hits", "right"),
        Column("Severity", "right"),
        Column("Detectors", "wide"),
        Column("Ruling", "tight"),
        Column("Action", "tight"),
    ]
    return table(
        "Episodes, newest first",
        columns,
        [
            (
                words.short(row["started_at"]),
                words.short(row["last_at"]),
                words.count(row["hits"]),
                words.severity(row["severity"]),
                ", ".join(words.detector(name) for name in row["detectors"]),
                _tag(row["outcome"]) or _unruled(row["lane"], filed=bool(row["filed"])),
                words.action(row["action"]) if row["action"] else "",
            )
            for row in rows
        ],
    )


def _unruled(lane: str | None, *, filed: bool = False) -> str:
    if filed:
        return "Filed for want of room, with a receipt"
    return "Filed, below the bar" if lane == "filed" else "Not heard yet" if lane else "No case"


def streams(rows: list[Row]) -> str:
    """Each streaming job's newest progress."""
    if not rows:
        return head("Streams") + note(
            "<b>No streaming job has reported.</b> Start <code>conclave ingest</code> and <code>conclave detect</code>."
        )
    columns = [
        Column("Job", "tight"),
        Column("Batch", "right"),
        Column("Rows", "right"),
        Column("Rows per second", "right"),
        Column("Took", "right"),
        Column("Behind", "wide"),
        Column("Reported", "tight"),
    ]
    return head("Streams", "the newest batch of each") + table(
        "Streams",
        columns,
        [
            (
                row["job"],
                words.count(row["batch_id"]),
                words.count(row["input_rows"]),
                words.count(row["rows_per_s"]),
                words.quantity(row["duration_ms"].get("triggerExecution", sum(row["duration_ms"].values())), "ms"),
                waits.waiting(row) or waits.lag(row["lag"]),
                f"{words.age(row['silent_s'])} ago",
            )
            for row in rows
        ],
    )


def _alive(name: str, silent_s: float) -> Html:
    """The name with a full dot when it reported lately, with an empty one when it did not."""
    style, said = ("cv-alive", "alive") if silent_s <= ALIVE_S else ("cv-silent", "silent")
    return Html(f'<span class="{style}">{escaped(name)}</span> <span class="cv-soft">{said}</span>')


def workers(rows: list[Row]) -> str:
    if not rows:
        return head("Workers") + note("<b>No process has reported.</b> Each job and council worker appears here as it starts.")
    columns = [
        Column("Process", "tight"),
        Column("Job", "tight"),
        Column("Reported", "tight"),
        Column("Running since", "tight"),
        Column("Says", "wide"),
    ]
    return head("Workers", "alive: reported in the last minute") + table(
        "Workers",
        columns,
        [
            (
                _alive(row["worker_id"], row["silent_s"]),
                row["job"],
                f"{words.age(row['silent_s'])} ago",
                words.short(row["started_at"]),
                "; ".join(f"{key} {words.visible(value, 120)}" for key, value in row["detail"].items()),
            )
            for row in rows
        ],
    )


ZERO = '<span class="cv-zero">0</span>'


def _dimmed(number: int) -> str:
    return words.count(number) if number else Html(ZERO)


def ledger(rows: list[Row]) -> str:
    numbers = ("events", "accepted", "quarantined", "points", "late", "duplicates", "conflicts", "anomalies", "entities")
    columns = [
        Column("Committed", "tight"),
        Column("Job", "tight"),
        Column("Batch", "right"),
        *(Column(name.capitalize(), "right") for name in numbers),
        Column("State", "right"),
        Column("Took", "right"),
    ]
    return table(
        "Newest batches of the ledger",
        columns,
        [
            (
                words.clock(row["committed_at"]),
                row["job"],
                f"{row['batch_id']}",
                *(_dimmed(row[name]) for name in numbers),
                words.size(row["state_bytes"]) if row["state_bytes"] else Html(ZERO),
                f"{row['took_s']:.1f} s",
            )
            for row in rows
        ],
    )


def refusals(reasons: list[Row], newest: list[Row]) -> str:
    """Quarantine: why, how often, and the newest records as they came."""
    if not reasons:
        return head("Quarantine") + note("<b>Nothing was refused.</b> Records that break a rule are kept here with the reason.")
    why = table(
        "Reasons of refusal",
        [
            Column("Reason", "wide"),
            Column("Field", "tight"),
            Column("Records", "right"),
            Column("Sent round again", "right"),
            Column("Newest", "tight"),
        ],
        [
            (row["reason"], row["field"], words.count(row["records"]), words.count(row["retried"]), words.short(row["newest"]))
            for row in reasons
        ],
    )
    seen = table(
        "Newest refused records",
        [
            Column("Arrived", "tight"),
            Column("Where", "tight"),
            Column("Reason", "wide"),
            Column("Size", "right"),
            Column("Excerpt", "code"),
        ],
        [
            (
                words.short(row["arrived_at"]),
                row["position"],
                row["reason"],
                words.size(row["size"]),
                words.visible(row["excerpt"], 300),
            )
            for row in newest
        ],
    )
    return head("Quarantine", "conclave quarantine retry sends records round again") + why + head("Newest refused") + seen


def dead(rows: list[Row]) -> str:
    if not rows:
        return head("Dead letters") + note("<b>No hearing was given up.</b>")
    columns = [
        Column("Entity", "tight"),
        Column("Lane", "tight"),
        Column("Tries", "right"),
        Column("Last error", "wide"),
        Column("Waiting since", "tight"),
    ]
    return head("Dead letters", "cases whose hearing was given up") + table(
        "Dead letters",
        columns,
        [
            (
                row["entity"],
                row["lane"],
                f"{row['attempts']}",
                words.visible(row["last_error"] or "", 200),
                words.short(row["enqueued_at"]),
            )
            for row in rows
        ],
    )


KEPT = {rule.table: rule.days for rule in RULES}


def sizes(rows: list[Row], retention: Retention, runs: list[Row]) -> str:
    """Every table's size and how long its rows are kept."""
    columns = [Column("Table", "tight"), Column("Size", "right"), Column("Rows, about", "right"), Column("Kept", "tight")]
    swept = f"old rows were last removed {words.instant(runs[0]['at'])}" if runs else "old rows have not been removed yet"
    return head("Tables", swept) + table(
        "Tables",
        columns,
        [(row["name"], words.size(row["bytes"]), words.count(row["rows"]), _kept(row["name"], retention)) for row in rows],
    )


def _kept(name: str, retention: Retention) -> str:
    days = getattr(retention, KEPT[name]) if name in KEPT else None
    return "" if days is None else f"{days} days"
