"""The immediate lane waits behind nobody, a docket too deep is filed by the worker itself, and what was filed comes back."""

from threading import Event, Thread
from typing import Any

import pytest

from rag import docket
from rag import worker as workers
from rag.bench import Bench, Dealings
from rag.hearing import hear
from rag.models import Presence
from rag.worker import Summary, Worker
from store.database import Database
from store.sections.core import Model
from store.settings import Settings, read

DEADLINE_S = 60.0


def settings_of(database_url: str, **council: Any) -> Settings:
    return read(database_url=database_url, model={"enabled": False}, council=council)


def ruled(database: Database) -> set[str]:
    with database.connection() as connection:
        return {row["case_id"] for row in connection.execute("select case_id from rulings where in_force")}


def until(condition: Any) -> None:
    tick, left = Event(), int(DEADLINE_S / 0.02)
    while not condition():
        assert left > 0, "it did not come about"
        left -= 1
        tick.wait(0.02)


def test_an_immediate_case_is_heard_while_a_batch_is_being_heard(
    database: Database, database_url: str, put_cases: Any, make_case: Any, make_hit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch lane's hearing is held up for as long as the immediate case is not ruled."""
    put_cases(make_case("slow", [make_hit(severity=0.6)]))
    heard, begun, stop = hear, Event(), Event()

    def held_up(case_ids: Any, *given: Any) -> Any:
        if "case-epslow" in case_ids:
            begun.set()
            until(lambda: "case-epquick" in ruled(database))
        return heard(case_ids, *given)

    monkeypatch.setattr(workers, "hear", held_up)
    said: list[Summary] = []
    running = Thread(target=lambda: said.append(workers.run(settings_of(database_url), stop=stop)))
    running.start()
    try:
        assert begun.wait(DEADLINE_S)
        put_cases(make_case("quick", [make_hit(severity=0.95)]))
        with database.connection() as connection:
            connection.execute("select pg_notify('docket', 'immediate')")
        until(lambda: ruled(database) == {"case-epslow", "case-epquick"})
    finally:
        stop.set()
        running.join(DEADLINE_S)
    assert said[0].cases == 2
    with database.connection() as connection:
        assert connection.execute("select from docket where state <> 'done'").fetchall() == []
        assert connection.execute("select from workers").fetchall() == []


def test_a_worker_files_what_is_over_and_hears_it_once_there_is_room(
    database: Database, database_url: str, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(*(make_case(str(n), [make_hit(severity=0.6)]) for n in range(8)))
    stop = Event()
    worker = Worker(database, settings_of(database_url, max_depth=3), stop, lambda summary, _: stop.set())
    worker.run(once=False)
    with database.connection() as connection:
        states = [row["state"] for row in connection.execute("select state from docket order by 1")]
        assert (states.count("shed"), states.count("done")) == (5, 3)
    assert Worker(database, settings_of(database_url, max_depth=3), Event()).run(once=True).cases == 5
    assert len(ruled(database)) == 8
    with database.connection() as connection:
        rows = connection.execute("select returned_because, returned_at is not null as back from docket_receipts").fetchall()
    assert rows == [{"returned_because": "unshed", "back": True}] * 5


def test_a_run_once_files_nothing(database: Database, database_url: str, put_cases: Any, make_case: Any) -> None:
    put_cases(*(make_case(str(n)) for n in range(6)))
    assert Worker(database, settings_of(database_url, max_depth=1), Event()).run(once=True).cases == 6
    with database.connection() as connection:
        assert connection.execute("select from docket_receipts").fetchall() == []


def test_a_lanes_worker_takes_its_lane_only(
    database: Database, database_url: str, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1", [make_hit(severity=0.6)]), make_case("2", [make_hit(severity=0.95)]))
    quick = Worker(database, settings_of(database_url), Event(), lane="immediate")
    assert quick.run(once=True).cases == 1
    assert [case.case_id for case in docket.take(database, "batch", 5, "w", settings_of(database_url).council)] == ["case-ep1"]


def test_two_benches_share_breaker_and_pace_and_one_leaves_some_calls_to_the_other() -> None:
    model = Model(calls_per_minute=8, breaker_failures=1)
    first = Bench(model, clock=lambda: 0.0, look=lambda _: Presence(True, "judge"))
    known: Dealings = first.dealings
    second = Bench(model, clock=lambda: 0.0, look=lambda _: Presence(True, "judge"), known=known)
    first.reserve = 4
    known.pace = known.pace.called(0.0).called(0.0)
    assert "cap of 8" in first.absence()
    assert second.absence() == ""
    second.dealings.breaker = second.breaker.failed(0.0)
    assert "left alone" in first.absence()
