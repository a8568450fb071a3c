"""A small bronze as ingest writes it: Parquet files and Delta's log, without Spark."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()), ("event_time", pa.timestamp("us")), ("kind", pa.string()), ("account_id", pa.string()),
        ("amount", pa.float64()), ("currency", pa.string()), ("counterparty_id", pa.string()), ("service", pa.string()),
        ("status", pa.int32()), ("latency_ms", pa.float64()), ("metric", pa.string()), ("value", pa.float64()),
        ("message", pa.string()), ("attributes", pa.map_(pa.string(), pa.string())), ("tenant", pa.string()),
        ("source", pa.string()), ("position", pa.int64()), ("row_id", pa.int64()),
    ]
)  # fmt: skip


def rows_of(events: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    usual = {
        "kind": "transaction",
        "account_id": "A1",
        "currency": "EUR",
        "tenant": "main",
        "source": "a.jsonl",
        "attributes": [],
    }
    return [
        usual | {"event_id": f"e{row}", "event_time": (START + timedelta(seconds=row)).replace(tzinfo=None), "position": row,
                 "row_id": row} | event
        for row, event in enumerate(events, first)
    ]  # fmt: skip


def write_bronze(place: Path, commits: list[list[dict[str, Any]]]) -> None:
    """One file and one commit for each list of events."""
    (place / "_delta_log").mkdir(parents=True)
    row = 0
    for version, events in enumerate(commits):
        name = f"part-{version}.parquet"
        pq.write_table(pa.Table.from_pylist(rows_of(events, row), schema=SCHEMA), place / name)
        stats = {"numRecords": len(events), "minValues": {"row_id": row}, "maxValues": {"row_id": row + len(events) - 1}}
        add = {"add": {"path": name, "dataChange": True, "stats": json.dumps(stats)}}
        (place / "_delta_log" / f"{version:020d}.json").write_text(json.dumps(add) + "\n")
        row += len(events)
