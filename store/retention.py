"""Old rows go: by when they arrived or were made, never by the events' own times, since replayed events are old."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql as compose

from store import timescale
from store.database import Connection, Database, fetch
from store.database import run as run_query
from store.sections.core import Retention

LOCK = 0x436F6E636C617667
STEP = timedelta(days=1)


@dataclass(frozen=True)
class Rule:
    """One table: the time column that ages its rows, and the setting that says for how many days they stay."""

    table: str
    column: str
    days: str


# In this order: an episode may go only after its case.
RULES = (
    Rule("metrics_minute", "arrived_at", "metrics_days"),
    Rule("metrics_hour", "arrived_at", "metrics_days"),
    Rule("anomalies", "arrived_at", "anomalies_days"),
    Rule("tool_audit", "at", "tool_audit_days"),
    Rule("quarantined", "arrived_at", "quarantine_days"),
    Rule("batches", "committed_at", "batches_days"),
    Rule("stream_progress", "at", "batches_days"),
    Rule("rulings", "ruled_at", "rulings_days"),
    Rule("cases", "updated_at", "rulings_days"),
    Rule("episodes", "detected_at", "anomalies_days"),
    Rule("maintenance_runs", "at", "rulings_days"),
)
DEAD_WORKER = timedelta(days=1)


def due(database: Database, retention: Retention, now: datetime) -> bool:
    """Whether the last maintenance is `retention.every_s` ago, or there was none."""
    last = database.fetch("last_maintenance")[0]["at"]
    return last is None or now - last >= timedelta(seconds=retention.every_s)


def run(database: Database, retention: Retention, now: datetime) -> dict[str, int] | None:
    """Remove what is past its time and record it: table → rows removed; None when another process is at it.

    Rows of a dropped case's rulings, commands and alerts are not counted. Each day's worth is a transaction of its own.
    """
    with database.connection() as connection:
        if not fetch(connection, "try_maintenance", lock=LOCK)[0]["mine"]:
            return None
        try:
            removed = _remove_all(connection, retention, now)
            run_query(connection, "record_maintenance", at=now, removed=removed)
            connection.commit()
        finally:
            connection.rollback()
            fetch(connection, "end_maintenance", lock=LOCK)
        return removed


def sizes(database: Database) -> list[dict[str, Any]]:
    """`name`, `rows` (about) and `bytes` (with indexes) of every table, the largest first."""
    return database.fetch("table_sizes")


def steps(oldest: datetime, before: datetime, step: timedelta = STEP) -> Iterator[datetime]:
    """Moments up to `before` that cut the time since `oldest` into steps.

    >>> from datetime import UTC
    >>> [d.day for d in steps(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 12, tzinfo=UTC))]
    [2, 3, 3]
    """
    at = oldest + step
    while at < before:
        yield at
        at += step
    yield before


def _remove_all(connection: Connection, retention: Retention, now: datetime) -> dict[str, int]:
    hypertables = timescale.hypertables(connection)
    removed = {}
    for rule in RULES:
        before = now - timedelta(days=getattr(retention, rule.days))
        dropped = _drop_chunks(connection, rule.table, before) if rule.table in hypertables else 0
        removed[rule.table] = dropped + _remove_rows(connection, rule, before)
    removed["workers"] = run_query(connection, "remove_workers", before=now - DEAD_WORKER)
    connection.commit()
    return removed


def _remove_rows(connection: Connection, rule: Rule, before: datetime) -> int:
    query = compose.SQL("select min({}) as at from {}").format(compose.Identifier(rule.column), compose.Identifier(rule.table))
    oldest = connection.execute(query).fetchall()[0]["at"]
    removed = 0
    if oldest is not None and oldest < before:
        for moment in steps(oldest, before):
            removed += run_query(connection, f"remove_{rule.table}", before=moment)
            connection.commit()
    return removed


def _drop_chunks(connection: Connection, table: str, before: datetime) -> int:
    """Drop the chunks in which every row arrived before the moment; the rows that were in them."""
    removed = 0
    for chunk in fetch(connection, "old_chunks", table=table, before=before):
        name = compose.Identifier(chunk["chunk_schema"], chunk["chunk_name"])
        query = compose.SQL("select count(*) as rows, coalesce(max(arrived_at) < %(before)s, true) as old from {}").format(name)
        held = connection.execute(query, {"before": before}).fetchall()[0]
        if held["old"]:
            fetch(connection, "drop_chunk", table=table, range_start=chunk["range_start"], range_end=chunk["range_end"])
            connection.commit()
            removed += held["rows"]
    return removed
