"""Refused records as a person sees them, and in the database whatever their bytes are."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from jobs import refusals
from jobs.refusals import EXCERPT, excerpt, place, record_id, row
from store.bulk import copy_rows
from store.database import Database, run

NOW = datetime(2026, 5, 2, tzinfo=UTC)


def refused(raw: bytes | None = b"{", **changes: object) -> dict[str, object]:
    return {
        "raw": raw,
        "source": "events/3",
        "position": 17,
        "reason": "no",
        "field": None,
        "tenant": None,
        "ingest_time": NOW,
    } | changes


def test_a_place_is_an_offset_or_a_line():
    assert place("events/3", 17) == "events/3@17"
    assert place("day1.jsonl", 5) == "day1.jsonl:5"
    assert place("7", 5) == "7:5"


def test_a_row_says_where_why_and_how_large():
    assert row(refused(b"{x")) == (
        record_id("events/3@17", "no", b"{x"), "main", "events/3@17", "no", "", "{x", 2, "new", NOW,
    )  # fmt: skip


def test_the_id_is_of_place_reason_and_bytes():
    one = record_id("a:1", "no", b"x")
    assert one == record_id("a:1", "no", b"x")
    assert len({one, record_id("a:2", "no", b"x"), record_id("a:1", "why", b"x"), record_id("a:1", "no", b"y")}) == 4


@given(st.binary(max_size=2000))
def test_an_excerpt_is_short_and_printable_whatever_the_bytes(raw):
    shown = excerpt(raw)
    assert len(shown) <= EXCERPT
    assert shown.isprintable()
    shown.encode()


def test_an_excerpt_of_plain_text_is_the_text():
    assert excerpt('{"a": "grüezi"}'.encode()) == '{"a": "grüezi"}'
    assert excerpt(b"a\x00\xff\n\x1b[31m\xe2\x80\xae") == "a\\x00\\xff\\n\\x1b[31m\\u202e"


def test_hostile_records_are_stored_and_twice_is_once(database: Database):
    hostile = [bytes(range(256)), b"\0" * 10, "\u202e\ud7ff\U0001f600".encode(), b"\\N\t\n\\.", b"", None]
    for _ in range(2):
        with database.connection() as connection:
            refusals.prepare(connection)
            rows = [row(refused(raw, position=i)) for i, raw in enumerate(hostile)]
            copy_rows(connection, "incoming_quarantined", refusals.COLUMNS, rows)
            run(connection, "merge_quarantined")
    stored = database.fetch("list_quarantined", tenant="main", state=None, limit=100)
    assert len(stored) == len(hostile)
    assert {one["size"] for one in stored} == {256, 10, 6, 0}
