"""Bronze without Spark: which Parquet files a batch of the stream read, and which hold the newest events, from Delta's own log.

An offset of the stream is {"reservoirVersion": v, "index": i}: all commits before v were read, and of v the data files up to the
i-th; i is negative when none of them was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

MOST_COMMITS = 2_000  # looked back at for the newest rows
ROWS = 250_000  # of several files that are worked on together
REPEATED = ("tenant", "source", "kind", "account_id", "counterparty_id", "currency", "service", "metric")  # kept as dictionaries
Offset = Mapping[str, Any]


@dataclass(frozen=True)
class Added:
    """A data file that a commit added; `rows` and the `last` row number as Delta noted them, None and -1 where it did not."""

    version: int
    index: int
    path: str
    rows: int | None
    last: int = -1


def log_file(bronze: str, version: int) -> str:
    return f"{bronze}/_delta_log/{version:020d}.json"


def added(text: str, version: int) -> list[Added]:
    """The data files of one commit, in the order in which the stream numbers them.

    None of a commit that rearranged files (its adds are no change of data) or rewrote rows (the stream skips it).
    """
    actions = [json.loads(line) for line in text.splitlines()]
    if any((one := action.get("remove")) is not None and one.get("dataChange", True) for action in actions):
        return []
    adds = [one for action in actions if (one := action.get("add")) is not None and one["dataChange"]]
    return [_file(version, index, one) for index, one in enumerate(adds)]


def _file(version: int, index: int, add: Mapping[str, Any]) -> Added:
    stats = json.loads(add["stats"]) if add.get("stats") else {}
    last = stats.get("maxValues", {}).get("row_id")
    return Added(version, index, unquote(add["path"]), stats.get("numRecords"), -1 if last is None else last)


def between(before: Offset | None, end: Offset, first_version: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The batch's (version, index) bounds, the first exclusive and the last inclusive.

    >>> between(None, {"reservoirVersion": 2, "index": -1}, 0)
    ((0, -1), (2, -1))
    """
    low = (first_version, -1) if before is None else (int(before["reservoirVersion"]), int(before["index"]))
    return low, (int(end["reservoirVersion"]), int(end["index"]))


def of_batch(commits: Iterable[tuple[int, str]], low: tuple[int, int], high: tuple[int, int]) -> list[Added]:
    """The files of a batch, given the texts of the commits from low's version to high's."""
    files = [one for version, text in commits for one in added(text, version)]
    return [one for one in files if low < (one.version, one.index) <= high]


def newest(bronze: Path, rows: int) -> list[Path]:
    """The newest data files that hold at least so many rows and still are part of the table, oldest rows first; none before
    anything was ingested."""
    log = bronze / "_delta_log"
    found: list[Added] = []
    gone: set[str] = set()
    left = rows
    for file in sorted(log.glob("[0-9]*.json"), reverse=True)[:MOST_COMMITS]:
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        here = [_file(int(file.stem), i, one) for i, one in enumerate(action["add"] for action in actions if "add" in action)]
        kept = [one for one in here if one.path not in gone and (bronze / one.path).exists()]
        gone |= {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
        found += kept
        if not any("remove" in action for action in actions):  # what was merged may hold older rows: look further back, too
            left -= sum(rows_in(bronze, one) for one in kept)
        if left <= 0:
            break
    return [bronze / one.path for one in last_rows(bronze, found, rows)]


def rows_in(bronze: Path, file: Added) -> int:
    return file.rows if file.rows is not None else int(pq.read_metadata(bronze / file.path).num_rows)


def last_rows(bronze: Path, files: Sequence[Added], rows: int) -> list[Added]:
    """The fewest files with the highest row numbers that hold so many rows, lowest first."""
    chosen: list[Added] = []
    left = rows
    for one in sorted(files, key=lambda file: (file.last, file.version, file.index), reverse=True):
        if left <= 0:
            break
        chosen.append(one)
        left -= rows_in(bronze, one)
    return chosen[::-1]


def tables(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The files' rows, several small files together; a column that a file was written without is missing in its rows."""
    held: list[pa.Table] = []
    for file in files:
        held.append(_read(file, columns))
        if sum(table.num_rows for table in held) >= ROWS:
            yield pa.concat_tables(held, promote_options="default").combine_chunks()
            held = []
    if held:
        yield pa.concat_tables(held, promote_options="default").combine_chunks()


def _read(file: Path, columns: Sequence[str]) -> pa.Table:
    with pq.ParquetFile(file, read_dictionary=[name for name in REPEATED if name in columns]) as opened:
        names = set(opened.schema_arrow.names)
        return opened.read(columns=[name for name in columns if name in names], use_threads=True)
