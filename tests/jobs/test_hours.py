"""Hours of accounts, appended or merged: the table holds the sums of all batches, whatever was believed to be new."""

from itertools import pairwise

import numpy as np
import pytest
from streams import START, S

from jobs.sink import write_hours
from store.bulk import append_new, copy_rows
from store.database import Database

HOUR_US = 3600 * S
FIRST = START - START % HOUR_US


def hours(*rows: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Of (entity, hour, events)."""
    entity, hour, count = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    nothing, value = np.zeros(len(entity), np.int64), count.astype(np.float64)
    return {"entity_hash": entity, "bucket": (FIRST + hour * HOUR_US).astype("datetime64[us]"), "count": count, "sum": value * 2,
            "sum_squares": value * 4, "min": value, "max": value, "anomalies": nothing, "late": nothing,
            "duplicates": nothing}  # fmt: skip


def write(database: Database, batches: list[tuple[dict[str, np.ndarray], int | None]]) -> None:
    with database.connection() as connection:
        connection.execute(b"create temp table incoming_hours (like metrics_hour including defaults) on commit drop")
        for batch, counted_to in batches:
            write_hours(connection, batch, counted_to)
            connection.execute(b"truncate incoming_hours")


def held(database: Database) -> dict[tuple[int, int], tuple[int, float, float, str]]:
    with database.connection() as connection:
        found = connection.execute(
            b"select entity_hash, extract(epoch from bucket)::bigint * 1000000 as at, count, sum, max, tenant from metrics_hour"
        )
        return {(r["entity_hash"], (r["at"] - FIRST) // HOUR_US): (r["count"], r["sum"], r["max"], r["tenant"]) for r in found}


def entity(database: Database, number: int, tenant: str) -> None:
    with database.connection() as connection:
        columns = ("entity_hash", "tenant", "entity", "kind", "subject", "first_seen")
        copy_rows(
            connection, "entities", columns, [(number, tenant, f"account:A{number}", "account", f"A{number}", "2026-01-01Z")]
        )


@pytest.mark.parametrize("believed", [None, FIRST - 1, FIRST + HOUR_US // 2, FIRST + 9 * HOUR_US])
def test_whatever_is_believed_to_be_new_the_sums_are_right(database, believed):
    """`believed` too early says that hours are new that are there already."""
    write(database, [(hours((5, 0, 3), (-7, 0, 1)), None), (hours((-7, 1, 2), (5, 0, 4), (5, 1, 1)), believed)])
    assert held(database) == {
        (5, 0): (7, 14.0, 4.0, "main"), (5, 1): (1, 2.0, 1.0, "main"),
        (-7, 0): (1, 2.0, 1.0, "main"), (-7, 1): (2, 4.0, 2.0, "main"),
    }  # fmt: skip


def test_rows_lie_in_the_order_of_the_key(database):
    """So that an account's hours of many batches are found on few pages, and its index grows at few places."""
    write(database, [(hours((3, 1, 1), (1, 1, 1), (3, 0, 1), (-2, 0, 1)), None)])
    with database.connection() as connection:
        found = [
            (r["entity_hash"], r["bucket"])
            for r in connection.execute(b"select entity_hash, bucket from metrics_hour order by ctid")
        ]
    assert all(a < b for a, b in pairwise(found))


@pytest.mark.parametrize("tenants", [("acme", "acme"), ("acme", "zeta")])
def test_every_row_gets_its_tenant(database, tenants):
    for number, tenant in enumerate(tenants):
        entity(database, number, tenant)
    write(database, [(hours((0, 0, 1), (1, 0, 2)), None), (hours((0, 1, 1), (1, 0, 2)), FIRST)])
    assert {key: row[3] for key, row in held(database).items()} == {
        (0, 0): tenants[0], (1, 0): tenants[1], (0, 1): tenants[0],
    }  # fmt: skip


def test_an_append_of_a_row_that_is_there_appends_nothing(database):
    new = hours((1, 0, 1), (2, 0, 1))
    with database.connection() as connection:
        assert append_new(connection, "metrics_hour", hours((2, 0, 9)))
        assert not append_new(connection, "metrics_hour", new)
    assert held(database) == {(2, 0): (9, 18.0, 9.0, "main")}
