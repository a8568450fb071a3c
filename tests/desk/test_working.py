"""People at work on cases, two at once; time passing; merging and splitting; feedback."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from desk import cases, feedback, intake, passing, timeline
from desk.errors import BadDetail, CaseChanged, NotPossible, UnknownCase, UnknownSubject
from store.database import Database
from store.errors import DatabaseForbidden
from store.sections.desk import Desk
from trust import audit
from trust.roles import Caller

Ruled = Callable[..., str]
ROW = dict[str, Any]


def act(database: Database, caller: Caller, case_id: str, version: int | None, action: str, **detail: Any) -> int:
    with database.of("main").connection() as connection:
        return cases.act(connection, caller, case_id, version, action, **detail).version


def whole(database: Database, case_id: str) -> ROW:
    return cases.case(database.of("main"), "main", case_id)


def test_two_people_at_once_one_of_them_is_told(database: Database, ruled: Ruled, ana: Caller, bo: Caller) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    outcomes: list[Any] = []
    barrier = threading.Barrier(2)

    def work(caller: Caller, action: str, **detail: Any) -> None:
        barrier.wait()
        try:
            outcomes.append(act(database, caller, case_id, 1, action, **detail))
        except CaseChanged as changed:
            outcomes.append(changed)

    both = [threading.Thread(target=work, args=(ana, "acknowledge")),
            threading.Thread(target=work, args=(bo, "dismiss"), kwargs={"reason": "noise"})]  # fmt: skip
    for one in both:
        one.start()
    for one in both:
        one.join()
    told = [one for one in outcomes if isinstance(one, CaseChanged)]
    assert (outcomes.count(2), len(told)) == (1, 1)
    assert (told[0].version, [change["version"] for change in told[0].changes]) == (2, [2])
    assert told[0].changes[0]["who"] in ("Ana", "Bo")


def test_every_change_is_told_to_whoever_listens_and_audited(
    database: Database, database_url: str, ruled: Ruled, ana: Caller, bo: Caller
) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("listen cases")
        version = act(database, ana, case_id, 1, "assign", assignee="key:bo")
        version = act(database, bo, case_id, None, "comment", text="call from 4111 1111 1111 1111")
        version = act(database, bo, case_id, version, "tag", tags=["vip"])
        version = act(database, bo, case_id, None, "link", target="https://wiki.example/x", title="wiki")
        act(database, bo, case_id, None, "unlink", target="https://wiki.example/x")
        assert [one.payload for one in listener.notifies(timeout=5, stop_after=5)] == [case_id] * 5
    story = timeline.read(database.of("main"), "main", case_id)
    assert [row["kind"] for row in story if row["source"] == "entry"] == [
        "opened", "assigned", "commented", "tagged", "linked", "unlinked",
    ]  # fmt: skip
    assert audit.verify(database, "main").entries == 5
    links = database.fetch("audit_links", tenant="main", after=0, limit=9)
    assert [(row["actor"], row["action"]) for row in links][:2] == [("key:ana", "case.assign"), ("key:bo", "case.comment")]
    assert "4111" not in str(links)  # what people write stays out of the audit log


def test_model_calls_and_deliveries_are_on_the_timeline(database: Database, ruled: Ruled) -> None:
    ruled("one")
    ruled("two", at_s=60)
    intake.take(database, Desk())
    with database.connection() as connection:
        connection.execute("""insert into tool_audit (tenant, kind, name, role, case_ids, latency_ms, outcome)
                              values ('main', 'model', 'llama', 'analyst', '{case-two,case-else}', 12, 'ok'),
                                     ('other', 'model', 'llama', 'analyst', '{case-two}', 12, 'ok')""")
        message = connection.execute("select message_id from messages where kind = 'case.opened'").fetchall()[0]["message_id"]
        connection.execute("insert into bundles values ('main', 'b1', 'all', 1, '{\"title\": \"New case\"}', now())")
        connection.execute("insert into notices values ('main', 'all', %s, 'g', now(), 'b1', now())", (message,))
        connection.execute("""insert into deliveries
                              (tenant, delivery_id, bundle_id, route_id, channel_id, kind, action, state, not_before, created_at)
                              values ('main', 'd1', 'b1', 'all', 'desk', 'slack', 'tell', 'sent', now(), now())""")
    story = [row for row in timeline.read(database.of("main"), "main", "case-one") if row["source"] in ("call", "delivery")]
    assert [(row["source"], row["who"], row["said"]) for row in story] == [
        ("call", "llama", "analyst: ok"), ("delivery", "desk", "tell by slack: sent"),
    ]  # fmt: skip


def test_the_inbox_is_narrowed_and_ordered(database: Database, ruled: Ruled, ana: Caller) -> None:
    ruled("cheap", "account:A1/EUR", events=[{"amount": 10.0, "counterparty_id": "T1"}], severity=0.95)
    ruled("dear", "account:B2/EUR", events=[{"amount": 9000.0, "counterparty_id": "T2"}], severity=0.7)
    ruled("outage", "service:search", action="open_incident", severity=0.8)
    intake.take(database, Desk())
    act(database, ana, "case-cheap", 1, "assign", assignee="Bo")
    act(database, ana, "case-outage", None, "tag", tags=["vip"])
    view = database.of("main")

    def ids(**filters: Any) -> list[str]:
        return [row["case_id"].removeprefix("case-") for row in cases.inbox(view, "main", cases.Filters(**filters)).items]

    assert ids() == ["dear", "outage", "cheap"]  # an outage's loss is unknown: an assumed stake stands for it
    assert ids(sort="severity") == ["cheap", "outage", "dear"]
    assert ids(sort="loss") == ["dear", "cheap", "outage"]
    assert ids(assignee="Bo") == ids(entity="account:A1/EUR") == ["cheap"]
    assert sorted(ids(assignee="")) == ["dear", "outage"]
    assert ids(tag="vip") == ids(kind="service") == ids(q="SEARCH") == ["outage"]
    assert ids(q="%") == ids(tag="no") == ids(late=True) == []
    ruled("swiss", "account:D4/CHF", events=[{"amount": 5.0, "currency": "CHF", "counterparty_id": "T4"}])
    intake.take(database, Desk())
    counted = cases.counts(view, "main")
    assert (counted["expected_loss"], counted["loss_currency"], counted["loss_unknown"]) == (
        9000 * 0.7 * 0.8 + 10 * 0.95 * 0.8, "EUR", 2,
    )  # fmt: skip
    assert cases.counts(database.of("empty"), "empty")["open"] == 0
    week = datetime.now(UTC) + timedelta(days=7)
    first = cases.inbox(view, "main", cases.Filters(limit=1), now=week)
    assert first.items[0]["rank"] > 8 * 9000 * 0.7 * 0.8 * 0.99
    assert cases.inbox(view, "main", cases.Filters(limit=5, after=first.next)).items[0]["case_id"] == "case-outage"


def test_pages_of_a_timeline_follow_one_another(database: Database, ruled: Ruled, ana: Caller) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    for place in range(5):
        act(database, ana, case_id, None, "comment", text=f"note {place}")
    view, seen, after = database.of("main"), [], ""
    while page := timeline.read(view, "main", case_id, after=after, limit=3):
        seen += page
        after = page[-1]["key"]
    assert seen == timeline.read(view, "main", case_id)
    assert [row["said"] for row in seen][-5:] == [f"note {place}" for place in range(5)]


def test_the_timeline_cannot_be_rewritten(database: Database, ruled: Ruled) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    for text in ("update case_entries set said = ''", "delete from case_entries"):
        with pytest.raises(DatabaseForbidden), database.of("main").connection() as connection:
            connection.execute(text.encode())
    with pytest.raises(DatabaseForbidden), database.connection() as connection:
        connection.execute("update case_entries set said = ''")
    with database.connection() as connection:  # retention and erasure take a case with all that hangs on it
        connection.execute("delete from cases where case_id = %s", (case_id,))
    assert database.fetch("desk_changes_since", tenant="main", case_id=case_id, version=0) == []


def test_what_is_not_there_or_not_whole_is_refused(database: Database, ruled: Ruled, ana: Caller) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    for wrong, error in [
        (("case-none", 1, "acknowledge"), UnknownCase), ((case_id, None, "acknowledge"), BadDetail),
        ((case_id, 1, "explode"), BadDetail),
        ((case_id, 1, "reopen"), NotPossible), ((case_id, 1, "merge"), BadDetail), ((case_id, 1, "split"), BadDetail),
        ((case_id, 1, "unlink"), BadDetail),
    ]:  # fmt: skip
        with pytest.raises(error):
            act(database, ana, *wrong)
    for target in ("javascript:alert(1)", "ftp://x", case_id, "case-none"):
        with pytest.raises(BadDetail):
            act(database, ana, case_id, 1, "link", target=target)
    assert whole(database, case_id)["version"] == 1


def test_limits_pass_and_escalate_with_the_time_given(
    database: Database, ruled: Ruled, ana: Caller, messages: Callable[[], list[ROW]]
) -> None:
    case_id, desk = ruled("one", severity=0.95), Desk()
    intake.take(database, desk)
    opened = whole(database, case_id)["opened_at"]
    assert passing.due(database, desk, opened + timedelta(minutes=14)) == 0
    assert passing.due(database, desk, opened + timedelta(minutes=15)) == 1
    assert passing.due(database, desk, opened + timedelta(minutes=16)) == 0  # told once
    assert passing.due(database, desk, opened + timedelta(minutes=45)) == 1
    told = [(m["kind"], m["payload"].get("to")) for m in messages() if m["kind"] in ("case.sla_breached", "case.escalated")]
    assert told == [("case.sla_breached", None), ("case.escalated", "on-call"), ("case.escalated", "lead")]
    assert [row["case_id"] for row in cases.inbox(database.of("main"), "main", cases.Filters(late=True)).items] == [case_id]
    act(database, ana, case_id, whole(database, case_id)["version"], "acknowledge")
    assert passing.due(database, desk, opened + timedelta(minutes=239)) == 0
    assert passing.due(database, desk, opened + timedelta(minutes=240)) == 1
    assert whole(database, case_id)["breached"] == ["acknowledge", "resolve"]
    act(database, ana, case_id, whole(database, case_id)["version"], "resolve", reason="fixed")
    assert passing.due(database, desk, opened + timedelta(days=9)) == 0


def test_a_snooze_ends_by_itself(database: Database, ruled: Ruled, ana: Caller) -> None:
    case_id, desk, until = ruled("one"), Desk(), datetime.now(UTC) + timedelta(hours=1)
    intake.take(database, desk)
    act(database, ana, case_id, 1, "snooze", until=until)
    assert passing.due(database, desk, until - timedelta(seconds=1)) == 0
    assert passing.due(database, desk, until) == 1
    assert whole(database, case_id)["snoozed_until"] is None


def test_a_split_by_hand_is_never_undone_by_the_desk(database: Database, ruled: Ruled, ana: Caller) -> None:
    ruled("one", events=[{"amount": 100.0}])
    ruled("two", at_s=60, events=[{"amount": 900.0}], severity=0.9)
    desk, view = Desk(), database.of("main")
    intake.take(database, desk)
    head = whole(database, "case-one")
    assert (head["members"], head["hits"], head["severity"]) == (2, 2, 0.9)
    with pytest.raises(NotPossible, match="belongs to case-one"):
        act(database, ana, "case-two", 1, "acknowledge")
    act(database, ana, "case-one", head["version"], "split", member="case-two")
    head, gone = whole(database, "case-one"), whole(database, "case-two")
    assert [(one["members"], one["severity"], one["expected_loss"]) for one in (head, gone)] == [
        (1, 0.8, 100 * 0.8 * 0.8), (1, 0.9, 900 * 0.9 * 0.8),
    ]  # fmt: skip
    found = cases.merge_candidates(view, "main", "case-one")
    assert [(one["case_id"], one["apart"], one["because"]) for one in found] == [
        ("case-two", True, "both are about account:A12, 60 s apart"),
    ]  # fmt: skip
    ruled("two", at_s=60, hits=4, severity=0.9)  # grown and ruled again: it stays where it was put
    ruled("three", at_s=120)
    while intake.take(database, desk):
        pass
    assert (whole(database, "case-two")["head"], whole(database, "case-two")["hits"]) == (None, 5)
    act(database, ana, "case-one", whole(database, "case-one")["version"], "merge", other="case-two")
    merged = whole(database, "case-one")
    assert (merged["members"], merged["hits"], merged["severity"]) == (3, 6, 0.9)
    assert {row["joined_because"] for row in merged["all_members"]} >= {"merged by Ana"}
    assert cases.merge_candidates(view, "main", "case-one") == []
    with pytest.raises(NotPossible):
        act(database, ana, "case-one", merged["version"], "merge", other="case-two")


def test_feedback_is_kept_with_what_was_shown(database: Database, ruled: Ruled, ana: Caller, bo: Caller) -> None:
    case_id = ruled("one")
    intake.take(database, Desk())
    view = database.of("main")
    with view.connection() as connection:
        seen = feedback.shown(connection, "main", "anomaly", "x-one-1")["shown_hash"]
        one = feedback.give(connection, ana, about="anomaly", subject_id="x-one-1", verdict="dismiss", via="page",
                            shown_hash=seen, reason="customer_verified", comment="she was abroad")  # fmt: skip
        two = feedback.on_case(connection, bo, case_id, verdict="confirm", via="slack")
    assert (one["stale"], two["stale"], two["about"]) == (False, False, "ruling")
    ruled("one", confidence=0.7)  # a later ruling: what was shown then is not what is shown now
    with view.connection() as connection:
        late = feedback.give(
            connection, ana, about="ruling", subject_id=two["subject_id"], verdict="dismiss", via="api", shown_hash=seen
        )
        with pytest.raises(UnknownSubject):
            feedback.give(connection, ana, about="ruling", subject_id="x-one-1", verdict="confirm", via="api")
        with pytest.raises(BadDetail):
            feedback.give(
                connection, ana, about="ruling", subject_id=two["subject_id"], verdict="confirm", via="api", reason="hm"
            )
    assert late["stale"]
    assert [(row["actor"], row["counts"]) for row in feedback.given(view, "main", case_id=case_id)] == [
        ("key:ana", True), ("key:bo", True), ("key:ana", True),
    ]  # fmt: skip
    told = [row["said"] for row in timeline.read(view, "main", case_id) if row["source"] == "feedback"]
    assert told == ["rejects the anomaly: she was abroad", "confirms the ruling", "rejects the ruling"]


def test_members_stand_as_their_head_does_and_outlive_it(database: Database, ruled: Ruled, ana: Caller) -> None:
    ruled("one")
    ruled("two", at_s=60)
    intake.take(database, Desk())
    act(database, ana, "case-one", whole(database, "case-one")["version"], "resolve", reason="fixed")
    with database.connection() as connection:  # as retention or the erasure of the head's account would
        connection.execute("delete from cases where case_id = 'case-one'")
    assert (whole(database, "case-two")["head"], whole(database, "case-two")["status"]) == (None, "resolved")
