"""How the dashboard says things, and that text from outside stays text."""

import html
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import words

AT = datetime(2026, 3, 4, 14, 2, 11, tzinfo=UTC)


@given(st.text(max_size=300))
def test_escaped_text_holds_no_markup_and_says_the_same(text: str) -> None:
    shown = words.escaped(text)
    assert not set("<>\"'") & set(shown)
    assert html.unescape(shown) == words.visible(text)


@given(st.text(max_size=800), st.integers(2, 100))
def test_visible_text_is_short_and_without_control_or_direction_characters(text: str, most: int) -> None:
    shown = words.visible(text, most)
    assert len(shown) <= most
    assert not any(ord(character) < 32 or character in "\u202e\u200b\u2066\ufeff\x7f" for character in shown)


def test_direction_overrides_and_newlines_do_not_survive() -> None:
    assert words.visible("pay\u202ela\nter\x00\ud800") == "payla ter"


def test_runbook_dollars_are_no_formula_and_bold_stays_bold() -> None:
    assert words.markdown(r"**under** $5 and \$10") == r"**under** \$5 and \$10"


@given(st.text(min_size=1, max_size=60))
def test_a_link_carries_any_name_and_cannot_leave_its_attribute(name: str) -> None:
    from urllib.parse import parse_qs, urlsplit

    address = words.link("entity", name=name.encode("utf-8", "replace").decode())
    assert not set('<>" ') & set(address)
    query = urlsplit(html.unescape(address)).query
    assert parse_qs(query, keep_blank_values=True)["name"] == [name.encode("utf-8", "replace").decode()]


def test_times_are_said_in_utc_whatever_their_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert words.instant(elsewhere) == "4 Mar 2026, 14:02:11 UTC"
    assert (words.short(elsewhere), words.clock(elsewhere)) == ("4 Mar 14:02", "14:02:11")
    assert words.instant(None) == words.UNKNOWN


def test_times_are_said_in_the_readers_zone() -> None:
    token = words.ZONE.set(ZoneInfo("Asia/Kolkata"))
    try:
        assert words.instant(AT) == "4 Mar 2026, 19:32:11 IST"
    finally:
        words.ZONE.reset(token)
    token = words.ZONE.set(timezone(timedelta(hours=-3)))
    try:
        assert words.instant(AT) == "4 Mar 2026, 11:02:11 UTC-03:00"
    finally:
        words.ZONE.reset(token)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 days"),
        (1e8, "1,157 days"),
    ],
)
def test_age(seconds: float | None, said: str) -> None:
    assert words.age(seconds) == said


def test_replayed_data_is_said_to_be_behind_the_clock() -> None:
    assert "replayed data, 2 days behind the clock" in words.stream_time(AT, AT + timedelta(days=2))
    assert words.stream_time(AT, AT + timedelta(seconds=4)).endswith("4 s behind the clock.")
    assert "5 min ahead of the clock" in words.stream_time(AT, AT - timedelta(minutes=5))
    assert words.stream_time(None, AT) == "No event has been scored yet."


@pytest.mark.parametrize(
    ("value", "unit", "qualifier", "said"),
    [
        (412.5, "amount", "EUR", "412.50 EUR"),
        (0.514, "error rate", "", "51.4 %"),
        (2100, "ms", "", "2,100 ms"),
        (12_345, "ms", "", "12.35 s"),
        (1, "events", "", "1 event"),
        (44, "events", "", "44 events"),
        (0.012345, "value", "", "0.01235"),
        (None, "ms", "", "–"),
        (float("nan"), "amount", "EUR", "–"),
        (float("inf"), "amount", "EUR", "no limit"),
        (0, "amount", "EUR", "0.00 EUR"),
    ],
)
def test_quantities_carry_their_unit(value: float | None, unit: str, qualifier: str, said: str) -> None:
    assert words.quantity(value, unit, qualifier) == said


def test_an_open_end_of_a_range_is_left_out() -> None:
    infinite = float("inf")
    assert words.between(8, 84, "amount", "EUR") == "8.00 to 84.00 EUR"
    assert words.between(0, 0.6, "events") == "0 to 0.6 events"
    assert words.between(0, 1, "events") == "0 to 1 event"
    assert words.between(900, 12_000, "ms") == "900 ms to 12.00 s"
    assert words.between(0.1, 51, "value") == "0.1 to 51"
    assert words.between(-infinite, 84, "ms") == "at most 84 ms"
    assert words.between(8, infinite, "ms") == "at least 8 ms"


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (7, "7"), (3.25, "3.2"), (9_999, "9,999"), (10_000, "10.0 k"), (2_500_000, "2.5 M"), (None, "–")],
)
def test_counts(number: float | None, said: str) -> None:
    assert words.count(number) == said


@pytest.mark.parametrize(
    ("entity", "parts"),
    [
        ("account:A12/EUR", ("Account", "A12", "EUR")),
        ("service:checkout", ("Service", "checkout", "")),
        ("service:a/b", ("Service", "a/b", "")),
        ("series:catalog/cpu", ("Series", "catalog", "cpu")),
        ("odd", ("Odd", "", "")),
    ],
)
def test_entity_names(entity: str, parts: tuple[str, str, str]) -> None:
    assert words.named(entity) == parts


def test_severity_has_a_word_at_each_bar() -> None:
    assert [words.level(value) for value in (0.5, 0.6, 0.85, 0.95)] == ["low", "medium", "high", "critical"]


def test_the_council_says_which_way_it_rules_and_why() -> None:
    assert words.council({"council": "rules", "why": "no model answers (Errno 111)"}) == ("Rules", "no model answers")
    assert words.council({"council": "model", "model": "llama3.1:8b"}) == ("Model", "llama3.1:8b")
    assert words.council({})[0] == words.UNKNOWN
