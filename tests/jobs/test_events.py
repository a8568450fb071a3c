"""What is an event and what is not, in the words that a person reads; no bytes whatever make validation raise."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from jobs.events import LARGEST, LONGEST_ID, NEEDS, Accepted, Event, Refused, Rules, as_json, micros, validate, validate_all

NOW = datetime(2026, 5, 2, tzinfo=UTC)
RULES = Rules(NOW)
PAYMENT = {"event_id": "e1", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A1", "amount": 12.5}
REQUEST = {"event_id": "e2", "event_time": "2026-05-01T12:00:00+02:00", "kind": "request", "service": "cart", "status": 200}
MEASURE = {
    "event_id": "e3",
    "event_time": "2026-05-01T12:00:00Z",
    "kind": "measurement",
    "service": "db",
    "metric": "m",
    "value": 0.0,
}
NO_ZONE = "event_time has no time zone; write it like 2026-05-01T12:00:00Z"


def raw(base: dict[str, Any], **changes: Any) -> bytes:
    """The record with some fields changed, or left out when the change is None."""
    return json.dumps({k: v for k, v in (base | changes).items() if v is not None}).encode()


def swap(base: dict[str, Any], field: str, literal: bytes) -> bytes:
    """The record with raw JSON in place of a field's value."""
    return raw(base, **{field: "@@"}).replace(b'"@@"', literal)


@pytest.mark.parametrize("base", [PAYMENT, REQUEST, MEASURE])
def test_a_good_record_is_taken_without_its_raw_bytes(base):
    found = validate(raw(base), RULES)
    assert isinstance(found, Accepted)
    assert found.raw is None
    assert {k: getattr(found.event, k) for k in base if k != "event_time"} == {k: v for k, v in base.items() if k != "event_time"}


def test_an_event_of_another_kind_and_one_with_more_fields_keep_their_raw_bytes():
    for record in (raw(PAYMENT, kind="login", amount=None), raw(PAYMENT, geo={"lat": 1})):
        found = validate(record, RULES)
        assert isinstance(found, Accepted)
        assert found.raw == record


REFUSALS: list[tuple[bytes, str, str]] = [
    (b"", "the record is not valid JSON", ""),
    (b"{", "the record is not valid JSON", ""),
    (b'{"event_id": "a NaN', "the record is not valid JSON", ""),
    (b"not json", "the record is not valid JSON (byte 4)", ""),
    (b"[1, 2]", "the record is not a JSON object", ""),
    (b"null", "the record is not a JSON object", ""),
    (b"[" * 60_000, "the record is nested too deeply", ""),
    (raw(PAYMENT, geo=1).replace(b": 1}", b": " + b"[" * 30_000 + b"]" * 30_000 + b"}"), "the record is nested too deeply", ""),
    (b'{"event_id": "\xff"}', "the record is not valid UTF-8 (byte 15)", ""),
    (raw(PAYMENT, event_id="\ud800"), "a text holds half of a surrogate pair or a broken escape", ""),
    (raw(PAYMENT, message="\udfff"), "a text holds half of a surrogate pair or a broken escape", ""),
    (swap(PAYMENT, "amount", b"NaN"), "NaN and Infinity are not numbers in JSON", ""),
    (swap(PAYMENT, "amount", b"-Infinity"), "NaN and Infinity are not numbers in JSON", ""),
    (swap(PAYMENT, "amount", b"1e400"), "a number is too large", ""),
    (raw(PAYMENT, amount=1.1e100), "amount is larger than 1e+100", "amount"),
    (raw(MEASURE, value=-1e300), "value is larger than 1e+100", "value"),
    (raw(PAYMENT, amount="12"), "amount must be a number", "amount"),
    (raw(PAYMENT, amount=True), "amount must be a number", "amount"),
    (raw(REQUEST, status="200"), "status must be a whole number", "status"),
    (raw(REQUEST, status=200.5), "status must be a whole number", "status"),
    (raw(REQUEST, status=1000), "status is not between 0 and 999", "status"),
    (raw(REQUEST, status=-1), "status is not between 0 and 999", "status"),
    (raw(REQUEST, latency_ms=-0.1), "latency_ms is negative", "latency_ms"),
    (raw(REQUEST, latency_ms="fast"), "latency_ms must be a number of milliseconds", "latency_ms"),
    (raw(PAYMENT, account_id=7), "account_id must be a text", "account_id"),
    (raw(PAYMENT, attributes={"a": 1}), "attributes must be an object of texts", "attributes"),
    (raw(PAYMENT, attributes=[1]), "attributes must be an object of texts", "attributes"),
    (raw(PAYMENT, event_time="2026-05-01T12:00:00"), NO_ZONE, "event_time"),
    (raw(PAYMENT, event_time="2026-05-01 12:00"), NO_ZONE, "event_time"),
    (raw(PAYMENT, event_time="yesterday"), "event_time must be a time with a zone, such as 2026-05-01T12:00:00Z", "event_time"),
    (raw(PAYMENT, event_time=1777636800), "event_time must be a time with a zone, such as 2026-05-01T12:00:00Z", "event_time"),
    (raw(PAYMENT, event_time="2026-05-04T00:00:00Z"), "event_time lies 48 hours in the future", "event_time"),
    (raw(PAYMENT, event_time="1969-12-31T23:59:59Z"), "event_time is before 1970", "event_time"),
    (raw(PAYMENT, event_time="0001-01-01T00:00:00+23:59"), "event_time is before 1970", "event_time"),
    (raw(PAYMENT, event_id=""), "event_id is empty", "event_id"),
    (raw(PAYMENT, event_id=None), "event_id is missing", "event_id"),
    (raw(PAYMENT, event_time=None), "event_time is missing", "event_time"),
    (raw(PAYMENT, kind=None), "kind is missing", "kind"),
    (raw(PAYMENT, event_id="x" * (LONGEST_ID + 1)), f"event_id is longer than {LONGEST_ID} characters", "event_id"),
    (raw(PAYMENT, account_id="a\0b"), "account_id holds a zero byte", "account_id"),
    (raw(PAYMENT, message="a\0b"), "message holds a zero byte", "message"),
    (raw(PAYMENT, attributes={"a\0": "b"}), "attributes hold a zero byte", "attributes"),
    (raw(PAYMENT, attributes={"a": "\0"}), "attributes hold a zero byte", "attributes"),
    (raw(PAYMENT, tenant="t\0"), "tenant holds a zero byte", "tenant"),
    (raw(PAYMENT, account_id=""), "a transaction needs account_id", "account_id"),
    *[(raw(base, **{need: None}), f"a {base['kind']} needs {need}", need)
      for base in (PAYMENT, REQUEST, MEASURE) for need in NEEDS[str(base["kind"])]],
    (raw(PAYMENT, message="x" * 65_536), "the record has 65,6", ""),
]  # fmt: skip


