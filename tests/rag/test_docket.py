from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import docket
from rag.errors import CaseBeingHeard, UnknownCase
from store.database import Database, fetch
from store.sections.core import Council

NOW = datetime(2030, 1, 1, tzinfo=UTC)
COUNCIL = Council(lease_s=60, max_attempts=3, backoff_s=2)


def row(database: Database, case_id: str = "case-ep1") -> dict[str, Any]:
    with database.connection() as connection:
        found = connection.execute("select to_jsonb(docket) as row from docket where case_id = %s", (case_id,)).fetchone()
        assert found is not None
        return dict(found["row"])


def grow(put_cases: Any, make_case: Any, make_hit: Any, hits: int, **given: Any) -> None:
    put_cases(make_case("1", [make_hit(n, n * 10.0, **given) for n in range(1, hits + 1)]))


def hear(database: Database, revision: int, lane: docket.Lane = "batch") -> None:
    taken = docket.take(database, lane, 5, "w", COUNCIL)
    with database.connection() as connection:
        assert docket.hold(connection, taken, "w") == {"case-ep1"}
        docket.finish(connection, [docket.Closed("case-ep1", revision, lane)])


def test_the_most_severe_are_taken_first_and_only_once(database: Database, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    put_cases(*(make_case(str(n), [make_hit(severity=0.6 + n / 100)]) for n in range(6)))
    first = docket.take(database, "batch", 4, "one", COUNCIL)
    second = docket.take(database, "batch", 4, "two", COUNCIL)
    assert [case.case_id for case in first] == [f"case-ep{n}" for n in (5, 4, 3, 2)]
    assert [case.case_id for case in second] == ["case-ep1", "case-ep0"]
    assert docket.take(database, "immediate", 4, "one", COUNCIL) == []


def test_what_another_worker_is_just_taking_is_skipped_not_waited_for(database: Database, put_cases: Any, make_case: Any) -> None:
    put_cases(*(make_case(str(n)) for n in range(4)))
    asked = {"lane": "batch", "limit": 3, "now": None, "lease_s": 60, "max_attempts": 3}
    with database.connection() as taking, ThreadPoolExecutor(1) as pool:
        first = fetch(taking, "take_cases", worker="a", **asked)
        other = pool.submit(docket.take, database, "batch", 3, "b", COUNCIL)
        try:
            second = other.result(timeout=20)
        finally:
            taking.rollback()
    assert len(first) == 3
    assert [case.case_id for case in second] == ["case-ep3"]


def test_a_lease_that_ran_out_is_taken_over_and_the_first_holder_has_lost_it(
    database: Database, put_cases: Any, make_case: Any
) -> None:
    put_cases(make_case())
    first = docket.take(database, "batch", 1, "same-name", COUNCIL, NOW)
    assert docket.take(database, "batch", 1, "other", COUNCIL, NOW + timedelta(seconds=59)) == []
    second = docket.take(database, "batch", 1, "same-name", COUNCIL, NOW + timedelta(seconds=60))
    assert [case.attempts for case in (*first, *second)] == [1, 2]
    with database.connection() as connection:
        assert docket.hold(connection, first, "same-name") == set()
        assert docket.hold(connection, second, "same-name") == {"case-ep1"}


def test_a_failed_case_waits_longer_each_time_and_then_is_a_dead_letter(
    database: Database, put_cases: Any, make_case: Any
) -> None:
    put_cases(make_case())
    now = NOW
    for attempt in (1, 2, 3):
        taken = docket.take(database, "batch", 1, "w", COUNCIL, now)
        assert [case.attempts for case in taken] == [attempt]
        assert docket.fail(database, taken, "w", "broken evidence", COUNCIL, now) == 1
        wait = timedelta(seconds=docket.delay_s("case-ep1", attempt, COUNCIL.backoff_s))
        assert docket.take(database, "batch", 1, "w", COUNCIL, now + wait - timedelta(milliseconds=5)) == []
        now += wait + timedelta(milliseconds=5)
    assert docket.take(database, "batch", 1, "w", COUNCIL, now + timedelta(days=9)) == []
    (letter,) = docket.dead(database)
    assert (letter["case_id"], letter["attempts"], letter["last_error"]) == ("case-ep1", 3, "broken evidence")
    docket.retry(database, "case-ep1")
    assert docket.dead(database) == []
    assert [case.reason for case in docket.take(database, "batch", 1, "w", COUNCIL)] == ["retry"]


def test_a_case_that_ends_its_workers_becomes_a_dead_letter(database: Database, put_cases: Any, make_case: Any) -> None:
    put_cases(make_case())
    for attempt in range(3):
        assert docket.take(database, "batch", 1, "w", COUNCIL, NOW + timedelta(minutes=attempt))
    assert database.run("bury_cases", max_attempts=3, now=NOW + timedelta(minutes=2, seconds=59)) == 0
    assert database.run("bury_cases", max_attempts=3, now=NOW + timedelta(minutes=3)) == 1
    assert "3 times" in docket.dead(database)[0]["last_error"]


def test_a_retry_names_what_is_wrong(database: Database, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    put_cases(make_case(), make_case("2", [make_hit(severity=0.5)]))
    with pytest.raises(UnknownCase):
        docket.retry(database, "case-nope")
    docket.retry(database, "case-ep2")  # a filed case gets a hearing
    assert row(database, "case-ep2")["lane"] == "batch"
    docket.take(database, "batch", 5, "w", COUNCIL)
    with pytest.raises(CaseBeingHeard):
        docket.retry(database, "case-ep1")


def test_filed_cases_are_kept_but_not_enqueued_until_they_grow(
    database: Database, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1", [make_hit(severity=0.5)]))
    assert database.fetch("docket_open", now=None, lanes=["immediate", "batch"])[0]["open"] == 0
    put_cases(make_case("1", [make_hit(severity=0.5), make_hit(2, 5, severity=0.9)]))
    assert row(database)["lane"] == "immediate"


def test_the_same_batch_again_changes_nothing(database: Database, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    grow(put_cases, make_case, make_hit, 2)
    hear(database, 2)
    before = row(database)
    grow(put_cases, make_case, make_hit, 2)
    grow(put_cases, make_case, make_hit, 1)
    assert row(database) == before
    with database.connection() as connection:
        assert connection.execute("select revision from cases").fetchall() == [{"revision": 2}]


def test_a_heard_case_is_heard_again_when_its_hits_double(
    database: Database, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    grow(put_cases, make_case, make_hit, 2)
    hear(database, 2)
    grow(put_cases, make_case, make_hit, 3)
    assert (row(database)["state"], row(database)["revision"]) == ("done", 3)
    grow(put_cases, make_case, make_hit, 4)
    assert (row(database)["state"], row(database)["reason"], row(database)["attempts"]) == ("waiting", "grown", 0)


def test_a_heard_case_is_heard_again_when_its_lane_rises(
    database: Database, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    grow(put_cases, make_case, make_hit, 4)
    hear(database, 4)
    grow(put_cases, make_case, make_hit, 5, severity=0.95)
    assert (row(database)["state"], row(database)["lane"], row(database)["priority"]) == ("waiting", "immediate", 0.95)


def test_a_case_that_grew_while_it_was_heard_waits_again(
    database: Database, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    grow(put_cases, make_case, make_hit, 1)
    taken = docket.take(database, "batch", 1, "w", COUNCIL)
    grow(put_cases, make_case, make_hit, 2)
    assert row(database)["state"] == "leased"
    with database.connection() as connection:
        docket.hold(connection, taken, "w")
        docket.finish(connection, [docket.Closed("case-ep1", 1, "batch")])
    assert (row(database)["state"], row(database)["reason"]) == ("waiting", "grown")


def test_a_stopping_worker_gives_back_and_the_attempt_does_not_count(database: Database, put_cases: Any, make_case: Any) -> None:
    put_cases(make_case())
    docket.take(database, "batch", 1, "w", COUNCIL)
    database.run("release_cases", worker="w")
    assert [case.attempts for case in docket.take(database, "batch", 1, "w", COUNCIL)] == [1]


def test_a_growing_dead_letter_stays_dead(database: Database, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    grow(put_cases, make_case, make_hit, 1)
    for attempt in range(3):
        docket.take(database, "batch", 1, "w", COUNCIL, NOW + timedelta(minutes=attempt))
    database.run("bury_cases", max_attempts=3, now=NOW + timedelta(days=1))
    grow(put_cases, make_case, make_hit, 8)
    assert (row(database)["state"], row(database)["revision"]) == ("dead", 8)


@given(st.text(max_size=20), st.integers(1, 40))
def test_backoff_doubles_within_its_jitter_and_is_capped(case_id: str, attempt: int) -> None:
    full = min(2.0 * 2 ** (attempt - 1), docket.LONGEST_BACKOFF_S)
    assert full * 0.5 <= docket.delay_s(case_id, attempt, 2.0) <= full * 1.5
    assert docket.delay_s(case_id, attempt, 2.0) == docket.delay_s(case_id, attempt, 2.0)


def test_backoff_spreads_cases_apart() -> None:
    assert len({round(docket.delay_s(f"case-{n}", 1, 2.0), 3) for n in range(50)}) > 40
