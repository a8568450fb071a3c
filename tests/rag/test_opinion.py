import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.brief import build
from rag.errors import NotAnOpinion
from rag.items import Brief
from rag.opinion import answer_schema, free_numbers, read_answer, read_opinion, render, strict_json


@pytest.fixture
def brief(make_facts: Any, make_section: Any) -> Brief:
    return build(make_facts(sections=(make_section(),)), 5000)


def said(**given: Any) -> dict[str, Any]:
    opinion = {
        "case_id": "case-ep1",
        "vote": "confirm",
        "reasons": ["{{e2.value}} against {{e2.expected}}."],
        "citations": ["e2"],
    }
    return {**opinion, "action": "step_up_auth", "confidence": "high", **given}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"vote": "guilty"}, "vote"),
        ({"veto": True}, "auditor"),
        ({"veto": "yes"}, "veto"),
        ({"action": "hold_terminal"}, "does not fit account"),
        ({"action": "delete_everything"}, "action"),
        ({"citations": []}, "citations"),
        ({"citations": [2]}, "citations"),
        ({"reasons": []}, "reasons"),
        ({"reasons": ["x" * 500]}, "reasons"),
        ({"reasons": ["It paid 1,200 EUR."]}, "references"),
        ({"reasons": ["It paid twelve times the usual."]}, "references"),
        ({"reasons": ["Seen in e77."]}, "references"),
        ({"reasons": ["٣٠ payments"]}, "references"),
        ({"reasons": ["½ of it"]}, "references"),
        ({"confidence": 0.9}, "confidence"),
        ({"note": "extra"}, "note"),
    ],
)
def test_each_fault_is_refused_and_named(brief: Brief, given: dict[str, Any], fault: str) -> None:
    with pytest.raises(NotAnOpinion, match=fault):
        read_opinion(said(**given), "analyst", brief)


def test_a_sound_opinion_is_read_and_its_numbers_come_from_the_evidence(brief: Brief) -> None:
    opinion = read_opinion(said(), "analyst", brief)
    assert render(opinion.reasons[0], brief) == "1,200.00 EUR against 40.00 EUR."
    assert read_opinion(said(veto=True), "auditor", brief).veto


def test_a_reference_that_does_not_resolve_stays_visible(brief: Brief) -> None:
    assert render("It is {{e2.nonsense}} or {{e99.value}}", brief) == "It is (unknown) or (unknown)"


def test_a_reason_cannot_smuggle_markup_into_a_page(brief: Brief) -> None:
    assert "<" not in render("<script>alert({{e1.hits}})</script>", brief)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        '{"opinions": 3}',
        "[]",
        '{"opinions": [], "opinions": []}',
        '{"opinions": NaN}',
        "```json\n{}\n```",
        "[" * 100_000,
        '"\\ud800"',
    ],
)
def test_an_answer_that_is_not_the_agreed_json_gives_no_opinion(brief: Brief, text: str) -> None:
    answers = read_answer(text, "analyst", [brief])
    assert answers.opinions == {}
    assert set(answers.faults) == {"case-ep1"}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": Infinity}', '{"a": [NaN]}', '{"a": 1} x'])
def test_what_lenient_readers_let_pass_is_refused(text: str) -> None:
    with pytest.raises(NotAnOpinion):
        strict_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_strict_json_reads_what_json_writes_or_refuses(value: Any) -> None:
    text = json.dumps(value)
    if "NaN" in json.dumps(value) or "Infinity" in text:
        return
    assert strict_json(text) == value


def test_opinions_about_other_cases_are_ignored_and_two_about_one_are_none(brief: Brief) -> None:
    both = json.dumps({"opinions": [said(), said(case_id="case-other"), said(vote="dismiss")]})
    answers = read_answer(both, "analyst", [brief])
    assert answers.opinions == {}
    assert "two opinions" in answers.faults["case-ep1"]
    assert read_answer(json.dumps({"opinions": [said(case_id="case-other"), said()]}), "analyst", [brief]).faults == {}


def test_only_the_auditor_is_asked_for_a_veto_and_only_offered_items_can_be_cited(brief: Brief) -> None:
    assert "veto" in answer_schema([brief], "auditor")["properties"]["opinions"]["items"]["required"]
    assert "veto" not in json.dumps(answer_schema([brief], "analyst"))
    citable = answer_schema([brief], "analyst")["properties"]["opinions"]["items"]["properties"]["citations"]["items"]["enum"]
    assert citable == ["e1", "e2", "e3", "e4"]


@given(st.lists(st.sampled_from(["pays", "often", "p95", "e1", "{{e1.hits}}", "{{ e2.value }}", "above", "one"]), max_size=8))
def test_words_references_and_known_ids_are_no_numbers(words: list[str]) -> None:
    assert free_numbers([" ".join(words)], {"e1", "e2"}) == []


@given(st.integers(0, 10**9) | st.floats(0, 1e9), st.sampled_from(["{} hits", "about {}", "x{}y", "{}%", "{{{{e1.hits}}}}{}"]))
def test_digits_anywhere_else_are_found(number: float, shape: str) -> None:
    assert free_numbers([shape.format(number)], {"e1"})
