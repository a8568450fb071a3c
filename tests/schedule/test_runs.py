"""Schedules in the database: one run across workers, the cached answer, missed and lost runs, failures that are told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from schedule import registry, runs, schedules
from schedule.errors import BadSchedule, JobFailed, UnknownSchedule
from schedule.plan import Timing
from schedule.schedules import Definition
from store.database import Database
from store.settings import Settings, read

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
LEASE_S = 600.0
ONE_BATCH = """insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events,
  started_at, committed_at) values ('ingest', 'q', 0, '', '', '{}', 5, %s, %s)"""
EVERY_MINUTE = Timing("* * * * *", None)


@pytest.fixture
def settings(tmp_path) -> Settings:  # type: ignore[no-untyped-def]
    return read(home=tmp_path)


def put(database: Database, job: str = "digest", timing: Timing = EVERY_MINUTE, **more: object) -> None:
    with database.connection() as connection:
        schedules.put(connection, "main", "key:1", Definition("mine", job, timing, **more), NOW)  # type: ignore[arg-type]


def kinds(database: Database) -> list[str]:
    with database.connection() as connection:
        return [row["kind"] for row in connection.execute("select kind from messages order by message_id")]


def work(database: Database, settings: Settings, now: datetime) -> str | None:
    taken = runs.take(database, now, LEASE_S)
    if taken is None or taken["state"] != "running":
        return None if taken is None else str(taken["state"])
    return runs.carry_out(database, settings, taken, now)


def test_one_worker_gets_a_due_run(database: Database) -> None:
    put(database)
    later = NOW + timedelta(minutes=1)
    with ThreadPoolExecutor(4) as pool:
        taken = [one for one in pool.map(lambda _: runs.take(database, later, LEASE_S), range(8)) if one is not None]
    assert len(taken) == 1
    assert len(schedules.runs(database, "main")) == 1


def test_nothing_new_gives_the_last_answer_and_says_so(database: Database, settings: Settings) -> None:
    put(database)
    first, second, third = (work(database, settings, NOW + timedelta(minutes=n)) for n in (1, 2, 3))
    assert (first, second, third) == ("done", "cached", "cached")
    newest, older, oldest = schedules.runs(database, "main")
    assert newest["answer_of"] == older["answer_of"] == oldest["run_id"]
    assert "Nothing new" in newest["result"]["cached"]
    assert newest["result"]["text"] == oldest["result"]["text"]
    assert kinds(database) == ["digest"]


def test_something_new_is_a_new_answer(database: Database, settings: Settings) -> None:
    put(database)
    work(database, settings, NOW + timedelta(minutes=1))
    with database.connection() as connection:
        connection.execute(ONE_BATCH, [NOW, NOW])
    assert work(database, settings, NOW + timedelta(minutes=2)) == "done"


def test_a_changed_schedule_has_no_cached_answer(database: Database, settings: Settings) -> None:
    put(database)
    assert work(database, settings, NOW + timedelta(minutes=1)) == "done"
    changed = Definition("mine", "digest", EVERY_MINUTE, {"hours": 48})
    with database.connection() as connection:
        schedules.put(connection, "main", "key:1", changed, NOW + timedelta(minutes=2))
    assert work(database, settings, NOW + timedelta(minutes=3)) == "done"


def test_run_now_is_run_once_and_the_next_moment_stays(database: Database, settings: Settings) -> None:
    put(database, timing=Timing("30 2 * * *", None), cached=False)
    before = schedules.every(database, "main")[0]["next_at"]
    for _ in range(2):
        with database.connection() as connection:
            schedules.run_now(connection, "main", "key:1", "mine", NOW)
    assert [work(database, settings, NOW), work(database, settings, NOW)] == ["done", None]
    assert schedules.runs(database, "main")[0]["reason"] == "now"
    assert schedules.every(database, "main")[0]["next_at"] == before


def test_a_worker_that_vanished_does_not_hold_the_schedule_for_ever(database: Database, settings: Settings) -> None:
    put(database)
    assert runs.take(database, NOW + timedelta(minutes=1), LEASE_S) is not None
    assert work(database, settings, NOW + timedelta(minutes=5)) is None
    assert work(database, settings, NOW + timedelta(minutes=12)) == "done"
    assert [row["state"] for row in schedules.runs(database, "main")] == ["done", "lost"]


def test_a_run_long_missed_is_skipped_when_so_wanted(database: Database, settings: Settings) -> None:
    put(database, timing=Timing("0 * * * *", None, misfire="skip", grace_s=60))
    assert work(database, settings, NOW + timedelta(hours=3, minutes=30)) == "skipped"
    assert work(database, settings, NOW + timedelta(hours=3, minutes=31)) is None


def test_a_failure_is_recorded_and_told(database: Database, settings: Settings) -> None:
    put(database, arguments={"hours": "many"})
    assert work(database, settings, NOW + timedelta(minutes=1)) == "failed"
    assert "many" in schedules.runs(database, "main")[0]["error"]
    assert kinds(database) == ["schedule.failed"]
    assert work(database, settings, NOW + timedelta(minutes=2)) == "failed"


def test_defaults_are_installed_once_and_only_paused(database: Database, settings: Settings) -> None:
    assert schedules.install(database, "main", settings.schedule, NOW) == len(schedules.defaults())
    assert schedules.install(database, "main", settings.schedule, NOW) == 0
    with database.connection() as connection, pytest.raises(BadSchedule, match="pause"):
        schedules.remove(connection, "main", "key:1", "daily-digest")
    with database.connection() as connection:
        schedules.pause(connection, "main", "key:1", "daily-digest", NOW, enabled=False)
    paused = {row["schedule_id"] for row in schedules.every(database, "main") if not row["enabled"]}
    assert paused == {"daily-digest"}


def test_unknown_names_are_said(database: Database, settings: Settings) -> None:
    with database.connection() as connection, pytest.raises(UnknownSchedule, match="nothing"):
        schedules.run_now(connection, "main", "key:1", "nothing", NOW)
    with pytest.raises(BadSchedule, match="colour"):
        put(database, arguments={"colour": "red"})
    with pytest.raises(JobFailed, match="colour"):
        runs.at_once(database, settings, "main", "digest", {"colour": "red"}, NOW)


@pytest.mark.parametrize("name", ["digest", "quality", "retention", "reindex", "retrain", "proposals"])
def test_each_job_answers_on_an_empty_database(database: Database, settings: Settings, name: str) -> None:
    assert registry.job(name).summary
    assert runs.at_once(database, settings, "main", name, {}, NOW)["text"]


def test_a_saved_question_is_answered_anew_only_when_something_happened(database: Database, settings: Settings) -> None:
    put(database, job="question", arguments={"question": "How many cases were there yesterday?", "tell": "yes"})
    first, second = work(database, settings, NOW + timedelta(minutes=1)), work(database, settings, NOW + timedelta(minutes=2))
    assert (first, second) == ("done", "cached")
    assert schedules.runs(database, "main")[0]["result"]["text"]
    assert kinds(database) == ["digest"]
    with pytest.raises(JobFailed, match="question"):
        runs.at_once(database, settings, "main", "question", {}, NOW)
