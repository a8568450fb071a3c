"""What waits for detect is what the ledger of ingest has and that of detect has not, whatever the batches' ends."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.data_files import INDEX_BITS, PARTITION_BITS
from jobs.lag import Lag, Watch, waiting_events, waiting_rows
from store.database import Database
from store.settings import read

NOW = datetime.now(UTC)


def batch(database: Database, job: str, number: int, rows: int, **given: Any) -> None:
    """A batch of the ledger; detect read up to ingest batch `newest` and ended at `index` of a bronze version (-1: its end)."""
    newest, index = given.get("newest", number), given.get("index", -1)
    bits = PARTITION_BITS + INDEX_BITS
    row = {
        "job": job, "query_id": given.get("query", job), "batch_id": number, "offsets_hash": "o", "settings_hash": "s",
        "offsets": {"ends": [{"reservoirVersion": number, "index": index}]}, "events": rows + given.get("refused", 0),
        "accepted": rows if job == "ingest" else 0, "started_at": NOW.isoformat(),
        "detail": {"newest_row": (newest << bits) + 5} if job == "detect" else {},
        "committed_at": (NOW - timedelta(seconds=100 - number)).isoformat(),
    }  # fmt: skip
    names = ", ".join(row)
    with database.connection() as connection:
        connection.execute(
            f"insert into batches ({names}) select {names} from jsonb_populate_record(null::batches, %s)".encode(),
            (json.dumps(row),),
        )


def test_nothing_ingested_is_no_lag(database: Database) -> None:
    assert waiting_rows(database) == Lag(0, 0.0, "rows")


def test_refused_records_do_not_wait(database: Database) -> None:
    batch(database, "ingest", 0, 1000, refused=50)
    assert waiting_rows(database).waiting == 1000
    batch(database, "detect", 0, 1000)
    assert waiting_rows(database) == Lag(0, 0.0, "rows")


def test_the_oldest_is_the_first_batch_that_was_not_folded(database: Database) -> None:
    for number in range(4):
        batch(database, "ingest", number, 10)
    batch(database, "detect", 0, 20, newest=1)
    found = waiting_rows(database)
    assert found.waiting == 20
    assert found.oldest_s == pytest.approx((datetime.now(UTC) - NOW).total_seconds() + 98, abs=2)


def test_a_batch_that_ended_inside_a_version_leaves_the_rest_of_it(database: Database) -> None:
    for number in range(3):
        batch(database, "ingest", number, 100)
    batch(database, "detect", 0, 100, newest=0)
    batch(database, "detect", 1, 30, newest=1, index=0)
    assert waiting_rows(database).waiting == 170
    batch(database, "detect", 2, 170, newest=2)
    assert waiting_rows(database).waiting == 0


def test_a_rebuilt_checkpoint_counts_from_where_it_is(database: Database) -> None:
    for number in range(6):
        batch(database, "ingest", number, 10)
    batch(database, "detect", 0, 60, newest=5)
    batch(database, "detect", 1, 20, query="rebuilt", newest=3)  # it began at the third batch's version
    assert waiting_rows(database).waiting == 20


def test_old_ledger_rows_may_go(database: Database) -> None:
    for number in range(5):
        batch(database, "ingest", number, 10)
        batch(database, "detect", number, 10) if number < 4 else None
    with database.connection() as connection:
        connection.execute("delete from batches where batch_id < 2 or job = 'detect' and batch_id < 3")
    assert waiting_rows(database).waiting == 10


def test_offsets_behind_are_added_up_over_the_partitions(database: Database) -> None:
    ends = [("t", 0, 0, 500), ("t", 1, 40, 90), ("u", 0, 0, 7)]
    assert waiting_events(ends, database).waiting == 557
    batch(database, "ingest", 0, 1)
    with database.connection() as connection:
        connection.execute("""update batches set offsets = '{"ends": [{"t": {"0": 480, "1": 90}}]}'""")
    assert waiting_events(ends, database).waiting == 27


def test_files_wait_until_the_sources_log_has_them(database: Database, tmp_path: Path) -> None:
    settings = read(home=tmp_path)
    settings.landing.mkdir()
    for name in ("a.jsonl", ".hidden", "b.jsonl"):
        (settings.landing / name).write_text("{}\n")
    watch = Watch(settings, database)
    assert (watch.lag().waiting, watch.lag().unit) == (2, "files")


def test_pages_are_told_ingests_own_lag_while_it_runs(database: Database) -> None:
    batch(database, "ingest", 0, 10)
    said = {"status": "x", "lag": {"waiting": 42, "unit": "events", "oldest_s": 0.0}}
    database.run("beat_stream", worker_id="ingest@a/1", job="ingest", detail=said)
    rows = {row["job"]: (row["waiting"], row["unit"]) for row in database.fetch("stream_lags")}
    assert rows == {"ingest": (42, "events"), "detect": (10, "rows")}
    database.run("end_stream", worker_id="ingest@a/1")
    assert [row["job"] for row in database.fetch("stream_lags")] == ["detect"]
