"""A small bronze table on disk, as ingest leaves it: one Parquet file and Delta's log."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def bronze(place: Path, newest: datetime, rows: int = 400) -> None:
    """Payments by the minute; every fortieth is a large one."""
    (place / "_delta_log").mkdir(parents=True)
    times = [(newest - timedelta(minutes=rows - place)).replace(tzinfo=None) for place in range(rows)]
    table = pa.table(
        {
            "row_id": pa.array(range(rows), pa.int64()),
            "tenant": ["main"] * rows,
            "source": ["events-000.jsonl:1"] * rows,
            "event_id": [f"ev-{place}" for place in range(rows)],
            "event_time": pa.array(times, pa.timestamp("us")),
            "kind": ["transaction"] * rows,
            "account_id": [f"A{10 + place % 24}" for place in range(rows)],
            "amount": [7_400.0 if place % 40 == 7 else 40.0 + place % 9 for place in range(rows)],
            "currency": ["EUR"] * rows,
            "counterparty_id": [f"T{place % 12}" for place in range(rows)],
            "service": pa.nulls(rows, pa.string()),
            "status": pa.nulls(rows, pa.int32()),
            "latency_ms": pa.nulls(rows, pa.float64()),
            "metric": pa.nulls(rows, pa.string()),
            "value": pa.nulls(rows, pa.float64()),
            "message": ["<b>a memo</b>"] * rows,
            "attributes": pa.array([[("country", "DE")]] * rows, pa.map_(pa.string(), pa.string())),
        }
    )
    pq.write_table(table, place / "part-0.parquet")
    add = {"path": "part-0.parquet", "dataChange": True, "stats": json.dumps({"numRecords": rows})}
    (place / "_delta_log" / f"{0:020d}.json").write_text(json.dumps({"add": add}) + "\n")
