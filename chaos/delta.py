"""A Delta table read without Spark: its log replayed from the first commit, its files by pyarrow."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

LOG = "_delta_log"


def commits(table: Path) -> list[Path]:
    """The log's commits in order. Raises ValueError when one is missing."""
    found = sorted(path for path in (table / LOG).glob("*.json") if path.stem.isdigit())
    missing = [number for number, path in enumerate(found) if int(path.stem) != number]
    if missing:
        raise ValueError(f"commit {missing[0]} is missing in {table.name}")
    return found


def live_files(table: Path) -> list[str]:
    """Paths of the data files that count, relative to the table."""
    live: dict[str, None] = {}
    for commit in commits(table):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[unquote(action["add"]["path"])] = None
            elif "remove" in action:
                live.pop(unquote(action["remove"]["path"]), None)
    return list(live)


def rows(table: Path, columns: list[str]) -> list[dict[str, Any]]:
    """All rows of the table, in no order."""
    found: list[dict[str, Any]] = []
    for name in live_files(table):
        part: pa.Table = pq.ParquetFile(table / name).read(columns=columns)
        found += part.to_pylist()
    return found
