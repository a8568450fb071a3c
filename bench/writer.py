"""Metric rows a second into Postgres through the sink's own statements, and the bytes of log and table that a row costs.

    scripts/bench writer --json

Hourly rows of `--entities` entities: an hour's first batch inserts them, the following ones add to them. One connection, as the
sink has one; the embedded Postgres with its usual durability. `--url` takes another server.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs import refusals
from jobs.sink import Batch, write_metrics
from store import embedded
from store.database import Database, open_database
from store.settings import read

HOUR_US = 3_600_000_000
BEGIN_US = 1_700_000_000_000_000 // HOUR_US * HOUR_US
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def hourly(entities: int, hour: int, seed: int) -> pa.Table:
    """A batch's hourly rows of every entity, in the order in which shards give them."""
    chance = np.random.default_rng(seed)
    keys = np.random.default_rng(7).integers(-(2**62), 2**62, entities)
    count = chance.integers(1, 20, entities)
    total = chance.lognormal(3, 1, entities) * count
    zero = np.zeros(entities, np.int64)
    return pa.table({
        "entity_hash": keys, "bucket": np.full(entities, BEGIN_US + hour * HOUR_US), "count": count, "errors": zero, "sum": total,
        "sum_squares": total * total, "min": total / count / 2, "max": total / count * 2, "anomalies": zero, "late": zero,
        "duplicates": zero,
    })  # fmt: skip


def write(database: Database, table: pa.Table, number: int) -> tuple[float, int]:
    """Seconds and log bytes of one transaction."""
    before, begun = position(database), time.perf_counter()
    with database.connection() as connection:
        refusals.prepare(connection)
        write_metrics(connection, Batch("bench", number, {"metric_hour": table}, NOW, []))
    took_s = time.perf_counter() - begun
    return took_s, position(database) - before


def position(database: Database) -> int:
    return int(database.fetch("wal_position")[0]["bytes"])


def measure(database: Database, entities: int, hours: int, updates: int) -> dict[str, Any]:
    found: dict[str, list[tuple[float, int]]] = {"insert": [], "update": []}
    for hour in range(hours):
        for again in range(updates + 1):
            number = hour * (updates + 1) + again
            found["update" if again else "insert"].append(write(database, hourly(entities, hour, number), number))
            print(f"hour {hour}, batch {again}: {found['update' if again else 'insert'][-1][0]:.2f} s", file=sys.stderr)
    size = database.fetch("hours_size")[0]
    rates = {f"{kind}_rows_per_s": round(entities / statistics.median(took for took, _ in runs)) for kind, runs in found.items()}
    logged = {f"{kind}_wal_bytes_per_row": round(statistics.median(wal for _, wal in runs) / entities)
              for kind, runs in found.items()}  # fmt: skip
    return rates | logged | {"table_bytes_per_row": round(size["bytes"] / size["rows"]), "rows": size["rows"]}


@contextmanager
def opened(url: str | None) -> Any:
    with tempfile.TemporaryDirectory(prefix="conclave-writer-") as home:
        settings = read(home=Path(home)) if url is None else read(home=Path(home), database_url=url)
        try:
            with open_database(settings) as database:
                yield database
        finally:
            embedded.stop(settings.home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=50_000)
    parser.add_argument("--hours", type=int, default=3)
    parser.add_argument("--updates", type=int, default=5, help="batches that add to an hour's rows")
    parser.add_argument("--url", help="a Postgres of your own, with an empty database")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with opened(args.url) as database:
        out = {"entities": args.entities, "load": [round(load, 1) for load in os.getloadavg()]}
        out |= measure(database, args.entities, args.hours, args.updates)
    print(json.dumps(out) if args.json else json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
