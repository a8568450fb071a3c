"""Binary COPY laid out by numpy, read back from a real table."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from store.bulk import copy_fixed, copy_rows
from store.database import Connection, connect

TABLE = "create table sample (big bigint, real double precision, small integer, at timestamptz, many bigint[], none bigint[])"
EDGES = [-(2**63), -1, 0, 1, 2**63 - 1]


@pytest.fixture
def connection(server_url: str) -> Iterator[Connection]:
    """A transaction that is undone."""
    with connect(server_url, autocommit=False) as opened:
        yield opened
        opened.rollback()


def columns(rows: int) -> dict[str, np.ndarray]:
    reals = np.array([-np.inf, -1.5, 0.0, 5e-324, np.inf])
    micros = np.array([0, 1, 946_684_800_000_000, 946_684_799_999_999, 4_102_444_800_000_001])
    return {
        "big": np.array(EDGES, np.int64)[:rows],
        "real": reals[:rows],
        "small": np.array([-(2**31), -1, 0, 1, 2**31 - 1], np.int32)[:rows],
        "at": micros.astype("datetime64[us]")[:rows],
        "many": np.arange(5 * 64, dtype=np.int64).reshape(5, 64)[:rows] - 100,
        "none": np.empty((5, 0), np.int64)[:rows],
    }


def stored(connection: Connection, given: dict[str, np.ndarray]) -> list[dict[str, object]]:
    connection.execute(TABLE.encode())
    copy_fixed(connection, "sample", given)
    return connection.execute(b"select * from sample order by big").fetchall()


def test_every_type_is_read_back_as_it_was_given(connection):
    given = columns(5)
    found = stored(connection, given)
    assert [row["big"] for row in found] == EDGES
    assert [row["real"] for row in found] == given["real"].tolist()
    assert [row["small"] for row in found] == given["small"].tolist()
    assert [row["at"].astimezone(UTC) for row in found] == [t.replace(tzinfo=UTC) for t in given["at"].tolist()]
    assert [row["many"] for row in found] == given["many"].tolist()
    assert [row["none"] for row in found] == [[]] * 5
    assert found[0]["at"].astimezone(UTC) == datetime(1970, 1, 1, tzinfo=UTC)


def test_not_a_number_is_stored_as_such(connection):
    [row] = stored(connection, columns(1) | {"real": np.array([np.nan])})
    assert row["real"] != row["real"]


def test_no_rows_are_no_rows(connection):
    assert stored(connection, columns(0)) == []


def test_arrays_of_one_dimension_are_one_based_and_usable_in_sql(connection):
    connection.execute(TABLE.encode())
    copy_fixed(connection, "sample", columns(2))
    [row] = connection.execute(
        b"select array_length(many, 1) n, many[1] a, many[64] z, array_length(none, 1) e from sample where big = -1"
    ).fetchall()
    assert row == {"n": 64, "a": -36, "z": 27, "e": None}


def test_columns_may_come_in_any_order_and_the_rest_defaults(connection):
    connection.execute(b"create table sample (a bigint, b bigint default 7, c double precision)")
    copy_fixed(connection, "sample", {"c": np.array([0.5]), "a": np.array([3])})
    assert connection.execute(b"select * from sample").fetchall() == [{"a": 3, "b": 7, "c": 0.5}]


def test_a_column_of_another_width_is_an_error(connection):
    connection.execute(b"create table sample (a bigint)")
    with pytest.raises(psycopg.Error, match="insufficient data"):
        copy_fixed(connection, "sample", {"a": np.array([3], np.int32)})


def test_rows_of_any_types_are_copied_as_text(connection):
    connection.execute(b"create table sample (a text, b text[], c jsonb, d timestamptz, e double precision)")
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    copy_rows(connection, "sample", ("a", "b", "c", "d", "e"), [("x\t\\N\n", ["a,", '"'], '{"k": [1]}', moment, float("inf"))])
    [row] = connection.execute(b"select * from sample").fetchall()
    assert (row["a"], row["b"], row["c"], row["d"], row["e"]) == ("x\t\\N\n", ["a,", '"'], {"k": [1]}, moment, float("inf"))
