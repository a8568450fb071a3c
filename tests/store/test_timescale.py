"""The same schema as hypertables, on a real TimescaleDB."""

from datetime import UTC, datetime

from store import timescale
from store.database import Database, connect
from store.settings import Retention


def test_the_metric_tables_are_hypertables(timescale_database: Database) -> None:
    with timescale_database.connection() as connection:
        assert set(timescale.hypertables(connection)) == set(timescale.HYPERTABLES)


def test_adopting_twice_changes_nothing(timescale_url: str) -> None:
    with connect(timescale_url) as connection:
        assert timescale.adopt(connection, Retention())
        assert timescale.adopt(connection, Retention(), again=True)


def test_rows_that_were_there_before_the_extension_are_kept(timescale_url: str) -> None:
    with connect(timescale_url) as connection:
        for table in ("metrics_minute", "metrics_hour", "anomalies"):
            connection.execute(f"drop table {table} cascade".encode())
        connection.execute("create table metrics_minute (bucket timestamptz not null, x int)")
        connection.execute("create table metrics_hour (bucket timestamptz not null)")
        connection.execute("create table anomalies (event_time timestamptz not null)")
        connection.execute("insert into metrics_minute values (%s, 7)", [datetime(2014, 1, 1, tzinfo=UTC)])
        timescale.adopt(connection, Retention())
        assert connection.execute("select x from metrics_minute").fetchall() == [{"x": 7}]


def test_plain_postgres_is_left_alone(database_url: str) -> None:
    with connect(database_url) as connection:
        assert not timescale.adopt(connection, Retention())
        assert timescale.hypertables(connection) == []
        assert timescale.licence(connection) is None


def test_hours_are_added_up_from_minutes(timescale_database: Database) -> None:
    with timescale_database.connection() as connection:
        for minute in (0, 59, 60):
            connection.execute(
                """insert into metrics_minute (bucket, entity_hash, count, errors, sum, sum_squares, min, max, histogram,
                anomalies, late, duplicates)
                values (timestamptz '2026-01-01 10:00Z' + make_interval(mins => %s), 1, 2, 1, 10, 60, 1, 9, '{}', 0, 0, 0)""",
                [minute],
            )
        rows = connection.execute("select bucket, count, errors, max from service_hours order by bucket").fetchall()
    assert [(row["bucket"].astimezone(UTC).hour, row["count"], row["errors"], row["max"]) for row in rows] == [
        (10, 4, 2, 9),
        (11, 2, 1, 9),
    ]
