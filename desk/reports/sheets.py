"""Tables as files: CSV for spreadsheets, Parquet for programs."""

import csv
import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from store.database import Queries
from trust import pii

Row = dict[str, Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
VIEWS = ("cases", "anomalies", "rulings", "commands", "entities", "feedback", "quarantine", "metrics")
MOST = 100_000


def rows(queries: Queries, tenant: str, view: str, since: datetime | None, limit: int) -> list[Row]:
    """The newest rows of a view, at most `limit`; personal data in text is masked."""
    found = queries.fetch(f"export_{view}", tenant=tenant, since=since, limit=min(limit, MOST))
    return [{name: masked(value) for name, value in row.items()} for row in found]


def masked(value: object) -> object:
    """Text masked, structures as JSON text, numbers and times as they are."""
    if isinstance(value, dict | list):
        return pii.mask(json.dumps(value, default=str, ensure_ascii=False))
    return pii.mask(value) if isinstance(value, str) else value


def as_csv(found: list[Row]) -> bytes:
    """UTF-8 with a header; a cell that a spreadsheet would take for a formula begins with an apostrophe.

    >>> as_csv([{"a": "=1+1", "b": -2.5}])
    b"a,b\\r\\n'=1+1,-2.5\\r\\n"
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(list(found[0]) if found else [])
    writer.writerows([cell(value) for value in row.values()] for row in found)
    return text.getvalue().encode()


def cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_parquet(found: list[Row]) -> bytes:
    """One row group of the rows, types as they come from the database."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), sink)
    return sink.getvalue()
