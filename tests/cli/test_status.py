"""What status, maintenance and migrate say of a real database."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import status
from store.database import Database, connect
from store.settings import settings

Conclave = Callable[..., "subprocess.CompletedProcess[str]"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The process's settings name the fresh database."""
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def seed(database: Database) -> None:
    with database.connection() as connection:
        for job, batch in (("ingest", 0), ("detect", 0), ("detect", 1)):
            connection.execute(
                """insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events, accepted,
                anomalies, started_at)
                values (%s, 'q', %s, 'o', 's', '{}', 1000, 990, 3, now())""",
                [job, batch],
            )
        connection.execute(
            """insert into stream_progress (job, query_id, batch_id, at, input_rows, rows_per_s, duration_ms, lag)
            values ('detect', 'q', 1, now(), 1000, 5432.1, '{}', '{"Delta": {"numFilesOutstanding": "3"}}')"""
        )
        for number, state in enumerate(("waiting", "waiting", "done")):
            connection.execute(
                """insert into episodes (episode_id, entity_hash, entity, kind, revision, started_at, last_at, first_event_id,
                last_event_id, worst, severity, detectors, settings_hash, arrived_at, detected_at)
                values (%s, 1, 'service:a', 'service', 1, now(), now(), 'a', 'a', '{}', .9, '{}', 's', now(), now())""",
                [f"e{number}"],
            )
            connection.execute(
                """insert into cases (case_id, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
                select episode_id, episode_id, entity, kind, 1, .9, 'batch', now(), now() from episodes where episode_id = %s""",
                [f"e{number}"],
            )
            connection.execute(
                """insert into docket (case_id, lane, priority, revision, state, enqueued_at)
                values (%s, 'batch', 1, 1, %s, now() - %s)""",
                [f"e{number}", state, timedelta(minutes=number + 1)],
            )
        connection.execute(
            """insert into rulings (ruling_id, case_id, revision, council, outcome, action, confidence, root_cause, next_steps,
            citations, opinions, checks, brief, brief_hash, in_force, latency_ms)
            values ('r', 'e2', 1, 'rules', 'confirmed', 'watch', .8, '', '[]', '[]', '[]', '[]', '{}', 'h', true, 1)"""
        )
        connection.execute("insert into workers (worker_id, job, seen_at) values ('one', 'detect', now())")
        connection.execute("insert into workers (worker_id, job, seen_at) values ('two', 'council', now() - interval '1 hour')")


def test_everything_is_read(database: Database) -> None:
    seed(database)
    found = status.read(database)
    assert [(row["job"], row["batches"], row["events"]) for row in found["jobs"]] == [("ingest", 1, 1000), ("detect", 2, 2000)]
    assert {(row["lane"], row["state"]): row["cases"] for row in found["docket"]} == {
        ("batch", "waiting"): 2,
        ("batch", "done"): 1,
    }
    assert found["oldest_waiting_s"] == pytest.approx(120, abs=5)
    assert [tuple(row.values()) for row in found["rulings"]] == [("confirmed", "rules", 1)]
    assert {row["worker_id"]: row["alive"] for row in found["workers"]} == {"one": True, "two": False}
    assert not found["empty"]


def test_it_is_shown_and_printed_as_json(database: Database, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed(database)
    status.status()
    said = capsys.readouterr().out
    for words in ("detect", "2,000", "5,432", "0 rows", "waiting", "oldest waiting 2 min", "confirmed", "alive", "gone"):
        assert words in said
    status.status(as_json=True)
    assert json.loads(capsys.readouterr().out)["cases"] == 3


def test_an_empty_database_says_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status.status()
    said = capsys.readouterr().out
    assert "conclave demo" in said
    assert str(here / "landing") in said


def test_no_database_is_made_only_to_look(conclave: Conclave, tmp_path: Path) -> None:
    done = conclave("status", CONCLAVE_HOME=str(tmp_path))
    assert "conclave demo" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_nothing_waiting_has_no_age() -> None:
    assert status.oldest_waiting_s([], NOW) is None
    assert status.oldest_waiting_s([{"state": "done", "oldest": NOW}], NOW) is None


def test_maintenance_says_what_it_removed(conclave: Conclave, database: Database, database_url: str) -> None:
    with database.connection() as connection:
        connection.execute(
            "insert into tool_audit (at, kind, name, latency_ms, outcome) values ('2020-01-01Z', 'tool', 'x', 1, 'ok')"
        )
    assert "1 tool_audit" in conclave("maintenance", CONCLAVE_DATABASE_URL=database_url).stdout
    again = json.loads(conclave("maintenance", "--json", CONCLAVE_DATABASE_URL=database_url).stdout)
    assert again["done"]
    assert set(again["removed"].values()) == {0}


def test_migrate_names_what_it_applied(conclave: Conclave, database_url: str) -> None:
    assert "nothing to apply" in conclave("migrate", CONCLAVE_DATABASE_URL=database_url).stdout
    with connect(database_url) as connection:
        connection.execute("drop schema public cascade; create schema public")
    said = conclave("migrate", CONCLAVE_DATABASE_URL=database_url).stdout
    assert "0001_core" in said
    assert "@127.0.0.1" in said
    assert ":" not in said.partition("@")[0]  # no password
