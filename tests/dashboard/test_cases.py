"""Cases, answers, traces and pipelines in words: what is unknown is said, what is untrusted stays text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard import answers, cases, llm, llm_charts, people, pipes, timeline
from dashboard.look import LIGHT
from observe.detail import Part
from observe.estimates import Estimate
from observe.measure import Measured
from observe.reports import Compared, Point

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)">'


def row(**more: Any) -> dict[str, Any]:
    return {
        "case_id": "case-1",
        "version": 3,
        "status": "open",
        "title": "t",
        "entity": f"account:{HOSTILE}/EUR",
        "pattern": "odd payments",
        "severity": 0.97,
        "hits": 4,
        "members": 2,
        "assignee": None,
        "tags": [HOSTILE],
        "expected_loss": None,
        "loss_currency": None,
        "loss_words": "",
        "snoozed_until": None,
        "snoozed_by": None,
        "snooze": None,
        "held_by": None,
        "breached": [],
        "proposals": 1,
        "opened_at": NOON - timedelta(minutes=20),
        "ack_due_at": NOON + timedelta(minutes=5),
        "resolve_due_at": None,
        "now": NOON,
        "closed_at": None,
        "closed_by": None,
        "reason": None,
        "reason_text": None,
        "expires_at": None,
        "recurrences": 0,
        "started_at": NOON,
        "last_at": NOON,
        "root_cause": HOSTILE,
    } | more


def test_an_inbox_line_says_loss_unknown_what_is_left_and_no_markup() -> None:
    said = cases.inbox([row()], "case-1")
    for expected in (
        "loss unknown",
        "5 min left to acknowledge",
        "with nobody",
        "2 entities",
        "1 command to decide",
        "open for 20 min",
    ):
        assert expected in said
    assert 'aria-current="true"' in said
    assert "<img" not in said
    assert "case?case=case-1" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ack_due_at": NOON - timedelta(seconds=1)}, "overdue to acknowledge"),
        ({"ack_due_at": NOON}, ""),
        ({"status": "acknowledged", "ack_due_at": NOON - timedelta(days=1)}, ""),
        ({"resolve_due_at": NOON - timedelta(seconds=1)}, "overdue to resolve"),
        ({"breached": ["resolve"]}, "overdue to resolve"),
        ({"status": "resolved", "resolve_due_at": NOON - timedelta(days=1)}, ""),
    ],
)
def test_what_is_overdue(more: dict[str, Any], said: str) -> None:
    assert cases.overdue(row(**more)) == said


def test_why_a_case_is_quiet() -> None:
    seen = {"severity": 0.5, "hits": 2, "members": 1}
    asleep = cases.quiet(row(snoozed_until=NOON + timedelta(hours=2), snoozed_by="key:1", snooze=seen))
    assert "severity 50, 2 hits" in asleep
    closed = cases.quiet(
        row(status="dismissed", reason="false_alarm", reason_text=HOSTILE, closed_by="system:desk", recurrences=3)
    )
    assert "false alarm" in closed
    assert "the desk" in closed
    assert "3 kept quiet" in closed
    assert "<img" not in closed
    assert cases.quiet(row(held_by=4)).startswith("Held")
    assert cases.quiet(row()) == ""


def test_a_snooze_of_severity_zero_is_not_taken_for_unknown() -> None:
    seen = {"severity": 0.0, "hits": 2, "members": 1}
    assert "severity 0," in cases.quiet(row(snoozed_until=NOON + timedelta(hours=2), snooze=seen))


def test_people_are_called_by_their_names() -> None:
    token = people.NAMES.set({"key:1": "Robin"})
    try:
        assert [people.called(one) for one in ("key:1", "key:2", None, "system:desk", "Maria")] == [
            "Robin",
            "key:2",
            "nobody",
            "the desk",
            "Maria",
        ]
    finally:
        people.NAMES.reset(token)


def test_a_timeline_is_newest_first_and_quotes_comments() -> None:
    entry = {"source": "entry", "kind": "commented", "who": "Robin", "said": HOSTILE}
    shown = timeline.timeline([{**entry, "at": NOON - timedelta(days=1), "said": "older"}, {**entry, "at": NOON}])
    assert shown.index("4 Mar 2026") < shown.index("3 Mar 2026") < shown.index("older")
    assert "<img" not in shown


def test_an_answer_marks_what_nothing_supports_and_links_its_sources() -> None:
    given = {
        "sentences": [
            {"text": HOSTILE, "cites": [1], "supported": True},
            {"text": "Invented.", "cites": [], "supported": False, "why": "it cites nothing"},
        ],
        "citations": [
            {"n": 1, "kind": "section", "id": "runbook#a b", "title": HOSTILE, "excerpt": HOSTILE},
            {"n": 2, "kind": "ruling", "id": "case-9", "title": "", "excerpt": ""},
            {"n": 3, "kind": "activity", "id": "account:A1/EUR", "title": "A1", "excerpt": ""},
            {"n": 4, "kind": "count", "id": "assistant_counts", "title": "counted", "excerpt": ""},
        ],
        "spoken_by": "model",
        "model": "llama",
        "why": "",
    }
    shown = answers.answer(given, "m2")
    assert "<img" not in shown
    assert '<mark class="cv-bad" title="it cites nothing">Invented.</mark>' in shown
    for expected in (
        "runbook?section=runbook%23a%20b",
        "case?case=case-9",
        "entity?name=account%3AA1%2FEUR",
        "<b>counted</b>",
        "by llama",
    ):
        assert expected in shown


def test_marked_parts_escape_and_mark_only_what_is_unsupported() -> None:
    shown = llm.marked([Part("Fine. ", True), Part(HOSTILE, False, HOSTILE), Part(" neutral", None)])
    assert shown.count("<mark") == 1
    assert "<img" not in shown
    assert shown.startswith("Fine. ")


def test_unknown_measures_are_said_never_zero() -> None:
    assert llm.said(None, "cost") == "unknown"
    assert llm.said(0.0, "cost") == "0.0000"
    assert llm.estimated("faithfulness", Estimate(None)) == "unknown"
    assert llm.estimated("faithfulness", Estimate(0.5, 0.4, 0.6, 9)) == "0.50 (0.40 to 0.60)"
    chance = Compared("faithfulness", Estimate(0.5), Estimate(0.6), Estimate(-0.1, -0.3, 0.1))
    few = Compared("latency_mean", Estimate(10), Estimate(None), Estimate(None))
    shown = llm.compared([chance, few], "a", HOSTILE)
    assert "may be chance" in shown
    assert "too few to tell" in shown
    assert "<img" not in shown


def test_a_trend_leaves_a_gap_where_nothing_is_known() -> None:
    def point(hour: int, value: float | None) -> Point:
        estimate = Estimate(value, None if value is None else value - 0.1, None if value is None else value + 0.1, 9)
        return Point(NOON + timedelta(hours=hour), 4, {"faithfulness": Measured("faithfulness", estimate, 4, 0)})

    figure = llm_charts.trend(
        [point(0, 0.9), point(1, None), point(2, 0.7)], "faithfulness", LIGHT, (NOON, NOON + timedelta(hours=3))
    )
    line = figure.data[-1]
    assert list(line.y) == [0.9, None, 0.7]
    assert not line.connectgaps


def test_a_waterfall_shows_offsets_failures_and_open_steps() -> None:
    def step(name: str, offset: float, took: float | None, status: str = "ok") -> dict[str, Any]:
        return {
            "name": name,
            "depth": 1,
            "offset_ms": offset,
            "latency_ms": took,
            "status": status,
            "kind": "llm",
            "model": "",
            "error": HOSTILE,
            "tokens_in": None,
            "tokens_out": None,
        }

    figure = llm_charts.waterfall([step("a", 0, 100), step(HOSTILE, 40, None, "error")], LIGHT)
    bar = figure.data[0]
    assert list(bar.base) == [0, 40]
    assert bar.x[1] > 0
    assert bar.text[1].startswith("✕")
    assert "<img" not in str(figure.to_dict())


def test_a_processor_says_which_version_acts_and_which_waits() -> None:
    given = {
        "processor": "p",
        "kind": "rule",
        "live_version": 1,
        "newest_version": 2,
        "segments": [],
        "evaluated_24h": 0,
        "hit_24h": 0,
        "errors_24h": 0,
        "live_spec": {"kind": "rule", "when": HOSTILE},
        "newest_spec": {},
    }
    shown = pipes.processors([given, {**given, "live_version": None}])
    assert "version 1" in shown
    assert ", 2 waits" in shown
    assert '<span class="cv-silent">no</span>' in shown
    assert "<img" not in shown
