"""Whatever is posted as events: no crash, one fate for each record, and only what the stream takes goes on."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.batch import Record, check, records, stamped
from gateway.intake import Fate, again, fates_of
from gateway.problems import Problem
from jobs.events import Accepted, Event, Rules, validate

RULES = Rules(datetime(2026, 6, 1, tzinfo=UTC), tenant="mine")
LINES = "application/x-ndjson"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*Event.__struct_fields__, "tenant", "extra"])
SOUND = {"event_id": "t-1", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A", "amount": 1.0}
NEARLY = st.dictionaries(FIELDS, VALUES, max_size=3).map(lambda odd: SOUND | odd)


def outcome(body: bytes, media: str) -> list[Any]:
    try:
        return check(records(body, media, 5000), RULES, "mine")
    except Problem as problem:
        return [] if problem.status in (400, 413, 415, 422) else [problem.status]


@given(st.binary(max_size=300), st.sampled_from(["application/json", LINES, "application/json; charset=utf-8", "", "text/plain"]))
@example(b"[" * 100_000, "application/json")
@example(b'{"a":' * 50_000, LINES)
@example(b'[{"event_id":"\\ud800"}]', "application/json")
@example(b"\xff\xfe", LINES)
@settings(max_examples=200)
def test_no_bytes_crash_it(body: bytes, media: str) -> None:
    assert all(isinstance(one, Record) for one in outcome(body, media))


@given(st.lists(NEARLY, min_size=1, max_size=5), st.booleans())
@settings(max_examples=200)
def test_what_goes_on_is_what_the_stream_takes(posted: list[dict[str, Any]], pretty: bool) -> None:
    body = json.dumps(posted, indent=2 if pretty else None, allow_nan=True).encode("utf-8", "surrogatepass")
    found = outcome(body, "application/json")
    assert [record.index for record in found] == list(range(len(found)))
    for record in found:
        if record.refused is None:
            again_ = validate(record.line, RULES)
            assert isinstance(again_, Accepted)
            assert again_.event.tenant == "mine"
            assert again_.event.event_id == record.event_id
            assert b"\n" not in record.line
            assert b"\r" not in record.line
        else:
            assert record.refused.reason


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=8), st.sets(st.integers(0, 3)))
def test_a_stored_answer_is_told_as_it_was(sent: list[tuple[int, int]], before: set[int]) -> None:
    posted = [SOUND | {"event_id": f"t-{number}", "amount": float(content)} for number, content in sent]
    checked = check([json.dumps(one).encode() for one in posted], RULES, "mine")
    known = {record.id_hash: record.content_hash for record in checked if int(str(record.event_id)[2:]) in before}
    fates = fates_of(checked, known)
    notable = [[one.index, one.outcome, one.why, one.field] for one in fates if one.outcome != "accepted" or one.why]
    assert again(checked, json.loads(json.dumps({"notable": notable}))) == fates
    seen: dict[int, set[int]] = {one: {content} for one, content in known.items()}
    for record, fate in zip(checked, fates, strict=True):
        contents = seen.setdefault(record.id_hash, set())
        plain = fate == Fate(record.index, "accepted", record.event_id)
        assert plain == (not contents)
        assert (fate.outcome == "duplicate") <= (record.content_hash in contents)
        contents.add(record.content_hash)


@pytest.mark.parametrize("raw", [b'{"a":1}', b'  {"a": 1 }\r\n', b'{"a":"x\\ny"}', b'{"tenant":"evil"}', b'{"a":1e400}'])
def test_a_stamp_is_the_last_word(raw: bytes) -> None:
    line = stamped(raw, 'o"dd')
    assert json.loads(line)["tenant"] == 'o"dd'
    assert b"\n" not in line
