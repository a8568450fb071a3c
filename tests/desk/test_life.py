"""Laws of a case's life, of its timers and of what it may cost; all pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import actions, commands, file, life, timers, webhook
from desk.actions import Asked
from desk.errors import BadDetail, CommandChanged, DeskError, NotPossible
from desk.file import File
from desk.timers import Clock
from rag import loss
from store.sections.desk import Approval, Desk, Level, Limit

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)
DETAILS: dict[str, dict[str, Any]] = {
    "resolve": {"reason": "fixed"}, "dismiss": {"reason": "noise"}, "assign": {"assignee": "Bo"}, "comment": {"text": "hm"},
    "tag": {"tags": ["a"]}, "untag": {"tags": ["a"]}, "snooze": {"until": LATER}, "escalate": {"to": "lead"},
}  # fmt: skip


def a_file(**given: Any) -> File:
    plain: dict[str, Any] = {
        "case_id": "case-1", "tenant": "main", "title": "t", "entity": "account:A/EUR", "kind": "account", "pattern": "spree",
        "fingerprint": {}, "touches": [], "ruling_id": "r", "outcome": "confirmed", "confidence": 0.8, "severity": 0.8,
        "own_severity": 0.8, "revision": 3, "hits": 3, "started_at": NOW, "last_at": NOW, "own_started_at": NOW,
        "own_last_at": NOW,
        "opened_at": NOW, "changed_at": NOW, "ack_due_at": NOW + timedelta(hours=1), "resolve_due_at": NOW + timedelta(hours=24),
    }  # fmt: skip
    return File(**{**plain, **given})


def do(one: File, action: str, at: datetime = NOW, **detail: Any) -> File:
    asked = Asked("key:ana", "Ana", at, Desk(), detail or DETAILS.get(action, {}))
    return actions.ACTIONS[action](one, asked).file


@given(st.lists(st.sampled_from(life.STEPS), max_size=30))
def test_however_one_walks_a_case_is_open_or_closed_with_a_reason(steps: list[life.Step]) -> None:
    one = a_file()
    for step in steps:
        before = one
        try:
            one = do(one, step)
        except NotPossible:
            assert (before.status, step) not in life.TRANSITIONS
            continue
        assert life.TRANSITIONS[before.status, step] == one.status
        assert one.is_closed == (one.reason is not None) == (one.closed_at is not None) == (one.closed_by is not None)
        assert (one.expires_at is not None) == (one.status == "dismissed")
        if one.status != "open":
            assert one.acknowledged_at is not None or one.is_closed


def test_every_status_is_reached_and_every_one_can_be_left() -> None:
    assert set(life.TRANSITIONS.values()) == set(life.STATUSES)
    assert all(life.steps(status) for status in life.STATUSES)
    assert all(life.after(status, "reopen") == "open" for status in life.CLOSED)


@given(st.lists(st.tuples(st.sampled_from(sorted(actions.ACTIONS)), st.integers(0, 600)), max_size=25))
def test_what_is_called_possible_works_and_the_rest_is_refused(walk: list[tuple[str, int]]) -> None:
    one, at = a_file(), NOW
    for action, minutes in walk:
        at += timedelta(minutes=minutes)
        possible = action in actions.possible(one)
        detail = {**DETAILS, "snooze": {"until": at + timedelta(hours=1)}}.get(action, {})
        try:
            after = do(one, action, at, **detail)
        except DeskError:
            assert not possible or action in ("tag", "untag", "assign")  # these depend on what is there already
            continue
        assert possible
        assert after.case_id == one.case_id
        assert after.version == one.version  # the edge counts versions, once for each change
        one = after


def test_a_closing_needs_a_reason_of_the_list_and_other_needs_words() -> None:
    for action, detail in (("resolve", {}), ("resolve", {"reason": "noise"}), ("dismiss", {"reason": "other", "text": "  "})):
        with pytest.raises(BadDetail):
            do(a_file(), action, **{"reason": None, **detail})
    assert do(a_file(), "dismiss", reason="other", text=" a test card ").reason_text == "a test card"


@pytest.mark.parametrize(
    ("action", "detail"),
    [
        ("comment", {"text": " "}), ("comment", {"text": 3}), ("comment", {"text": "x" * 5000}), ("tag", {"tags": "a"}),
        ("tag", {"tags": ["no space"]}), ("tag", {"tags": [f"t{n}" for n in range(30)]}), ("snooze", {"until": NOW}),
        ("snooze", {"until": "soon"}), ("snooze", {"until": datetime(2030, 1, 1)}), ("snooze", {"text": "no time"}),
        ("dismiss", {"reason": "noise", "expires_at": "2020-01-01T00:00:00Z"}), ("assign", {"assignee": "x" * 300}),
    ],
)  # fmt: skip
def test_nonsense_is_refused_by_the_field_at_fault(action: str, detail: dict[str, Any]) -> None:
    with pytest.raises(BadDetail) as refused:
        do(a_file(), action, **detail)
    assert refused.value.field in (*detail, "until")


clocks = st.builds(
    Clock,
    status=st.sampled_from(life.STATUSES),
    ack_due_at=st.none() | st.integers(0, 100).map(lambda m: NOW + timedelta(minutes=m)),
    resolve_due_at=st.none() | st.integers(0, 200).map(lambda m: NOW + timedelta(minutes=m)),
    breached=st.frozensets(st.sampled_from(["acknowledge", "resolve"])),
    escalation=st.integers(0, 3),
    snoozed_until=st.none() | st.integers(0, 100).map(lambda m: NOW + timedelta(minutes=m)),
    expires_at=st.none() | st.integers(0, 100).map(lambda m: NOW + timedelta(minutes=m)),
    member=st.booleans(),
    held=st.booleans(),
)
desks = st.lists(st.integers(0, 60), max_size=3).map(
    lambda after: Desk(escalation=tuple(Level(after_min=m, to="x") for m in sorted(after)))
)


@given(clocks, desks)
def test_timers_end_and_do_each_thing_once(clock: Clock, desk: Desk) -> None:
    done = []
    end = NOW + timedelta(days=2)
    while found := timers.due(clock, desk, end):
        assert found[0] not in done
        done.append(found[0])
        clock = timers.after(clock, found[0])
        assert len(done) < 20
    assert timers.next_at(clock, desk) is None


@given(clocks, desks, st.integers(0, 300))
def test_the_next_time_to_look_is_when_the_first_thing_is_due(clock: Clock, desk: Desk, minutes: int) -> None:
    now, at = NOW + timedelta(minutes=minutes), timers.next_at(clock, desk)
    assert bool(timers.due(clock, desk, now)) == (at is not None and at <= now)


def limit(severity: float, acknowledge_min: int, resolve_min: int) -> Limit:
    return Limit(from_severity=severity, acknowledge_min=acknowledge_min, resolve_min=resolve_min)


def test_limits_go_by_severity_and_escalation_level_by_level() -> None:
    limits = (limit(0.5, 30, 60), limit(0.9, 5, 10))
    desk = Desk(limits=limits, escalation=(Level(after_min=0, to="on-call"), Level(after_min=10, to="lead")))
    assert timers.due_times(0.4, NOW, desk) == (None, None)
    assert timers.due_times(0.89, NOW, desk)[0] == NOW + timedelta(minutes=30)
    assert timers.due_times(0.9, NOW, desk) == (NOW + timedelta(minutes=5), NOW + timedelta(minutes=10))
    clock = Clock("open", *timers.due_times(0.9, NOW, desk))
    assert [one.what for one in timers.due(clock, desk, NOW + timedelta(minutes=6))] == ["sla_breached", "escalated"]
    assert [one.level for one in timers.due(clock, desk, NOW + timedelta(minutes=15))] == [0, 1, 2]
    assert timers.running(replace(clock, status="acknowledged")) == ("resolve", NOW + timedelta(minutes=10))
    assert timers.due(replace(clock, status="resolved"), desk, LATER) == []
    assert timers.due(replace(clock, held=True), desk, LATER) == []
    assert [one.what for one in timers.due(replace(clock, snoozed_until=NOW), desk, LATER)] == ["woken"]


def test_the_time_asleep_does_not_count() -> None:
    asleep = do(a_file(), "snooze", until=NOW + timedelta(hours=3))
    assert timers.next_at(file.clock(asleep), Desk()) == NOW + timedelta(hours=3)
    awake = actions.woken(asleep, NOW + timedelta(hours=3))
    assert awake.ack_due_at == NOW + timedelta(hours=4)
    assert awake.snooze is None


@given(st.floats(0, 1), st.integers(1, 500), st.integers(1, 50))
def test_a_snooze_holds_while_nothing_gets_worse(severity: float, hits: int, members: int) -> None:
    seen = {"severity": severity, "hits": hits, "members": members}
    assert timers.broken(seen, severity, hits, members, Desk()) == ""
    assert "hits" in timers.broken(seen, severity, hits * 2, members, Desk())
    assert "cases" in timers.broken(seen, severity, hits, members * 2, Desk())
    assert "severity" in timers.broken(seen, severity + 0.11, hits, members, Desk())


payments = st.dictionaries(
    st.text("abc", max_size=3), st.tuples(st.floats(0, 1e6), st.just("EUR")).map(list), min_size=1, max_size=6
)


@given(st.lists(payments, min_size=1, max_size=5), st.floats(0, 1), st.floats(0, 1))
def test_a_payment_counts_once_however_many_members_saw_it(members: list[Any], severity: float, confidence: float) -> None:
    stakes = [{"payments": one} for one in members]
    once = loss.expected(stakes, severity, confidence, Desk())
    again = loss.expected([*stakes, stakes[-1]], severity, confidence, Desk())
    assert once == again
    assert once.amount is not None
    assert 0 <= once.amount <= sum(amount for one in members for amount, _ in one.values()) + 0.01


def test_what_is_unknown_of_a_loss_is_said() -> None:
    usd, eur = {"payments": {"a": [100.0, "USD"]}}, {"payments": {"b": [50.0, "EUR"]}}
    assert loss.expected([usd], 1, 1, Desk()).currency == "USD"
    mixed = loss.expected([usd, eur], 1, 1, Desk())
    assert (mixed.amount, "USD" in mixed.words) == (None, True)
    assert loss.expected([usd, eur], 0.5, 0.5, Desk(rates={"USD": 0.9})).amount == 35.0
    assert loss.expected([{"requests": 20.0}], 1, 1, Desk()).amount is None
    assert loss.expected([{"requests": 20.0}, {"requests": 30.0}], 0.5, 1, Desk(cost_per_request=2)).amount == 30.0
    huge = {"payments": {"a": [1e308, "EUR"], "b": [1e308, "EUR"]}}
    assert loss.expected([huge], 1, 1, Desk()).amount is None
    nothing = loss.expected([{}], 1, 1, Desk())
    assert (nothing.amount, loss.weight(nothing, 0.5, Desk(assumed_stake=100))) == (None, 50)


@given(st.lists(st.sampled_from(["approve", "reject", "done", "undo"]), max_size=12))
def test_a_command_is_executed_only_after_an_approval(steps: list[str]) -> None:
    state, approved = "proposed", False
    for step in steps:
        try:
            state = commands.after(state, step)
        except CommandChanged:
            continue
        approved = approved or step == "approve"
        assert state not in ("executed", "undoing", "undone") or approved
    assert commands.steps(state) == [step for was, step in commands.TRANSITIONS if was == state]


def test_policies_are_off_and_bound_to_action_confidence_and_outcome() -> None:
    row = {"action": "watch", "outcome": "confirmed", "confidence": 0.9, "severity": 0.8}
    policy = (Approval(action="watch", min_confidence=0.9, min_severity=0.8),)
    assert commands.allowed(Desk().approve, row) is None
    assert commands.allowed(policy, row) is policy[0]
    for other in ({"action": "block_account"}, {"outcome": "unresolved"}, {"confidence": 0.89}, {"severity": 0.79}):
        assert commands.allowed(policy, row | other) is None


@given(st.integers(1, 60), st.none() | st.text(max_size=30) | st.integers(-5, 10**12).map(str))
def test_waits_grow_and_are_bounded_whatever_the_receiver_asks(attempt: int, asked: str | None) -> None:
    waited = webhook.wait(attempt, webhook.Answer(503, retry_after=asked), Desk(), NOW)
    assert timedelta(seconds=2) <= waited <= webhook.LONGEST_WAIT


def test_answers_are_understood() -> None:
    verdicts = {status: webhook.verdict(webhook.Answer(status)) for status in (200, 204, 301, 400, 404, 409, 429, 500, 503)}
    assert verdicts == {200: "done", 204: "done", 301: "failed", 400: "failed", 404: "failed", 409: "again", 429: "again",
                        500: "again", 503: "again"}  # fmt: skip
    assert webhook.verdict(webhook.Answer(None)) == "again"
