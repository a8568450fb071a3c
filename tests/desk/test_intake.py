"""Rulings become cases: opened once, joined, grown, held, come back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from desk import cases, intake, loop, passing, quiet, timeline
from store.database import Database
from store.sections.desk import Desk
from store.settings import Settings
from trust.roles import Caller

Ruled = Callable[..., str]
ROW = dict[str, Any]
START = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


def listed(database: Database, **filters: Any) -> list[ROW]:
    return cases.inbox(database.of("main"), "main", cases.Filters(**filters)).items


def whole(database: Database, case_id: str) -> ROW:
    return cases.case(database.of("main"), "main", case_id)


def grow(database: Database, case_id: str, revision: int, severity: float = 0.8) -> None:
    """More hits of an episode, as the sink writes them."""
    with database.connection() as connection:
        connection.execute(
            "update cases set revision = %s, severity = %s, last_at = last_at + interval '5 min' where case_id = %s",
            (revision, severity, case_id),
        )


def test_a_ruling_opens_a_case_once(database: Database, ruled: Ruled, messages: Callable[[], list[ROW]]) -> None:
    database.listen("rulings", 0)
    case_id = ruled("one", severity=0.9, events=[{"amount": 1000.0}])
    assert database.listen("rulings", 5)  # the desk is woken by the council's transaction
    ruled("two", "account:B7/EUR", outcome="dismissed")
    ruled("three", "account:C7/EUR", outcome="unresolved", severity=0.6)
    while loop.step(database, Settings()):
        pass
    assert intake.take(database, Desk()) == 0
    view = database.of("main")
    assert [(row["case_id"], row["status"], row["proposals"]) for row in listed(database)] == [
        (case_id, "open", 1), ("case-three", "open", 0),
    ]  # fmt: skip
    found = whole(database, case_id)
    assert found["expected_loss"] == 1000 * 0.9 * 0.8
    assert found["loss_words"] == "at least 1,000.00 EUR in 1 payment × severity 0.90 × confidence 0.80 = 720.00 EUR"
    assert found["ack_due_at"] - found["opened_at"] == timedelta(minutes=15)
    kinds = sorted(message["kind"] for message in messages())
    assert kinds == ["case.opened"] * 2 + ["command.proposed", "ruling.confirmed", "ruling.dismissed", "ruling.unresolved"]
    assert {row["source"] for row in timeline.read(view, "main", case_id)} == {"entry", "ruling", "command"}


def test_cases_of_one_cause_are_one_case_and_say_why(database: Database, ruled: Ruled, messages: Callable[[], list[ROW]]) -> None:
    with database.connection() as connection:
        connection.execute("insert into service_edges values ('main', 'checkout', 'payments'), ('main', 'gateway', 'checkout')")
    ruled("p", "service:payments", action="open_incident", errors=40)
    ruled("c", "service:checkout", action="open_incident", at_s=120, errors=30)
    ruled("g", "service:gateway", action="open_incident", at_s=240, severity=0.95)
    ruled("t", "counterparty:T9/EUR", action="hold_terminal", over=0.04,
          events=[{"account_id": f"A{n}", "amount": 2.0} for n in range(5)])  # fmt: skip
    ruled("a", "account:A3/EUR", at_s=3600, events=[{"amount": 900.0}], action="block_account")
    ruled("far", "account:Z1/EUR", events=[{"counterparty_id": "T1"}])
    intake.take(database, Desk(cost_per_request=2.0))
    groups = {row["case_id"]: row["members"] for row in listed(database)}
    assert groups == {"case-p": 3, "case-t": 2, "case-far": 1}
    services = whole(database, "case-p")
    assert [row["joined_because"] for row in services["all_members"]] == [
        "",
        "joined because service:checkout calls service:payments, 120 s apart",
        "joined because service:gateway calls service:checkout, 120 s apart",
    ]
    assert (services["severity"], services["expected_loss"]) == (0.95, round(40 * 2.0 * 0.95 * 0.8, 2))
    assert whole(database, "case-t")["expected_loss"] == round((5 * 2.0 + 900.0) * 0.8 * 0.8, 2)
    told = [(m["subject"], m["kind"], m["payload"]["members"]) for m in messages() if m["topic"] == "cases"]
    assert sorted(told) == [("case-far", "case.opened", 1), ("case-p", "case.opened", 3), ("case-t", "case.opened", 2)]
    assert cases.head_of(database.of("main"), "main", "case-a") == "case-t"


def test_what_binds_two_cases_makes_them_one_unless_people_have_touched_or_parted_them(
    database: Database, ruled: Ruled, ana: Caller, messages: Callable[[], list[ROW]]
) -> None:
    edges = "insert into service_edges values ('main', 'b{0}', 'c{0}'), ('main', 'a{0}', 'b{0}')"
    with database.connection() as connection:
        for place in range(2):
            connection.execute(edges.format(place).encode())
    for place in range(2):
        ruled(f"c{place}", f"service:c{place}", action="open_incident")
        ruled(f"a{place}", f"service:a{place}", action="open_incident", at_s=60, hits=2)
        ruled(f"more{place}", f"series:a{place}/cpu", action="watch", at_s=90)
    intake.take(database, Desk())
    assert {row["case_id"]: row["members"] for row in listed(database)} == {
        "case-c0": 1,
        "case-c1": 1,
        "case-a0": 2,
        "case-a1": 2,
    }
    with database.of("main").connection() as connection:
        cases.act(connection, ana, "case-a1", whole(database, "case-a1")["version"], "acknowledge")
    for place in range(2):
        ruled(f"b{place}", f"service:b{place}", action="open_incident", at_s=30)
    intake.take(database, Desk())
    groups = {row["case_id"]: (row["members"], row["hits"]) for row in listed(database)}
    assert groups == {"case-c0": (4, 5), "case-c1": (2, 2), "case-a1": (2, 3)}
    members = {row["case_id"]: row["joined_because"] for row in whole(database, "case-c0")["all_members"]}
    assert members["case-a0"] == "joined because service:b0 belongs to both: service:a0 calls service:b0, 30 s apart"
    assert ("case.resolved", "case-a0") in [(m["kind"], m["subject"]) for m in messages()]
    head = whole(database, "case-c0")
    with database.of("main").connection() as connection:
        cases.act(connection, ana, "case-c0", head["version"], "split", member="case-a0")
    ruled("again", "service:b0", action="open_incident", at_s=600)
    intake.take(database, Desk())
    assert whole(database, "case-a0")["head"] is None  # parted by hand


def test_a_storm_joins_into_few_cases_told_by_few_messages(
    database: Database, ruled: Ruled, messages: Callable[[], list[ROW]]
) -> None:
    for place in range(60):
        ruled(
            f"s{place:02d}",
            f"account:S{place}/EUR",
            at_s=place * 10,
            over=0.05,
            events=[{"amount": 1.0, "counterparty_id": "T5"}],
        )
    desk = Desk(batch=7)
    while intake.take(database, desk):
        pass
    assert [(row["members"], row["hits"]) for row in listed(database)] == [(60, 60)]
    told = [message for message in messages() if message["topic"] == "cases"]
    assert len(told) <= 1 + 6
    assert told[-1]["payload"]["members"] >= 32


def test_a_case_grows_and_breaks_its_snooze(
    database: Database, ruled: Ruled, ana: Caller, messages: Callable[[], list[ROW]]
) -> None:
    case_id = ruled("one", hits=3)
    intake.take(database, Desk())
    view = database.of("main")
    with view.connection() as connection:
        cases.act(connection, ana, case_id, 1, "snooze", until=datetime.now(UTC) + timedelta(hours=2))
    assert (listed(database), [row["case_id"] for row in listed(database, quiet="snoozed")]) == ([], [case_id])
    grow(database, case_id, 5)
    assert intake.take(database, Desk()) == 1
    assert whole(database, case_id)["snooze_hides"].endswith("since then 2 more hits")
    assert "case.grown" not in {message["kind"] for message in messages()}
    grow(database, case_id, 6)
    intake.take(database, Desk())
    assert [row["case_id"] for row in listed(database)] == [case_id]
    assert messages()[-1]["payload"]["said"] == "ended the snooze: the hits grew from 3 to 6"


def test_what_comes_back_opens_again_unless_a_dismissal_covers_it(database: Database, ruled: Ruled, ana: Caller) -> None:
    view, desk = database.of("main"), Desk()
    first, other, third = ruled("one"), ruled("two", "account:B1/EUR"), ruled("three", "account:C1/EUR")
    intake.take(database, desk)
    with view.connection() as connection:
        cases.act(connection, ana, first, 1, "resolve", reason="fixed")
        cases.act(connection, ana, other, 1, "dismiss", reason="customer_verified")
        cases.act(connection, ana, third, 1, "dismiss", reason="noise", expires_at=datetime.now(UTC) + timedelta(minutes=1))
    day = 2 * 86_400
    for name, entity in (("one-b", "account:A12/EUR"), ("two-b", "account:B1/EUR"), ("three-b", "account:C1/EUR")):
        ruled(name, entity, at_s=day)
    passing.due(database, desk, datetime.now(UTC) + timedelta(minutes=2))  # the third's dismissal runs out
    intake.take(database, desk)
    assert {row["case_id"]: (row["reopened"], row["members"]) for row in listed(database)} == {first: (1, 2), third: (1, 2)}
    assert (whole(database, other)["status"], whole(database, other)["recurrences"]) == ("dismissed", 1)
    assert cases.counts(view, "main")["recurrences"] == 1
    ruled("two-c", "account:B1/EUR", at_s=2 * day, severity=0.95)
    intake.take(database, desk)
    assert whole(database, other)["status"] == "open"  # worse than what was dismissed
    ruled("one-c", at_s=30 * day)
    intake.take(database, desk)
    assert {row["case_id"] for row in listed(database)} == {first, other, third, "case-one-c"}  # too long ago: a new case


def test_new_hits_of_a_resolved_case_open_it_again(database: Database, ruled: Ruled, ana: Caller) -> None:
    case_id = ruled("one", hits=2)
    intake.take(database, Desk())
    with database.of("main").connection() as connection:
        cases.act(connection, ana, case_id, 1, "resolve", reason="went_away")
    intake.take(database, Desk())
    assert whole(database, case_id)["status"] == "resolved"
    grow(database, case_id, 3)
    intake.take(database, Desk())
    assert (whole(database, case_id)["status"], whole(database, case_id)["hits"]) == ("open", 3)


def test_the_council_may_change_its_mind(
    database: Database, ruled: Ruled, ana: Caller, messages: Callable[[], list[ROW]]
) -> None:
    alone, taken = ruled("one"), ruled("two", "account:B1/EUR")
    intake.take(database, Desk())
    with database.of("main").connection() as connection:
        cases.act(connection, ana, taken, 1, "acknowledge")
    ruled("one", outcome="dismissed")
    ruled("two", "account:B1/EUR", outcome="dismissed")
    intake.take(database, Desk())
    assert (whole(database, alone)["status"], whole(database, alone)["reason"]) == ("dismissed", "council")
    assert whole(database, taken)["status"] == "acknowledged"  # somebody has it: only its timeline says so
    assert "dismisses it" in timeline.read(database.of("main"), "main", taken)[-1]["said"]
    ruled("one", confidence=0.9)
    intake.take(database, Desk())
    assert whole(database, alone)["status"] == "open"
    sources = [(row["source"], row["detail"].get("in_force")) for row in timeline.read(database.of("main"), "main", alone)]
    assert [in_force for source, in_force in sources if source == "ruling"] == [True, False]  # the very same ruling again


def test_planned_work_is_held_quiet_until_it_outlasts_its_window(
    database: Database, ruled: Ruled, ana: Caller, messages: Callable[[], list[ROW]]
) -> None:
    view = database.of("main")
    with view.connection() as connection:
        quiet.plan(connection, ana, title="moves", pattern="service:pay*", starts_at=START - timedelta(hours=1),
                   ends_at=START + timedelta(minutes=7))  # fmt: skip
    case_id, loud = ruled("p", "service:payments", action="open_incident"), ruled("s", "service:search", action="open_incident")
    intake.take(database, Desk())
    passing.windows_over(database, Desk())
    assert [row["case_id"] for row in listed(database)] == [loud]
    assert [row["held_title"] for row in listed(database, quiet="held")] == ["moves"]
    assert whole(database, case_id)["ack_due_at"] is None
    grow(database, case_id, 2)
    intake.take(database, Desk())
    assert passing.windows_over(database, Desk()) == 0  # its last hit lies in the window still
    grow(database, case_id, 3)
    intake.take(database, Desk())
    assert passing.windows_over(database, Desk()) == 1
    assert {row["case_id"] for row in listed(database)} == {loud, case_id}
    assert [(m["kind"], m["subject"]) for m in messages() if m["topic"] == "cases" and m["subject"] == case_id][-1] == (
        "case.opened",
        case_id,
    )


def test_tenants_do_not_join(database: Database, ruled: Ruled) -> None:
    ruled("one")
    ruled("two", tenant="other", at_s=60)
    assert intake.take(database, Desk()) == 2
    assert [row["case_id"] for row in listed(database)] == ["case-one"]
    assert [row["case_id"] for row in cases.inbox(database.of("other"), "other").items] == ["case-two"]


def test_a_ruling_that_nobody_can_read_holds_up_no_other(database: Database, ruled: Ruled) -> None:
    ruled("first", "account:A1/EUR", at_s=0)
    broken = ruled("broken", "account:A2/EUR", at_s=60)
    ruled("last", "account:A3/EUR", at_s=120)
    with database.connection() as connection:
        connection.execute("update rulings set brief = '[1]' where case_id = %s", [broken])
    while intake.take(database, Desk()):
        pass
    assert {row["entity"] for row in listed(database)} == {"account:A1/EUR", "account:A3/EUR"}
    with database.connection() as connection:
        told = connection.execute("select subject from messages where kind = 'ruling.unreadable'").fetchall()
    assert told == [{"subject": broken}]
