"""The tables of the case page, from rows."""

from collections.abc import Sequence
from typing import Any

from dashboard import words
from dashboard.cards import entity
from dashboard.lists import entity_link
from dashboard.markup import Column, Html, table
from dashboard.tables import fired
from dashboard.words import escaped

Row = dict[str, Any]


def case_link(case_id: str, said: str) -> Html:
    return Html(f'<a href="{words.link("case", case=case_id)}">{escaped(said, 160)}</a>')


def members(rows: list[Row]) -> str:
    """The episodes of a case and why each is in it."""
    columns = [Column("Entity", "wide"), Column("Severity", "right"), Column("Hits", "right"), Column("Began", "tight"),
               Column("Last", "tight"), Column("In it because", "wide")]  # fmt: skip
    return table(
        "Episodes of this case",
        columns,
        [
            (
                Html(entity_link(row["entity"])), words.severity(row["severity"]), words.count(row["hits"]),
                words.short(row["started_at"]), words.short(row["last_at"]),
                row["joined_because"] or ("it opened the case" if row["is_head"] else ""),
            )
            for row in rows
        ],
    )  # fmt: skip


def candidates(rows: Sequence[Row]) -> str:
    columns = [Column("Case", "wide"), Column("Status", "tight"), Column("Severity", "right"), Column("Because", "wide")]
    return table(
        "What would merge",
        columns,
        [
            (
                case_link(row["case_id"], row["entity"]),
                row["status"],
                words.severity(row["severity"]),
                row["because"] + (", but split by hand" if row["apart"] else ""),
            )
            for row in rows
        ],
    )


def links(rows: list[Row]) -> str:
    columns = [Column("Target", "wide"), Column("By", "tight"), Column("When", "tight")]
    return table("Links", columns, [(_target(row), row["actor"], words.short(row["at"])) for row in rows])


def _target(row: Row) -> Html:
    """Another case by its page; an address as a link that tells nobody where it was followed from."""
    if row["kind"] == "case":
        return case_link(row["target"], row["title"] or row["target"])
    if not row["target"].startswith(("https://", "http://")):
        return Html(escaped(row["target"]))
    return Html(
        f'<a href="{escaped(row["target"], 2000)}" rel="noreferrer noopener">{escaped(row["title"] or row["target"], 160)}</a>'
    )


def similar(found: Sequence[Any]) -> str:
    """Remembered cases: when, what, the outcome, and how near by words and meaning."""
    columns = [Column("When", "tight"), Column("Case", "wide"), Column("Outcome", "tight"), Column("Likeness", "right")]
    return table(
        "Similar past cases",
        columns,
        [
            (words.short(one.happened_at), case_link(one.case_id, one.summary), words.outcome(one.outcome), f"{one.score:.2f}")
            for one in found
        ],
    )


def feedback(rows: list[Row]) -> str:
    columns = [Column("When", "tight"), Column("Who", "tight"), Column("Verdict", "tight"), Column("About", "tight"),
               Column("Why", "wide")]  # fmt: skip
    return table("Feedback", columns, [_opinion(row) for row in rows])


def _opinion(row: Row) -> tuple[str, ...]:
    why = ((row["reason"] or "").replace("_", " "), row["comment"])
    return (
        words.short(row["at"]),
        row["name"] or row["actor"],
        "right" if row["verdict"] == "confirm" else "wrong",
        f"{row['about']} by {row['via']}",
        ": ".join(part for part in why if part),
    )


def anomalies(rows: list[Row]) -> str:
    """Anomalies of several entities."""
    spoken = any(row["event"].get("message") for row in rows)
    columns = [Column("Event time", "tight"), Column("Entity", "tight"), Column("Value", "right"), Column("Expected", "tight"),
               Column("Severity", "right"), Column("Detectors that fired", "wide"),
               *([Column("Message of the event", "code")] if spoken else [])]  # fmt: skip
    return table("Anomalies, newest first", columns, [_anomaly(row, spoken) for row in rows])


def _anomaly(row: Row, spoken: bool) -> tuple[str, ...]:
    qualifier = words.named(row["entity"])[2]
    return (
        words.short(row["event_time"]),
        Html(entity(row["entity"])),
        words.quantity(row["value"], row["unit"], qualifier),
        words.between(row["low"], row["high"], row["unit"], qualifier),
        words.severity(row["severity"]),
        fired(row["scores"]),
        *([words.visible(row["event"].get("message") or "", 160)] if spoken else []),
    )
