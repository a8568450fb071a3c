"""Any table of the pages as a file: CSV for spreadsheets, Parquet for programs. Personal data in text is masked in both."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trust.pii import mask

Row = dict[str, Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(rows: list[Row]) -> bytes:
    """UTF-8 with a header; times in RFC 3339 UTC, objects as JSON, and no text that a spreadsheet would run as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = columns(rows)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue().encode("utf-8")


def as_parquet(rows: list[Row]) -> bytes:
    """The same columns; times as UTC timestamps, numbers as numbers, objects as JSON text."""
    names = columns(rows)
    table = pa.table({name: _column([row.get(name) for row in rows]) for name in names})
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def columns(rows: list[Row]) -> list[str]:
    """Every name that any row has, in the order met."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{mask(value)}" if value.startswith(FORMULA) else mask(value)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict | list | tuple):
        return mask(json.dumps(value, default=str, ensure_ascii=False))
    return mask(value) if isinstance(value, str) else str(value)


def _column(values: list[Any]) -> Any:
    """One Arrow column: of its own type when all values share one, else of text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} or kinds <= {bool}:
        return pa.array(values)
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds <= {datetime}:
        return pa.array([value and value.astimezone(UTC) for value in values], pa.timestamp("us", tz="UTC"))
    return pa.array([None if value is None else _text(value) for value in values], pa.string())
