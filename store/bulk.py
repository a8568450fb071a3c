"""Many rows in one go: Postgres' binary COPY, laid out by numpy for rows of fixed width, by psycopg for the few others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.errors import UniqueViolation

from store.database import Connection

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01, from which its timestamps count
BIGINT = 20
Values = NDArray[Any]


def copy_fixed(connection: Connection, table: str, columns: Mapping[str, Values]) -> None:
    """Append N rows whose columns are not null: int64 → bigint, float64 → double precision, int32 → integer,
    datetime64[us] → timestamptz, (N, k) int64 → bigint[] of k elements (k may be 0), bytes of one length → text."""
    rows = len(next(iter(columns.values())))
    layout: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, values in columns.items():
        layout += _field(name, values)
    packed = np.zeros(rows, np.dtype(layout))
    packed["fields"] = len(columns)
    for name, values in columns.items():
        _fill(packed, name, values)
    with connection.cursor() as cursor, cursor.copy(_copy(table, list(columns), binary=True)) as copy:
        copy.write(SIGNATURE + packed.tobytes() + TRAILER)


def append_new(connection: Connection, table: str, columns: Mapping[str, Values]) -> bool:
    """`copy_fixed` of rows that are believed to be new; False, and nothing appended, when one of them is there already."""
    try:
        with connection.transaction():
            copy_fixed(connection, table, columns)
    except UniqueViolation:
        return False
    return True


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows of any types."""
    with connection.cursor() as cursor, cursor.copy(_copy(table, columns, binary=False)) as copy:
        for row in rows:
            copy.write_row(row)


def _copy(table: str, columns: Sequence[str], *, binary: bool) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    form = sql.SQL("(format binary)") if binary else sql.SQL("")
    return sql.SQL("copy {} ({}) from stdin {}").format(sql.Identifier(table), names, form)


def _field(name: str, values: Values) -> list[tuple[str, Any]]:
    if values.ndim == 1:
        kind = ">i8" if values.dtype.kind == "M" else values.dtype.newbyteorder(">").str
        return [(f"{name} size", ">i4"), (name, kind)]
    k = values.shape[1]
    head = [("dimensions", ">i4"), ("nulls", ">i4"), ("type", ">i4")]
    if k == 0:
        return [(f"{name} size", ">i4"), (name, np.dtype(head))]
    element = np.dtype([("size", ">i4"), ("value", ">i8")])
    return [(f"{name} size", ">i4"), (name, np.dtype([*head, ("length", ">i4"), ("first", ">i4"), ("elements", element, (k,))]))]


def _fill(packed: Values, name: str, values: Values) -> None:
    packed[f"{name} size"] = packed.dtype[name].itemsize
    if values.ndim == 1:
        packed[name] = (
            values.astype("datetime64[us]").astype(np.int64) - POSTGRES_EPOCH_US if values.dtype.kind == "M" else values
        )
        return
    packed[name]["type"] = BIGINT
    if values.shape[1]:
        packed[name]["dimensions"], packed[name]["length"], packed[name]["first"] = 1, values.shape[1], 1
        packed[name]["elements"]["size"], packed[name]["elements"]["value"] = 8, values
