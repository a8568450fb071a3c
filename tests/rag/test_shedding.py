"""A docket that is too deep keeps what has the most to lose, and nothing is lost: laws, then the database."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import docket, filing, shedding
from rag.shedding import Standing
from store.database import Database
from store.sections.desk import Desk
from store.settings import Settings, read

WEIGHTS = st.floats(0, 1e9) | st.sampled_from([0.0, 1.0, math.nan, math.inf])
CASES = st.lists(
    st.builds(Standing, st.text("abcdef", min_size=1, max_size=6), st.floats(0, 1), WEIGHTS),
    max_size=40,
    unique_by=lambda c: c.case_id,
)


def heavy(case: Standing) -> float:
    return math.inf if math.isnan(case.weight) else case.weight


@given(CASES, st.integers(0, 45))
def test_nothing_is_lost_and_the_kept_have_the_most_to_lose(cases: list[Standing], room: int) -> None:
    kept, filed = shedding.over(cases, room)
    assert sorted(case.case_id for case in [*kept, *(one.case for one in filed)]) == sorted(case.case_id for case in cases)
    assert len(kept) == min(room, len(cases))
    if kept and filed:
        assert min(map(heavy, kept)) >= max(heavy(one.case) for one in filed)


@given(CASES, st.integers(0, 45), st.randoms(use_true_random=False))
def test_the_order_of_coming_and_ties_change_nothing(cases: list[Standing], room: int, chance: Any) -> None:
    mixed = list(cases)
    chance.shuffle(mixed)
    ids = [[case.case_id for case in shedding.over(some, room)[0]] for some in (cases, mixed)]
    assert ids[0] == ids[1]


@given(CASES, st.integers(0, 45))
def test_shedding_again_sheds_nothing(cases: list[Standing], room: int) -> None:
    kept, _ = shedding.over(cases, room)
    again, filed = shedding.over(kept, room)
    assert [case.case_id for case in again] == [case.case_id for case in kept]
    assert filed == []


@given(CASES, st.integers(0, 45))
def test_a_receipts_rank_is_the_cases_place(cases: list[Standing], room: int) -> None:
    kept, filed = shedding.over(cases, room)
    assert [one.rank for one in filed] == list(range(len(kept) + 1, len(cases) + 1))
    assert {one.of_all for one in filed} <= {len(cases)}


def test_an_unknown_loss_weighs_as_the_desk_assumes() -> None:
    known, weight = shedding.weighed(0.5, {"payments": {"e": [100.0, "EUR"]}}, Desk())
    assert (known.amount, weight) == (50.0, 50.0)
    unknown, weight = shedding.weighed(0.5, {"payments": {}}, Desk(assumed_stake=300))
    assert (unknown.amount, weight) == (None, 150.0)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return read(database_url=database_url, model={"enabled": False}, council={"max_depth": 3, "max_immediate": 2})


def rows(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(statement.encode()).fetchall()


def paid(amount: float) -> dict[str, Any]:
    return {"event_id": f"t{amount}", "kind": "transaction", "account_id": "A12", "amount": amount, "currency": "EUR"}


def states(database: Database) -> dict[str, str]:
    return {row["case_id"].removeprefix("case-ep"): row["state"] for row in rows(database, "select case_id, state from docket")}


@pytest.fixture
def six(database: Database, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    """Six cases of one severity for the batch lane; the n-th has paid n × 100."""
    put_cases(*(make_case(str(n), [make_hit(severity=0.6, event=paid(n * 100.0))]) for n in range(1, 7)))


@pytest.mark.usefixtures("six")
def test_what_is_over_is_filed_with_a_receipt(database: Database, settings: Settings) -> None:
    assert filing.file_overflow(database, settings) == 3
    assert states(database) == dict.fromkeys("123", "shed") | dict.fromkeys("456", "waiting")
    (receipt,) = filing.receipts(database, "case-ep1")
    assert (receipt["rank"], receipt["of_all"], receipt["kind"], receipt["returned_at"]) == (6, 6, "filed", None)
    assert receipt["expected_loss"] == 60.0
    assert receipt["policy"] == {"by": "expected loss", "lane": "batch", "room": 3, "assumed_stake": 500.0}
    assert "6 cases stood in the batch lane, which has room for 3" in receipt["why"]
    assert filing.totals(database)["filed"] == 3
    assert filing.file_overflow(database, settings) == 0
    assert [case.case_id for case in docket.take(database, "batch", 9, "w", settings.council)] == [
        "case-ep4",
        "case-ep5",
        "case-ep6",
    ]


@pytest.mark.usefixtures("six")
def test_what_was_filed_comes_back_the_most_to_lose_first(database: Database, settings: Settings) -> None:
    filing.file_overflow(database, settings)
    assert filing.put_back(database, 2) == 2
    assert [name for name, state in states(database).items() if state == "shed"] == ["1"]
    (receipt,) = filing.receipts(database, "case-ep3")
    assert receipt["returned_because"] == "unshed"
    assert receipt["returned_at"] >= receipt["at"]


@pytest.mark.usefixtures("six")
def test_two_workers_that_shed_at_once_file_each_case_once(database: Database, settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = sum(pool.map(lambda _: filing.file_overflow(database, settings), range(6)))
    assert done == 3
    assert len(rows(database, "select * from docket_receipts")) == 3
    assert sorted(states(database).values()) == ["shed"] * 3 + ["waiting"] * 3


@pytest.mark.usefixtures("six")
def test_a_case_that_is_just_being_taken_is_not_filed(database: Database, settings: Settings) -> None:
    with database.connection() as taking, ThreadPoolExecutor(1) as pool:
        taking.execute("select from docket where case_id = 'case-ep1' for update")
        assert pool.submit(filing.file_overflow, database, settings).result(timeout=20) == 2
        taking.rollback()
    assert states(database)["1"] == "waiting"


def test_a_full_immediate_lane_lets_the_least_wait_in_the_batch_lane(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(*(make_case(str(n), [make_hit(severity=0.9, event=paid(n * 100.0))]) for n in range(1, 5)))
    assert filing.file_overflow(database, settings) == 2
    lanes = {row["case_id"]: row["lane"] for row in rows(database, "select case_id, lane from docket")}
    assert lanes == {"case-ep1": "batch", "case-ep2": "batch", "case-ep3": "immediate", "case-ep4": "immediate"}
    put_cases(make_case("1", [make_hit(n, n * 1.0, severity=0.9) for n in (1, 2)]))  # it grows, and stays where it is
    assert rows(database, "select lane from docket where case_id = 'case-ep1'") == [{"lane": "batch"}]
    taken = docket.take(database, "batch", 5, "w", settings.council)
    with database.connection() as connection:
        docket.hold(connection, taken, "w")
        docket.finish(connection, [docket.Closed(case.case_id, case.revision, case.lane) for case in taken])
    assert {row["lane"] for row in rows(database, "select lane from docket where state = 'done'")} == {"immediate"}
    assert {row["returned_because"] for row in rows(database, "select returned_because from docket_receipts")} == {"heard"}


@pytest.mark.usefixtures("six")
def test_a_filed_case_whose_lane_rises_is_heard_at_once(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    filing.file_overflow(database, settings)
    put_cases(make_case("1", [make_hit(1, severity=0.6, event=paid(100.0)), make_hit(2, 5.0, severity=0.7)]))
    assert states(database)["1"] == "shed"
    put_cases(make_case("1", [make_hit(n, n * 5.0, severity=0.95) for n in (1, 2, 3)]))
    assert [case.case_id for case in docket.take(database, "immediate", 5, "w", settings.council)] == ["case-ep1"]
    assert filing.receipts(database, "case-ep1")[0]["returned_because"] == "grown"


@pytest.mark.usefixtures("six")
def test_what_a_person_asks_for_is_heard_whatever_the_depth(database: Database, settings: Settings) -> None:
    filing.file_overflow(database, settings)
    docket.retry(database, "case-ep1")
    assert filing.file_overflow(database, settings) == 0
    assert states(database)["1"] == "waiting"
