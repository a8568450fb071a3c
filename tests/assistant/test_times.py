"""Phrases of time: what they mean, in any zone and at any moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.times import spans

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)  # a Thursday, 10:00 in Berlin
MEANT = {
    "what happened last night?": ("2026-03-04 18:00", "2026-03-05 06:00"),
    "yesterday": ("2026-03-04 00:00", "2026-03-05 00:00"),
    "today": ("2026-03-05 00:00", "2026-03-05 10:00"),
    "in the last 3 hours": ("2026-03-05 07:00", "2026-03-05 10:00"),
    "the past twenty-four hours": ("2026-03-04 10:00", "2026-03-05 10:00"),
    "last hour": ("2026-03-05 09:00", "2026-03-05 10:00"),
    "since Monday": ("2026-03-02 00:00", "2026-03-05 10:00"),
    "since last Thursday": ("2026-02-26 00:00", "2026-03-05 10:00"),
    "on Thursday": ("2026-03-05 00:00", "2026-03-05 10:00"),
    "since 14:00": ("2026-03-04 14:00", "2026-03-05 10:00"),
    "since 8 am": ("2026-03-05 08:00", "2026-03-05 10:00"),
    "between 10:00 and 12:00 yesterday": ("2026-03-04 10:00", "2026-03-04 12:00"),
    "from 22:00 to 02:00": ("2026-03-04 22:00", "2026-03-05 02:00"),
    "between Monday and Tuesday": ("2026-03-02 00:00", "2026-03-04 00:00"),
    "last week": ("2026-02-23 00:00", "2026-03-02 00:00"),
    "this week": ("2026-03-02 00:00", "2026-03-05 10:00"),
    "last month": ("2026-02-01 00:00", "2026-03-01 00:00"),
    "last weekend": ("2026-02-28 00:00", "2026-03-02 00:00"),
    "yesterday evening": ("2026-03-04 18:00", "2026-03-05 00:00"),
    "the day before yesterday": ("2026-03-03 00:00", "2026-03-04 00:00"),
    "on 4 March": ("2026-03-04 00:00", "2026-03-05 00:00"),
    "on 20 November": ("2025-11-20 00:00", "2025-11-21 00:00"),
    "March 4th, 2025": ("2025-03-04 00:00", "2025-03-05 00:00"),
    "since 2026-03-01 12:30": ("2026-03-01 12:30", "2026-03-05 10:00"),
    "around 02:14": ("2026-03-05 01:44", "2026-03-05 02:44"),
    "2 hours ago": ("2026-03-05 07:30", "2026-03-05 08:30"),
}
NO_TIMES = [
    "why was A12 blocked",
    "account 2026",
    "on 31 February",
    "what happened at 5",
    "may the account be blocked",
    "5xx errors",
    "",
]
PHRASES = [*MEANT, "tonight", "right now", "this morning", "overnight", "this month", "on Monday at 3 pm", "the last few weeks"]

zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns"]).map(
    ZoneInfo
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@pytest.mark.parametrize("phrase", MEANT)
def test_a_phrase_means_what_a_reader_in_berlin_means(phrase: str) -> None:
    (found,) = spans(phrase, NOW, BERLIN)
    assert tuple(f"{end.astimezone(BERLIN):%Y-%m-%d %H:%M}" for end in (found.since, found.until)) == MEANT[phrase]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    assert spans(text, NOW, BERLIN) == []


def test_several_times_come_in_their_order() -> None:
    assert [one.words for one in spans("compare last week with today and 4 March", NOW, BERLIN)] == [
        "last week",
        "today",
        "4 march",
    ]


@given(st.sampled_from(PHRASES), moments, zones)
def test_a_span_begins_before_it_ends_and_what_has_begun_ends_by_now(phrase: str, now: datetime, zone: ZoneInfo) -> None:
    for one in spans(phrase, now, zone):
        assert one.since < one.until
        assert one.since.utcoffset() == one.until.utcoffset() == timedelta()
        assert one.until <= now or one.since >= now
        assert one.words in " ".join(phrase.casefold().split())


@given(moments, zones)
def test_yesterday_ends_where_today_begins_and_lasts_a_day_of_that_zone(now: datetime, zone: ZoneInfo) -> None:
    (yesterday,) = spans("yesterday", now, zone)
    assert (yesterday.until.astimezone(zone).hour, yesterday.until.astimezone(zone).minute) in ((0, 0), (1, 0))
    assert timedelta(hours=23) <= yesterday.until - yesterday.since <= timedelta(hours=25)
    for today in spans("today", now, zone):
        assert today.since == yesterday.until


@given(moments, zones, st.integers(1, 500), st.sampled_from(["minutes", "hours", "days"]))
def test_so_long_until_now_is_exact_in_every_zone(now: datetime, zone: ZoneInfo, number: int, unit: str) -> None:
    (found,) = spans(f"the last {number} {unit}", now, zone)
    assert (found.since, found.until) == (now - timedelta(**{unit: number}), now)


@given(st.text(max_size=200), moments, zones)
def test_any_text_can_be_read(text: str, now: datetime, zone: ZoneInfo) -> None:
    assert all(one.since < one.until for one in spans(text, now, zone))


@given(st.sampled_from(PHRASES), st.sampled_from(["What happened {}?", "Compare A12 {} please", "{}: how many cases"]), moments)
def test_a_phrase_means_the_same_inside_a_sentence(phrase: str, sentence: str, now: datetime) -> None:
    alone = [(one.since, one.until) for one in spans(phrase, now, BERLIN)]
    assert [(one.since, one.until) for one in spans(sentence.format(phrase.rstrip("?")), now, BERLIN)] == alone