@pytest.mark.parametrize(("record", "reason", "field"), REFUSALS)
def test_a_bad_record_is_refused_in_words(record, reason, field):
    found = validate(record, RULES)
    assert isinstance(found, Refused)
    assert found.reason.startswith(reason)
    assert found.field == field


@pytest.mark.parametrize(
    "good",
    [
        raw(PAYMENT, amount=0.0), raw(PAYMENT, amount=-5), raw(PAYMENT, amount=LARGEST), raw(REQUEST, latency_ms=0),
        raw(REQUEST, status=0), raw(REQUEST, status=999), raw(PAYMENT, event_id="x" * LONGEST_ID),
        raw(PAYMENT, event_time="2026-05-02T01:00:00Z"), raw(PAYMENT, event_time="1970-01-01T00:00:00Z"),
        raw(PAYMENT, message="NaN: Infinity"), raw(PAYMENT, attributes={}),
    ],
)  # fmt: skip
def test_the_edges_are_still_events(good):
    assert isinstance(validate(good, RULES), Accepted)


def test_size_and_future_are_settings():
    record = raw(PAYMENT)
    assert isinstance(validate(record, Rules(NOW, max_record_bytes=len(record))), Accepted)
    assert isinstance(validate(record, Rules(NOW, max_record_bytes=len(record) - 1)), Refused)
    soon = raw(PAYMENT, event_time="2026-05-02T00:00:11Z")
    assert isinstance(validate(soon, Rules(NOW, max_future_s=11)), Accepted)
    assert isinstance(validate(soon, Rules(NOW, max_future_s=10)), Refused)


def test_a_tombstone_is_refused_among_others_in_order():
    found = validate_all([raw(PAYMENT), None, b"", raw(REQUEST)], RULES)
    assert [type(one) for one in found] == [Accepted, Refused, Refused, Accepted]
    assert found[1] == Refused("the record is empty")


@run_settings(max_examples=300)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_arbitrary_bytes_never_raise(data):
    found = validate(data, RULES)
    assert isinstance(found, Refused)
    assert found.reason.isprintable()


FIELDS = [*Event.__struct_fields__, "extra"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@run_settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from([*Event.__struct_fields__, "extra"]), ANY_JSON, max_size=6),
    st.sampled_from([PAYMENT, REQUEST]),
)
def test_any_value_in_any_field_is_an_event_or_a_reason(fields, base):
    found = validate(json.dumps(base | fields).encode(), RULES)
    if isinstance(found, Refused):
        assert found.reason
        assert found.reason.isprintable()
    else:
        assert "\0" not in found.event.event_id


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
NUMBER = st.floats(-1e100, 1e100)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2026, 5, 2), timezones=st.just(UTC))
GOOD = st.one_of(
    st.builds(Event, event_id=TEXT, event_time=TIMES, kind=st.just("transaction"), account_id=TEXT, amount=NUMBER,
              currency=TEXT | st.none(), counterparty_id=TEXT | st.none(), message=TEXT | st.none(),
              attributes=st.dictionaries(TEXT, TEXT, max_size=2) | st.none()),
    st.builds(Event, event_id=TEXT, event_time=TIMES, kind=st.just("request"), service=TEXT, status=st.integers(0, 999),
              latency_ms=st.floats(0, 1e100) | st.none(), tenant=TEXT | st.none()),
    st.builds(Event, event_id=TEXT, event_time=TIMES, kind=st.just("measurement"), service=TEXT, metric=TEXT, value=NUMBER),
)  # fmt: skip


@run_settings(max_examples=150)
@given(GOOD)
def test_a_valid_event_survives_being_written_and_read(event):
    line = as_json(event)
    assert b"\n" not in line
    found = validate(line, RULES)
    assert found == Accepted(event)
    assert msgspec.json.decode(line).keys() == {n for n in event.__struct_fields__ if getattr(event, n) is not None}


@given(st.integers(0, 4 * 10**15))
def test_microseconds_are_exact(us):
    assert micros(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)) == us
