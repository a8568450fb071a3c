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

from pipelines.errors import BronzeElsewhere

ROWS = 250_000  # of several files that are worked on together
REPEATED = ("tenant", "source", "kind", "account_id", "counterparty_id", "currency", "service", "metric")  # kept as dictionaries
Offset = Mapping[str, Any]


@dataclass(frozen=True)
class Added:
    """A data file that a commit added; `rows` as Delta counted them, None where it did not."""

    version: int
    index: int
    path: str
    rows: int | None


def log_file(bronze: str, version: int) -> str:
    return f"{bronze}/_delta_log/{version:020d}.json"


def added(text: str, version: int) -> list[Added]:
    """The data files of one commit, in the order in which the stream numbers them."""
    adds = [one for line in text.splitlines() if (one := json.loads(line).get("add")) is not None and one["dataChange"]]
    return [Added(version, index, unquote(one["path"]), _rows(one)) for index, one in enumerate(adds)]


def changes(text: str) -> bool:
    """Whether a commit took rows away or altered them, as an erasure does: what it adds was there before."""
    removes = (json.loads(line).get("remove") for line in text.splitlines() if '"remove"' in line)
    return any(one is not None and one.get("dataChange", True) for one in removes)


def _rows(add: Mapping[str, Any]) -> int | None:
    return json.loads(add["stats"]).get("numRecords") if add.get("stats") else None


def between(before: Offset | None, end: Offset, first_version: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The batch's (version, index) bounds, the first exclusive and the last inclusive.

    >>> between(None, {"reservoirVersion": 2, "index": -1}, 0)
    ((0, -1), (2, -1))
    """
    low = (first_version, -1) if before is None else (int(before["reservoirVersion"]), int(before["index"]))
    return low, (int(end["reservoirVersion"]), int(end["index"]))


def of_batch(commits: Iterable[tuple[int, str]], low: tuple[int, int], high: tuple[int, int]) -> list[Added]:
    """The files of a batch, given the texts of the commits from low's version to high's; the stream passes over erasures."""
    files = [one for version, text in commits if not changes(text) for one in added(text, version)]
    return [one for one in files if low < (one.version, one.index) <= high]


def newest(bronze: Path, rows: int) -> list[Path]:
    """The newest data files that hold at least so many rows and still are part of the table, oldest first."""
    log = bronze / "_delta_log"
    if not log.is_dir():
        raise BronzeElsewhere
    found: list[Path] = []
    gone: set[str] = set()
    left = rows
    for file in sorted(log.glob("[0-9]*.json"), reverse=True):
        text = file.read_text()
        gone |= {unquote(one["path"]) for line in text.splitlines() if (one := json.loads(line).get("remove")) is not None}
        for one in reversed(added(text, int(file.stem))):
            if one.path not in gone and (bronze / one.path).exists():
                found.append(bronze / one.path)
                left -= one.rows if one.rows is not None else pq.read_metadata(bronze / one.path).num_rows
        if left <= 0:
            break
    return found[::-1]


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
