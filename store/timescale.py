"""TimescaleDB where it can be had: hypertables always, compression and policies where its licence allows them.

Everything also runs on plain Postgres, with the same queries. The Apache build (`show timescaledb.license` = apache) has
no policies, compression or continuous aggregates; there the periodic job of store.retention drops chunks itself.
"""

from typing import Any

import psycopg

from store.named import sql
from store.sections.core import Retention

LOCK = 0x436F6E636C617666
HYPERTABLES = {"metrics_minute": ("bucket", "1 day"), "metrics_hour": ("bucket", "7 days"), "anomalies": ("event_time", "7 days")}
COMPRESS_AFTER_DAYS = 7
SPARE_DAYS = 7  # a chunk may be as old as this before its last row arrives

HOURS = """create materialized view service_hours with (timescaledb.continuous, timescaledb.materialized_only = false) as
  select time_bucket('1 hour', bucket) as bucket, tenant, entity_hash, sum(count)::bigint as count, sum(errors)::bigint as errors,
         sum(sum) as sum, sum(sum_squares) as sum_squares, min(min) as min, max(max) as max, sum(anomalies)::bigint as anomalies
  from metrics_minute group by 1, 2, 3 with no data"""


def adopt(connection: psycopg.Connection[Any], retention: Retention, *, again: bool = False) -> bool:
    """Use timescaledb when this server has it; False on plain Postgres. Safe to repeat and to race.

    `connection`: autocommit, dict rows. With `again` the policies are renewed from the settings also where all is in place.
    """
    state = _rows(connection, "timescale_state")[0]
    if not (state["installed"] or (state["loaded"] and state["available"])):
        return False
    if not state["installed"]:
        _rows(connection, "timescale_create")
    if again or set(HYPERTABLES) - set(hypertables(connection)):
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
            _make_hypertables(connection)
        if licence(connection) == "timescale":
            _set_policies(connection, retention)
    return True


def hypertables(connection: psycopg.Connection[Any]) -> list[str]:
    """The hypertables' names; empty on plain Postgres."""
    if not _rows(connection, "timescale_state")[0]["installed"]:
        return []
    return [row["hypertable_name"] for row in _rows(connection, "hypertable_names")]


def licence(connection: psycopg.Connection[Any]) -> str | None:
    """`apache`, `timescale`, or None on plain Postgres."""
    value: str | None = _rows(connection, "timescale_licence")[0]["licence"]
    return value


def _make_hypertables(connection: psycopg.Connection[Any]) -> None:
    missing = set(HYPERTABLES) - set(hypertables(connection))
    for table in sorted(missing):
        column, width = HYPERTABLES[table]
        _rows(connection, "make_hypertable", table=table, column=column, width=width)


def _set_policies(connection: psycopg.Connection[Any], retention: Retention) -> None:
    """Compression, retention and the hourly aggregate, all by when rows arrived, not by the events' own times."""
    days = {
        "metrics_minute": retention.metrics_days,
        "metrics_hour": retention.metrics_days,
        "anomalies": retention.anomalies_days,
    }
    for table, (column, _) in HYPERTABLES.items():
        options = (
            f"timescaledb.compress, timescaledb.compress_segmentby = 'entity_hash', timescaledb.compress_orderby = '{column}'"
        )
        connection.execute(f"alter table {table} set ({options})".encode())
        _rows(connection, "drop_policies", table=table)
        _rows(connection, "compress_table", table=table, days=COMPRESS_AFTER_DAYS)
        _rows(connection, "retain_table", table=table, days=days[table] + SPARE_DAYS)
    if not _rows(connection, "service_hours_kind")[0]["continuous"]:
        connection.execute("drop view service_hours")
        connection.execute(HOURS.encode())
    _rows(connection, "refresh_service_hours")


def _rows(connection: psycopg.Connection[Any], name: str, **params: Any) -> list[Any]:
    cursor = connection.execute(sql(name).encode(), params)
    return cursor.fetchall() if cursor.description else []
