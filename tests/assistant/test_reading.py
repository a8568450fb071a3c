"""What a question is taken to ask: kind, names, slots, and how a follow-up leans on the one before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.reading import Reading, as_json, follow, from_json, read

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
KINDS = {
    "What happened to account A12 last night?": "happened",
    "What's up with checkout?": "happened",
    "How is the checkout service doing?": "happened",
    "Did anything strange happen overnight?": "happened",
    "show me account 4711": "happened",
    "Why was account A12 blocked?": "why",
    "What caused case-4f1d?": "why",
    "How many cases were confirmed since Monday?": "count",
    "How much did account A12 spend yesterday?": "count",
    "Compare checkout today and yesterday": "compare",
    "Is A12 worse than last week?": "compare",
    "Which accounts were flagged most this week?": "top",
    "Top 10 services by errors": "top",
    "Have we seen this before?": "similar",
    "Cases like case-4f1d": "similar",
    "What needs me now?": "waiting",
    "Any undecided proposals?": "waiting",
    "How do I recognise card testing?": "how",
    "What should I do when many small payments hit one terminal?": "how",
    "Why is the payment provider slow": "how",
    "Should I roll back?": "how",
    "db connections exhausted": "how",
}
NAMED = {
    "What happened to account A12 last night?": [("A12", "account")],
    "compare account:A12/EUR with account B7": [("A12/EUR", "account"), ("B7", "account")],
    "how is the checkout service": [("checkout", "service")],
    'what happened to "Zeppelin Ltd"': [("Zeppelin Ltd", "")],
    "what did T137 do at 3pm on 4th March": [("T137", "")],
    "which account holders were flagged": [],
    "what happened in the last 24h": [],
}


def asked(question: str) -> Reading:
    return read(question, NOW, UTC_ZONE)


@pytest.mark.parametrize("question", KINDS)
def test_its_kind(question: str) -> None:
    assert asked(question).kind == KINDS[question]


@pytest.mark.parametrize("question", NAMED)
def test_whom_it_names(question: str) -> None:
    assert sorted((name.text, name.kind) for name in asked(question).names if name.sure) == sorted(NAMED[question])


def test_its_slots() -> None:
    reading = asked("Which 3 worst terminals had dismissed cases since Monday, as in case-4f1d?")
    assert (reading.what, reading.outcome, reading.of_kind, reading.cases) == (
        "cases",
        "dismissed",
        "counterparty",
        ("case-4f1d",),
    )
    assert [one.words for one in reading.spans] == ["since monday"]
    assert asked("top 7 services by errors").most == 7
    assert asked("how many payments yesterday").of_kind == "account"


def test_a_follow_up_leans_on_the_question_before_it() -> None:
    first = asked("What happened to account A12 last night?")
    again = follow(first, asked("And yesterday?"), "And yesterday?")
    assert (again.kind, again.names, [one.words for one in again.spans]) == ("happened", first.names, ["yesterday"])
    why = follow(first, asked("why?"), "why?")
    assert (why.kind, why.names) == ("why", first.names)
    other = follow(first, asked("And account B7?"), "And account B7?")
    assert (other.kind, [name.text for name in other.names if name.sure], other.spans) == ("happened", ["B7"], first.spans)


@pytest.mark.parametrize("question", ["How do I recognise card testing?", "What needs me now?", "What happened to T9 yesterday?"])
def test_a_question_that_stands_alone_takes_nothing_over(question: str) -> None:
    first = asked("What happened to account A12 last night?")
    assert follow(first, asked(question), question) == asked(question)


@given(st.text(max_size=300))
def test_any_text_is_read_and_kept(text: str) -> None:
    reading = asked(text)
    assert from_json(as_json(reading)) == reading
    assert len(reading.names) <= 24
    assert 1 <= reading.most <= 20
