"""Rows that speak of somebody, in whatever table and column: counted, removed, or with a mark in place of the name.

Works on the catalogue, so a table that comes later is covered without being named here. Runs as the database's owner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as compose

from store.database import Connection, fetch


@dataclass(frozen=True)
class Column:
    """A column that can hold words."""

    table: str
    name: str
    type: str
    tenanted: bool
    triggered: bool

    @property
    def sql(self) -> compose.Composable:
        return compose.Identifier(self.name)


def columns(connection: Connection, without: Sequence[str] = ()) -> list[Column]:
    """Every text, text[] and JSON column of every table, but for the tables named in `without`."""
    rows = fetch(connection, "texts_of_tables")
    return [Column(r["table"], r["column"], r["type"], r["tenanted"], r["triggered"]) for r in rows if r["table"] not in without]


def tables_with(connection: Connection, column: str, kind: str) -> list[str]:
    return [row["table"] for row in fetch(connection, "columns_named", column=column, type=kind)]


def count(connection: Connection, held: Sequence[Column], tenant: str, pattern: str) -> int:
    """Rows of one table of which any of these columns matches the regular expression."""
    query = compose.SQL("select count(*) as rows from {} where {}").format(compose.Identifier(held[0].table), _where(held))
    return int(connection.execute(query, {"tenant": tenant, "pattern": pattern}).fetchall()[0]["rows"])


def remove(connection: Connection, held: Sequence[Column], tenant: str, pattern: str) -> int:
    """Delete these rows; how many."""
    query = compose.SQL("delete from {} where {}").format(compose.Identifier(held[0].table), _where(held))
    with unguarded(connection, held[0]):
        return connection.execute(query, {"tenant": tenant, "pattern": pattern}).rowcount


def replace(connection: Connection, held: Sequence[Column], tenant: str, pattern: str, mark: str) -> int:
    """Put `mark` where the pattern stands after its first group, in all these columns; rows that then break a rule go."""
    changes = compose.SQL(", ").join(compose.SQL("{} = {}").format(column.sql, _replaced(column)) for column in held)
    table = compose.Identifier(held[0].table)
    query = compose.SQL("update {} set {} where {}").format(table, changes, _where(held))
    values = {"tenant": tenant, "pattern": pattern, "mark": rf"\1{mark}"}
    try:
        with connection.transaction(), unguarded(connection, held[0]):
            return connection.execute(query, values).rowcount
    except psycopg.IntegrityError:
        return remove(connection, held, tenant, pattern)


def remove_where(
    connection: Connection, tables: Sequence[str], column: str, tenant: str, values: Sequence[Any]
) -> dict[str, int]:
    """Delete the rows whose column is one of `values`; table → rows. What others refer to without a cascade goes after them."""
    left, done = list(tables), dict.fromkeys(tables, 0)
    while left:
        waiting = [table for table in left if not _try_remove(connection, table, column, tenant, values, done)]
        if len(waiting) == len(left):
            _remove(connection, left[0], column, tenant, values)  # raises what stands in the way
        left = waiting
    return done


def remove_sharing(connection: Connection, table: str, column: str, tenant: str, values: Sequence[str]) -> int:
    """Delete the rows whose array column has any of `values`; how many."""
    query = compose.SQL("delete from {} where tenant = %(tenant)s and {} && %(values)s::text[]")
    composed = query.format(compose.Identifier(table), compose.Identifier(column))
    return connection.execute(composed, {"tenant": tenant, "values": list(values)}).rowcount


class unguarded:
    """The table's own triggers (append only …) rest inside the block; the server's do not. Undone with the transaction."""

    def __init__(self, connection: Connection, column: Column) -> None:
        self._connection, self._column = connection, column

    def __enter__(self) -> None:
        self._say("disable")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._say("enable")

    def _say(self, verb: str) -> None:
        if self._column.triggered:
            table = compose.Identifier(self._column.table)
            self._connection.execute(compose.SQL(f"alter table {{}} {verb} trigger user").format(table))


def _try_remove(
    connection: Connection, table: str, column: str, tenant: str, values: Sequence[Any], done: dict[str, int]
) -> bool:
    try:
        with connection.transaction():
            done[table] += _remove(connection, table, column, tenant, values)
    except psycopg.IntegrityError:
        return False
    return True


def _remove(connection: Connection, table: str, column: str, tenant: str, values: Sequence[Any]) -> int:
    query = compose.SQL("delete from {} where tenant = %(tenant)s and {} = any(%(values)s)")
    composed = query.format(compose.Identifier(table), compose.Identifier(column))
    return connection.execute(composed, {"tenant": tenant, "values": list(values)}).rowcount


def _where(held: Sequence[Column]) -> compose.Composable:
    speaks = compose.SQL(" or ").join(compose.SQL("{}::text ~ %(pattern)s").format(column.sql) for column in held)
    whose = compose.SQL("tenant = %(tenant)s and " if held[0].tenanted else "")
    return compose.SQL("{}({})").format(whose, speaks)


def _replaced(column: Column) -> compose.Composable:
    change = compose.SQL("regexp_replace({}, %(pattern)s, %(mark)s, 'g')")
    if column.type == "text[]":
        each = change.format(compose.SQL("one"))
        words = compose.SQL("array(select {} from unnest({}) with ordinality as t(one, i) order by i)").format(each, column.sql)
        return compose.SQL("case when {} is null then null else {} end").format(column.sql, words)
    cast = compose.SQL("{}::" + column.type)  # of our own catalogue
    return cast.format(change.format(compose.SQL("{}::text").format(column.sql)))
