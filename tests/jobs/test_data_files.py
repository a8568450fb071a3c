"""A worker's Parquet file: every accepted row once, numbered and stamped, refused rows handed back, nothing left of a fault."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.data_files import BRONZE, INDEX_BITS, RESULT, Stamp, writer
from jobs.events import Rules
from jobs.noted import ready
from jobs.refusals import record_id

from .test_events import NOW, PAYMENT, REQUEST, raw
from .test_quick import batch_of

GOOD, BAD = raw(PAYMENT), raw(PAYMENT, amount="much")
MIXED: list[list[bytes | None]] = [[GOOD, BAD, raw(REQUEST)], [None], [raw(PAYMENT, kind="login", geo=1), GOOD]]


def written(folder: Path, batches: list[list[bytes | None]], *, into: bool = True) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The refused rows and what the task told."""
    stamp = Stamp(str(folder) if into else "", 3, NOW)
    write = writer(ready(Rules(NOW), None, None), stamp, lambda: 2)
    found = pa.Table.from_batches(write(iter([batch_of(raws) for raws in batches])), RESULT).to_pylist()
    told = [row for row in found if row["task"] is not None]
    assert len(told) == 1
    return [row for row in found if row["task"] is None], json.loads(told[0]["task"])


def test_accepted_rows_are_in_the_file_and_refused_ones_come_back(tmp_path: Path) -> None:
    refused, told = written(tmp_path, MIXED)
    [file] = tmp_path.iterdir()
    first = (3 << 35) + (2 << INDEX_BITS)
    table = pq.read_table(file)
    assert table.schema.equals(BRONZE)
    rows = table.to_pylist()
    assert [row["row_id"] - first for row in rows] == [0, 2, 4, 5]
    assert [row["row_id"] - first for row in refused] == [1, 3]
    assert {row["ingest_time"] for row in rows} == {NOW}
    assert {row["ingest_batch"] for row in rows} == {3}
    assert [row["raw"] is None for row in rows] == [True, True, False, True]
    assert [(row["reason"], row["raw"]) for row in refused] == [("amount must be a number", BAD), ("the record is empty", b"")]
    assert refused[0]["record_id"] == record_id("events/0@1", "amount must be a number", BAD)
    assert (refused[0]["excerpt"], refused[0]["size"]) == (BAD.decode(), len(BAD))
    assert (told["events"], told["accepted"]) == (6, 4)
    assert datetime.fromisoformat(told["newest"]) == datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_log_s_line_says_what_the_file_is_and_names_nobody(tmp_path: Path) -> None:
    _, told = written(tmp_path, MIXED)
    add, [file] = told["file"], list(tmp_path.iterdir())
    assert (add["path"], add["size"], add["dataChange"]) == (file.name, file.stat().st_size, True)
    stats = json.loads(add["stats"])
    first = (3 << 35) + (2 << INDEX_BITS)
    assert (stats["numRecords"], stats["minValues"]["row_id"], stats["maxValues"]["row_id"]) == (4, first, first + 5)
    assert set(stats["minValues"]) == {"row_id", "ingest_time"}
    footer = pq.read_metadata(file).row_group(0)
    named = {footer.column(i).path_in_schema for i in range(footer.num_columns) if footer.column(i).is_stats_set}
    assert named == {"row_id"}


def test_without_a_folder_all_is_counted_and_nothing_written(tmp_path: Path) -> None:
    refused, told = written(tmp_path, MIXED, into=False)
    assert list(tmp_path.iterdir()) == []
    assert (told["events"], told["accepted"], told["file"], len(refused)) == (6, 4, None, 2)


def test_a_task_with_nothing_accepted_leaves_no_file(tmp_path: Path) -> None:
    cases: list[list[list[bytes | None]]] = [[], [[BAD]], [[]]]
    for batches in cases:
        _, told = written(tmp_path, batches)
        assert (told["accepted"], told["file"], told["newest"]) == (0, None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ended", [False, True])
def test_a_task_that_breaks_off_takes_its_file_away(tmp_path: Path, ended: bool) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch_of([GOOD])
        assert len(list(tmp_path.iterdir())) == 1
        raise OSError("no space left")

    rows = writer(ready(Rules(NOW), None, None), Stamp(str(tmp_path), 0, NOW), lambda: 0)(broken())
    next(rows)
    if ended:
        rows.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(OSError, match="no space"):
            next(rows)
    assert list(tmp_path.iterdir()) == []
