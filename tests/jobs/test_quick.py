"""The fast way and the careful way say the same of every record, however hostile."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from jobs import check, quick
from jobs.check import CHECKED, RAW, carefully, checked
from jobs.events import Event, Rules

from .test_events import ANY_JSON, GOOD, MEASURE, NOW, PAYMENT, REFUSALS, REQUEST, raw, swap

RULES = Rules(NOW, max_record_bytes=66_000, tenant="acme")
MORE = {"currency": "EUR", "message": "pay ann@example.org", "attributes": {"iban": "DE89370400440532013000", "channel": "web"}}
LITERALS = [
    rb'"a\u0000b"', b"NaN", b"-Infinity", b"1e400", b"1e100", b"-1e100", b"1.0000000000000002e100", b"0", b"-0.0", b"1e-320",
    b"999", b"1000", b"99999999999999999999", b"2147483648", b'""', b"null", rb'"\ud800"', b'"\xc3\xa9"', b'"\xff"',
    b'"' + b"x" * 200 + b'"', b'"' + "é".encode() * 150 + b'"', b'"' + b"x" * 201 + b'"', b"true", b"{}", b"[]",
    b'{"a": "b", "a": "c"}', rb'{"a": "\u0000"}', rb'{"\u0000": "a"}', b'{"a": null}', b'"2026-05-03T00:00:00Z"',
    b'"2026-05-03T00:00:00.000001Z"', b'"1969-12-31T23:59:59.999999Z"', b'"1970-01-01T00:00:00Z"', b'"2026-05-01 12:00:00z"',
    b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b'"12"', b"200.0",
]  # fmt: skip


def batch_of(raws: list[bytes | None], faults: dict[int, str] | None = None) -> pa.RecordBatch:
    told = [(faults or {}).get(i) for i in range(len(raws))]
    return pa.RecordBatch.from_pydict(
        {"raw": raws, "source": ["events/0"] * len(raws), "position": list(range(len(raws))), "fault": told}, RAW
    )


def one_by_one(batch: pa.RecordBatch, *, private: bool) -> list[dict[str, Any]]:
    """The same batch with no record taken the fast way."""
    rows = carefully(batch["raw"].to_pylist(), batch["fault"], RULES, np.arange(len(batch)), private=private)
    rows |= {"source": batch["source"], "position": batch["position"]}
    found: list[dict[str, Any]] = pa.RecordBatch.from_arrays([rows[n] for n in CHECKED.names], schema=CHECKED).to_pylist()
    return found


def agree(raws: list[bytes | None], *, private: bool = False, faults: dict[int, str] | None = None) -> list[dict[str, Any]]:
    batch = batch_of(raws, faults)
    found = checked(batch, RULES, private=private)
    found.validate(full=True)
    rows: list[dict[str, Any]] = found.to_pylist()
    assert repr(rows) == repr(one_by_one(batch, private=private))  # by their text: -0.0 and 0.0 differ, as bytes would
    return rows


HOSTILE = [record for record, _, _ in REFUSALS] + [
    swap(base, field, literal)
    for base in (PAYMENT | MORE, REQUEST, MEASURE)
    for field in Event.__struct_fields__
    for literal in LITERALS
    if field in base
]
DOUBLED = [
    b'{"event_id":"a","event_time":"x","event_time":"2026-05-01T00:00:00Z","kind":"login"}',
    rb'{"event_id":"a","event\u005ftime":"x","event_time":"2026-05-01T00:00:00Z","kind":"login"}',
    b'{"event_id":"a","event_time":"2026-05-01T00:00:00Z","kind":"login","kind":"transaction"}',
    b'  {"event_id":"a","event_time":"2026-05-01T00:00:00Z","kind":"login"}\n',
]


@pytest.mark.parametrize("private", [False, True])
def test_hostile_records_among_good_ones_come_out_as_alone(private: bool) -> None:
    good = [raw(PAYMENT), raw(REQUEST | MORE), raw(MEASURE), raw(PAYMENT | MORE, tenant="other"), raw(PAYMENT, kind="login")]
    mixed: list[bytes | None] = [None, b"", *good]
    extras = (rb'"\ud800"', b"NaN", b"1e400", rb'"\u0000"', b'"\xff"', b"[" * 5000, b'{"a": [1, null]}')
    for hostile in (*HOSTILE, *DOUBLED, *(swap(PAYMENT | {"geo": 1}, "geo", literal) for literal in extras)):
        mixed += [hostile, raw(PAYMENT)]
    rows = agree(mixed, private=private, faults={3: "the line is not valid UTF-8"})
    refused = sum(row["reason"] is not None for row in rows)
    assert len(HOSTILE) * 0.2 < refused < len(rows) * 0.8


ODD = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.tuples(st.sampled_from([PAYMENT, REQUEST, MEASURE]), st.dictionaries(
        st.sampled_from([*Event.__struct_fields__, "extra"]),
        ANY_JSON | st.sampled_from(["", "a\0", "x" * 201, -1, 1e101, 5000, {"a": "\0"}]),
        max_size=4)).map(lambda made: json.dumps(made[0] | made[1]).encode()),
    GOOD.map(lambda event: raw({name: getattr(event, name) for name in Event.__struct_fields__ if name != "event_time"},
                               event_time=event.event_time.isoformat())),
)  # fmt: skip


@run_settings(max_examples=60)
@given(st.lists(ODD, max_size=12), st.booleans())
def test_the_fast_way_is_the_careful_way(raws: list[bytes | None], private: bool) -> None:
    agree(raws, private=private)


def test_ordinary_records_are_vouched_for() -> None:
    raws: list[bytes | None] = [
        raw(PAYMENT | MORE),
        raw(REQUEST),
        raw(MEASURE, message="line\n\u00fc"),
        raw(PAYMENT, kind="login"),
        raw(PAYMENT, geo={"lat": 1}),
    ]
    doubtful = np.zeros(len(raws), bool)
    rows = check.vouched(raws, batch_of(raws)["raw"], RULES, doubtful, private=False)
    assert not doubtful.any()
    assert rows["raw"].to_pylist() == [None, None, None, *raws[3:]]


@pytest.mark.parametrize("status", [-1, 0, 999, 1000, 2**31, 10**30])
def test_a_status_is_judged_alone_as_among_others(status: int) -> None:
    [row] = agree([raw(REQUEST, status=status)])
    assert (row["reason"] is None) == (0 <= status <= 999)


def test_an_empty_batch_has_no_rows() -> None:
    assert agree([]) == []


def test_maps_keep_their_entries_order_and_nulls() -> None:
    held: list[dict[str, str] | None] = [None, {"a": "1", "b": "2"}, {}, {"c": "3"}, None]
    found = quick.maps(held)
    found.validate(full=True)
    assert found.to_pylist() == [None, [("a", "1"), ("b", "2")], None, [("c", "3")], None]


def test_the_collector_is_as_it_was() -> None:
    import gc

    with check.no_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_time_is_judged_to_the_microsecond() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    rules = Rules(now, max_future_s=0.5)
    ahead = [raw(PAYMENT, event_time=f"2026-05-01T00:00:00.{us:06d}Z") for us in (499_999, 500_000, 500_001)]
    found = checked(batch_of([*ahead]), rules)
    assert [reason is None for reason in found["reason"].to_pylist()] == [True, True, False]
