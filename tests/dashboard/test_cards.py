"""Ruling cards and tables as HTML: what they show, and that nothing from outside becomes markup."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import cards, exhibits, lists, markup, summary, tables
from rag.items import Brief, Item, as_json

AT = datetime(2026, 3, 4, 14, 2, 11, tzinfo=UTC)
ALLOWED = {"details", "summary", "span", "div", "section", "b", "p", "h2", "h3", "ul", "li", "a", "br", "small", "nav",
           "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"}  # fmt: skip
ANY_TEXT = st.text(min_size=1).filter(str.strip) | st.sampled_from(
    ['"><script>x</script>', "</details>", "' onmouseover=alert(1) '", "<!--"]
)


class Page(HTMLParser):
    """What a browser would make of it: elements, their attributes and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str]:
        return [str(attributes.get("href")) for tag, attributes in self.elements if tag == "a"]


def brief(text: str = "quoted") -> Brief:
    items = (
        Item("e1", "anomaly", "worst hit", {"value": 1240.0, "expected": 41.2, "unit": "amount", "currency": "EUR"}),
        Item("e2", "section", "runbook: Payments > Card testing > Checks", {"section_id": "rb#checks", "relevance": 0.8}, text),
    )
    return Brief("case-1", "main", "account:A1/EUR", "account", 3, 0.97, "immediate", items, {"neighbour": 2})


def ruling(**more: Any) -> dict[str, Any]:
    opinions = [
        {
            "role": role,
            "vote": vote,
            "reasons": ["It paid {{e1.value}} there."],
            "said": ["It paid 1,240.00 EUR there."],
            "confidence": "high",
            "veto": False,
        }
        for role, vote in (("analyst", "confirm"), ("auditor", "dismiss"), ("strategist", "unsure"))
    ]
    return {
        "ruling_id": "0123456789abcdef",
        "entity": "account:A1/EUR",
        "outcome": "confirmed",
        "action": "block_account",
        "severity": 0.97,
        "root_cause": "Far over the usual.",
        "in_force": True,
        "last_at": AT,
        "opinions": opinions,
        "next_steps": [],
        "citations": [],
        "checks": [{"check": "number", "item": "e1", "ok": True, "detail": ""}],
        "brief": as_json(brief()),
        "council": "rules",
        "model": None,
        "why": "no model answers",
        "ruled_at": AT,
        "latency_ms": 41.0,
        "confidence": 0.82,
        "revision": 3,
        "commands": [],
        **more,
    }


def test_a_ruling_says_outcome_cause_action_votes_and_which_council_spoke() -> None:
    said = Page(cards.ruling(ruling(), "now")).text
    for expected in (
        "97",
        "A1",
        "▲ Confirmed",
        "Far over the usual.",
        "Block the account",
        "Analyst",
        "▲ Confirm",
        "○ Dismiss",
        "◆ Unsure",
        "✓ 1 of 1 checks hold.",
        "Ruled by the rules council (no model answers)",
        "confidence 82 %",
    ):
        assert expected in said


def test_reasons_are_shown_with_their_numbers_and_never_as_references() -> None:
    said = Page(cards.ruling(ruling(), "now")).text
    assert "It paid 1,240.00 EUR there." in said
    assert "{{" not in said


def test_citations_open_the_section_or_jump_to_the_evidence_and_unknown_ones_do_neither() -> None:
    page = Page(exhibits.citations(ruling(citations=["e1", "e2", "e9"]), "now-1"))
    assert page.links == ["#now-1-e1", "runbook?section=rb%23checks"]
    assert "e9 ?" in page.text


def test_each_jump_has_a_target() -> None:
    page = Page(cards.ruling(ruling(citations=["e1"]), "now"))
    targets = {attributes.get("id") for _, attributes in page.elements}
    assert {link[1:] for link in page.links if link.startswith("#")} <= targets


def test_the_evidence_shows_numbers_with_units_and_what_was_omitted() -> None:
    said = Page(exhibits.evidence(ruling(), "a")).text
    assert "value 1,240.00 EUR" in said
    assert "Card testing › Checks" in said
    assert "2 omitted for want of room: 2 neighbour" in said


def test_steps_stand_under_the_section_they_come_from() -> None:
    steps = [{"text": "Hold it.", "section_id": "rb#checks"}, {"text": "Ask.", "section_id": "rb#checks"}, {"text": "Wait."}]
    page = Page(cards.next_steps(ruling(next_steps=steps)))
    assert page.links == ["runbook?section=rb%23checks"]
    assert page.text == "Next steps from ChecksHold it.Ask.ThenWait."


def test_only_failed_checks_are_listed() -> None:
    checks = [
        {"check": "number", "item": "e1", "ok": True, "detail": "fine"},
        {"check": "citation", "item": "e9", "ok": False, "detail": "not offered"},
    ]
    said = Page(cards.failed_checks(ruling(checks=checks))).text
    assert "1 of 2 checks failed" in said
    assert "not offered" in said
    assert "fine" not in said


