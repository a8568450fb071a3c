"""Pipelines in words, from rows: topics, segments, processors with what they did, lists, pools, hits, schedules, dry runs."""

import json
from typing import Any

from dashboard import people, words
from dashboard.cards import entity
from dashboard.casetables import case_link
from dashboard.markup import Column, Html, Tile, table
from dashboard.words import escaped
from pipelines.dry_run import Tried

Row = dict[str, Any]
KINDS = {
    "allow": "Allow list",
    "deny": "Deny list",
    "watch": "Watch list",
    "thresholds": "Thresholds",
    "enrich": "Enrichment",
    "route": "Routing to a lane",
    "rule": "Rule",
    "model": "Question to the model",
    "http": "HTTP service",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "allow": {"field": "account_id", "items": ["A12"]},
    "deny": {"field": "counterparty_id", "items": ["T9"], "lane": "immediate"},
    "watch": {"field": "attributes.country", "items": ["XX"], "severity": 0.5},
    "thresholds": {"thresholds": {"amount_z": 6.0, "account/velocity": 8.0}},
    "enrich": {"field": "counterparty_id", "list": "merchants", "as": "merchant"},
    "route": {"when": 'entity_kind == "service" && severity > 0.8', "lane": "immediate"},
    "rule": {"when": 'kind == "transaction" && amount > 5000.0', "severity": 0.6, "title": "A large payment"},
    "model": {"when": "amount > 9000.0", "question": "Does the message ask for a payment outside of the shop?"},
    "http": {"when": "amount > 9000.0", "url": "https://risk.example/score"},
}


def processors(rows: list[Row]) -> str:
    """Each processor, whether it acts, and what it said in the last day, hit or not."""
    columns = [
        Column("Processor", "tight"),
        Column("Kind", "tight"),
        Column("Acts", "tight"),
        Column("In segments", "wide"),
        Column("Looked at, 24 h", "right"),
        Column("Hit", "right"),
        Column("Could not tell", "right"),
        Column("Says", "code"),
    ]
    return table("Processors", columns, [_processor(row) for row in rows])


def _processor(row: Row) -> tuple[str, ...]:
    live = (
        f'<span class="cv-alive">version {row["live_version"]}</span>'
        if row["live_version"]
        else '<span class="cv-silent">no</span>'
    )
    newer = f", {row['newest_version']} waits" if row["live_version"] and row["newest_version"] > row["live_version"] else ""
    return (
        row["processor"],
        KINDS.get(str(row["kind"]), str(row["kind"])),
        Html(live + newer),
        ", ".join(row["segments"]) or "none",
        words.count(row["evaluated_24h"]),
        words.count(row["hit_24h"]),
        words.count(row["errors_24h"]),
        said(row["live_spec"] or row["newest_spec"]),
    )


def said(spec: Row) -> str:
    """A configuration in a line, its kind left out."""
    parts = (
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in spec.items()
        if name != "kind" and value not in (None, "", [], {})
    )
    return words.visible("; ".join(parts), 240)


def segments(rows: list[Row]) -> str:
    columns = [
        Column("Segment", "tight"),
        Column("Topic", "tight"),
        Column("Takes", "code"),
        Column("Processors, in order", "wide"),
        Column("Acts", "tight"),
        Column("Changed", "tight"),
    ]
    return table(
        "Segments",
        columns,
        [
            (
                row["segment"],
                "every topic" if row["topic"] == "*" else row["topic"],
                row["filter"] or "every event",
                ", ".join(row["processors"]) or "none",
                "yes" if row["enabled"] else "switched off",
                f"{words.short(row['updated_at'])} by {people.called(row['updated_by'])}",
            )
            for row in rows
        ],
    )


def topics(rows: list[Row]) -> str:
    columns = [
        Column("Topic", "tight"),
        Column("Kind", "tight"),
        Column("Partitions", "right"),
        Column("Kept", "tight"),
        Column("In Kafka", "tight"),
        Column("Described as", "wide"),
    ]
    return table(
        "Topics",
        columns,
        [
            (
                row["topic"],
                row["kind"],
                str(row["partitions"]),
                "the broker's default" if row["retention_s"] is None else words.age(row["retention_s"]),
                "made there" if row["in_kafka"] else "registered",
                row["description"],
            )
            for row in rows
        ],
    )


