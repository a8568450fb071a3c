"""The database as the pages read it: rows and frames through the named queries, one pool per process.

Answers are kept for a second, so that ten browsers ask the database little more often than one.
"""

from contextvars import ContextVar
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard import words
from observe.telemetry import process
from store.database import Database, Tenant, open_database
from store.settings import settings
from trust.roles import Caller

Row = dict[str, Any]
MINUTE_KINDS = ("service", "series")
KEPT_S = 1.0
READER: ContextVar[Caller] = ContextVar("reader")  # whose page is being drawn, set where a page or a part of one begins


class Range(NamedTuple):
    """A chart's span and the width of its buckets, both in seconds."""

    span_s: int
    width_s: int


RANGES = {
    "3 hours": Range(3 * 3600, 120),
    "24 hours": Range(86_400, 900),
    "3 days": Range(3 * 86_400, 3600),
    "14 days": Range(14 * 86_400, 4 * 3600),
}


@st.cache_resource(show_spinner=False)
def database() -> Database:
    """The process's only pool; raises what `open_database` raises. From here on the process has a /metrics."""
    process.begin(settings(), "dashboard")
    return open_database(settings(), wait_s=0.5)


def caller() -> Caller:
    """Who reads the page that is being drawn."""
    return READER.get()


def tenant() -> Tenant:
    """The reader's own rows, held to them by row-level security."""
    return database().of(caller().tenant)


def rows(name: str, **params: Any) -> list[Row]:
    """Rows of a named query for the reader's tenant."""
    return of(caller().tenant, name, **params)


@st.cache_data(ttl=KEPT_S, show_spinner=False, max_entries=500)
def of(tenant: str, name: str, **params: Any) -> list[Row]:
    return database().of(tenant).fetch(name, tenant=tenant, **params)


def forget() -> None:
    """After a change: the next look shows it."""
    of.clear()


def one(name: str, **params: Any) -> Row | None:
    found = rows(name, **params)
    return found[0] if found else None


def pulse() -> Row:
    """The live page's head: rates and counts; it always exists."""
    return rows("dashboard_pulse")[0]


def council(workers: list[Row], alive_s: float = 60) -> list[Row]:
    """The council workers that reported lately, newest first."""
    return [worker for worker in workers if worker["job"] == "council" and worker["silent_s"] <= alive_s]


def buckets(kind: str, span: Range, most: int) -> pd.DataFrame:
    """Bucketed metrics of the `most` busiest entities of a kind: bucket, entity, count, error_rate, mean, anomalies."""
    by_minute = kind in MINUTE_KINDS
    width_s = span.width_s if by_minute else max(3600, span.width_s)
    query = "dashboard_minutes" if by_minute else "dashboard_hours"
    return frame(rows(query, kind=kind, span_s=span.span_s, width_s=width_s, most=most), MEASURED)


def window(entity: Row, span: Range) -> pd.DataFrame:
    """One entity's own metrics: bucket, count, error_rate, mean, min, max, p95, anomalies."""
    query = "dashboard_entity_minutes" if entity["kind"] in MINUTE_KINDS else "dashboard_entity_hours"
    return frame(rows(query, entity_hash=entity["entity_hash"], span_s=span.span_s), WINDOWED)


def flagged(entity: Row, most: int = 300) -> pd.DataFrame:
    """One entity's newest anomalies: event_time, detector, value, expected, low, high, unit, severity."""
    return frame(rows("dashboard_entity_anomalies", entity_hash=entity["entity_hash"], most=most), FLAGGED)


MEASURED = ("bucket", "entity", "count", "error_rate", "mean", "anomalies")
WINDOWED = ("bucket", "count", "error_rate", "mean", "min", "max", "p95", "anomalies")
FLAGGED = ("event_time", "detector", "value", "expected", "low", "high", "unit", "severity", "event_id")
BATCHES = ("committed_at", "job", "events", "took_s")
TEXTS = {"bucket", "entity", "event_time", "detector", "unit", "event_id", "committed_at", "job"}


def frame(found: list[Row], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a frame of `columns` whose numbers are floats, missing ones NaN."""
    data = pd.DataFrame(found, columns=list(columns))
    for column in ("bucket", "event_time", "committed_at"):
        if column in data:
            data[column] = pd.to_datetime(data[column], utc=True).dt.tz_convert(words.ZONE.get())
    numbers = [column for column in columns if column not in TEXTS]
    data[numbers] = data[numbers].astype("float64")
    return data