def test_a_member_without_an_opinion_says_why() -> None:
    said = Page(cards.vote({"role": "auditor", "vote": None, "reasons": [], "fault": "the answer was cut"})).text
    assert "No opinion" in said
    assert "the answer was cut" in said


def test_a_superseded_ruling_and_a_veto_are_marked() -> None:
    row = ruling(in_force=False)
    row["opinions"][1]["veto"] = True
    said = Page(cards.ruling(row, "now")).text
    assert "Superseded" in said
    assert "Veto" in said


def test_a_model_is_named() -> None:
    assert (
        "Ruled by llama3.1:8b, 4 Mar 2026" in Page(cards.ruling(ruling(council="model", model="llama3.1:8b", why=""), "n")).text
    )


def test_the_same_ruling_is_the_same_html_so_the_browser_keeps_it_unfolded() -> None:
    assert cards.rulings([ruling()], "now") == cards.rulings([ruling()], "now")


@given(ANY_TEXT)
def test_no_text_of_a_ruling_becomes_markup(text: str) -> None:
    row = ruling(
        entity=f"account:{text}/EUR",
        root_cause=text,
        why=text,
        model=text,
        action=text,
        citations=[text, "e2"],
        next_steps=[{"text": text, "section_id": "rb#checks"}],
        brief=as_json(brief(text)),
        commands=[{"action": text, "target": text, "state": text}],
        checks=[{"check": text, "item": text, "ok": False, "detail": text}],
        opinions=[{"role": text, "vote": text, "said": [text], "confidence": text, "veto": True}],
    )
    page = Page(cards.ruling(row, "now"))
    assert not page.open
    assert {tag for tag, _ in page.elements} <= ALLOWED
    attributes = {name for _, given in page.elements for name in given}
    assert attributes <= {"class", "title", "href", "id", "data-n", "aria-label", "open", "style"}
    assert all(link.startswith(("#", "runbook?", "entity?")) for link in page.links)


@given(ANY_TEXT)
def test_no_text_of_a_table_becomes_markup(text: str) -> None:
    made = tables.refusals(
        [{"reason": text, "field": text, "records": 3, "retried": 1, "newest": AT}],
        [{"arrived_at": AT, "position": text, "reason": text, "size": 9, "excerpt": text}],
    )
    assert {tag for tag, _ in Page(made).elements} <= ALLOWED


def test_a_table_has_a_caption_column_headers_and_can_be_reached_by_keyboard() -> None:
    page = Page(markup.table("Sizes", [markup.Column("Table"), markup.Column("Bytes", "right")], [("a", "1")]))
    assert ("caption", {}) in page.elements
    assert sum(1 for tag, given in page.elements if tag == "th" and given.get("scope") == "col") == 2
    assert page.elements[0][1]["tabindex"] == "0"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        markup.table("Sizes", [markup.Column("Table")], [("a", "1")])


def test_the_feed_says_value_and_expected_range_in_the_entity_currency() -> None:
    row = {
        "entity": "account:A1/EUR",
        "detector": "amount_z",
        "event_time": AT,
        "value": 140.0,
        "low": 10.0,
        "high": 118.0,
        "unit": "amount",
        "severity": 0.52,
        "ordinal": 2,
        "hits": 5,
    }
    page = Page(lists.feed([row]))
    assert "140.00 EUR expected 10.00 to 118.00 EUR" in page.text
    assert "hit 2 of 5" in page.text
    assert page.links == ["entity?name=account%3AA1%2FEUR"]


PULSE = {
    "newest_event": AT,
    "now": AT,
    "events_per_s": 923.4,
    "last_batch_at": AT,
    "events": 98_200,
    "anomalies_hour": 3,
    "anomalies": 45,
    "confirmed": 0,
    "unresolved": 1,
    "unheard": 2,
}


def test_the_head_of_the_live_page() -> None:
    docket = [
        {"lane": "immediate", "waiting": 1, "leased": 1, "dead": 0, "filed": 0, "oldest_s": 3.0},
        {"lane": "batch", "waiting": 0, "leased": 0, "dead": 1, "filed": 4, "oldest_s": None},
    ]
    rate, anomalies, cases, depth, council = summary.tiles(PULSE, docket, [])
    assert (rate.value, anomalies.value, cases.value, cases.hot) == ("923", "3", "3", False)
    assert (depth.value, depth.said, depth.hot) == ("2", "immediate 2, oldest 3 s; 4 filed for want of room; 1 given up", True)
    assert (council.value, council.hot) == ("None", True)


def test_a_stream_at_rest_is_idle_and_confirmed_cases_are_hot() -> None:
    rate, _, cases, *_ = summary.tiles({**PULSE, "events_per_s": None, "confirmed": 1}, [], [])
    assert rate.value == "Idle"
    assert cases.hot


def test_the_context_of_an_anomaly_shows_only_what_the_detector_said() -> None:
    pairs = summary.context(
        {"unit": "amount", "context": {"n": 100, "mean": 41.2, "std": None, "recent": [1.0, 2.5], "odd": 3}}, "EUR"
    )
    assert pairs == [("Points in the window", "100"), ("Mean", "41.20 EUR"), ("Before it, newest last", "1.00, 2.50")]