def lists(rows: list[Row]) -> str:
    columns = [
        Column("List", "tight"),
        Column("Holds", "tight"),
        Column("Items", "right"),
        Column("Columns", "wide"),
        Column("Version", "right"),
        Column("Changed", "tight"),
    ]
    return table(
        "Data lists",
        columns,
        [
            (
                row["list"],
                row["holds"],
                words.count(row["items"]),
                ", ".join(row["columns"]) or "only the key",
                str(row["live_version"] or words.UNKNOWN),
                words.short(row["changed_at"]),
            )
            for row in rows
        ],
    )


def pools(rows: list[Row]) -> str:
    columns = [
        Column("Pool", "tight"),
        Column("At once", "right"),
        Column("Queue", "right"),
        Column("Time limit", "right"),
        Column("Waiting", "right"),
        Column("Running", "right"),
        Column("Given up", "right"),
    ]
    return table(
        "Worker pools",
        columns,
        [
            (
                row["pool"],
                str(row["size"]),
                words.count(row["queue_limit"]),
                words.age(row["timeout_s"]),
                words.count(row["waiting"]),
                words.count(row["running"]),
                words.count(row["dead"]),
            )
            for row in rows
        ],
    )


def hits(rows: list[Row]) -> str:
    columns = [
        Column("When", "tight"),
        Column("Rule", "tight"),
        Column("Entity", "wide"),
        Column("Severity", "right"),
        Column("Case", "tight"),
        Column("Message of the event", "code"),
    ]
    return table("Hits", columns, [_hit(row) for row in rows])


def _hit(row: Row) -> tuple[str, ...]:
    case = case_link(row["case_id"], "open") if row["case_id"] else ""
    return (
        words.short(row["event_time"]),
        f"{row['processor']} v{row['version']}",
        Html(entity(row["entity"])) if row["entity"] else "",
        words.severity(row["severity"]),
        case,
        words.visible(row["event"].get("message") or "", 160),
    )


def tried(found: Tried) -> list[Tile]:
    """What a dry run says: looked at, hit, could not tell, how fast."""
    share = (
        f"{100 * found.hits / found.evaluated:.2f} % of them" if found.evaluated else found.note or "there is nothing to look at"
    )
    span = f"{words.short(found.oldest)} to {words.short(found.newest)}" if found.oldest is not None else ""
    speed = f"{words.count(found.events_per_s)} a second" if found.events_per_s is not None else ""
    return [
        Tile(f"{found.over.capitalize()} looked at", words.count(found.evaluated), span),
        Tile("Would hit", words.count(found.hits), share),
        Tile("Could not tell", words.count(found.errors), "a field that it asks for is absent", hot=found.errors > 0),
        Tile("Took", words.quantity(found.took_ms, "ms"), speed),
    ]


def sample(rows: list[Row]) -> str:
    """Some of what a dry run hit, as it came."""
    shown = [[f"{name}: {value}" for name, value in row.items() if value not in (None, "", [], {})] for row in rows[:20]]
    return table("Some of the hits", [Column("Event", "code")], [(words.visible("; ".join(parts), 400),) for parts in shown])


def schedules(rows: list[Row]) -> str:
    columns = [
        Column("Schedule", "tight"),
        Column("Job", "tight"),
        Column("When", "tight"),
        Column("Next", "tight"),
        Column("Last run", "tight"),
        Column("Came of it", "wide"),
    ]
    return table("Schedules", columns, [_schedule(row) for row in rows])


def _schedule(row: Row) -> tuple[str, ...]:
    when = f"{row['cron']} ({row['zone']})" if row["cron"] else f"every {words.age(row['every_s'])}"
    state = row.get("last_state") or ""
    style = {"done": "dismissed", "cached": "dismissed", "failed": "confirmed", "lost": "confirmed"}.get(state, "quiet")
    came = Html(
        f'<span class="cv-tag cv-{style}">{escaped(state or "never ran")}</span> {escaped(row.get("last_error") or "", 200)}'
    )
    following = "paused" if not row["enabled"] else words.short(row["next_at"])
    return (row["schedule_id"], row["job"], when, following, words.short(row.get("last_at")), came)
