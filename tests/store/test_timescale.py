"""The same schema as hypertables, on a real TimescaleDB."""

import re
from datetime import UTC, datetime

import pytest

from store import timescale
from store.away import translated
from store.database import Database, connect
from store.errors import DatabaseError
from store.named import FOLDER, parse
from store.sections.core import Retention

PARAMETER = re.compile(r"%\((\w+)\)s")


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


def test_every_query_on_timescale_is_accepted(timescale_database: Database, subtests: pytest.Subtests) -> None:
    """Also those that need the community licence: their functions exist in the Apache build, only calling them is refused."""
    for name, statement in parse((FOLDER / "timescale.sql").read_text()).items():
        if statement.startswith("select"):
            numbers = {found: f"${place + 1}" for place, found in enumerate(dict.fromkeys(PARAMETER.findall(statement)))}
            text = PARAMETER.sub(lambda found, numbers=numbers: numbers[found.group(1)], statement).replace("%%", "%")
            with subtests.test(name), timescale_database.connection() as connection:
                connection.execute(f"prepare checked as {text}".encode())
                connection.execute("deallocate checked")


def test_a_licence_that_allows_policies_is_needed_for_them(timescale_url: str) -> None:
    with connect(timescale_url) as connection:
        if timescale.licence(connection) == "apache":
            with pytest.raises(DatabaseError, match="apache"), translated():
                timescale._set_policies(connection, Retention())
        else:
            timescale._set_policies(connection, Retention())
            jobs = connection.execute(
                "select proc_name from timescaledb_information.jobs where hypertable_name is not null"
            ).fetchall()
            assert {"policy_compression", "policy_retention"} <= {row["proc_name"] for row in jobs}
            timescale.adopt(connection, Retention(), again=True)
