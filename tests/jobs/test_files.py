"""Files as records: whatever is broken, what could be read is kept and the rest is told."""

import gzip
import io
import json
import zlib
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from jobs.events import Accepted, Refused, Rules, validate
from jobs.files import Record, gunzip, records

LINES = [json.dumps({"event_id": f"e{i}", "n": "x" * (i * 7 % 40)}).encode() for i in range(30)]
PLAIN = b"\n".join(LINES) + b"\n"
EARLY, DAMAGED = "the gzip file ends too early", "the gzip file is damaged here"


def read(name: str, content: bytes, columns: dict[str, str] | None = None) -> tuple[list[tuple[int, bytes]], list[Record]]:
    """What was read, and the faults."""
    found = list(records(name, content, columns))
    return [(one.line, one.raw) for one in found if one.fault is None], [one for one in found if one.fault is not None]


def numbered(lines: list[bytes]) -> list[tuple[int, bytes]]:
    return list(enumerate(lines, 1))


def test_lines_are_numbered_and_blank_ones_passed_over():
    assert read("a.jsonl", b'\n{"a":1}\r\n\n  {"b":2}  \n{"c":3}')[0] == [(2, b'{"a":1}'), (4, b'{"b":2}'), (5, b'{"c":3}')]


def test_a_byte_order_mark_is_not_part_of_the_first_record():
    assert read("a.jsonl", b'\xef\xbb\xbf{"a":1}\n')[0] == [(1, b'{"a":1}')]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.jsonl.gz", "whatever"])
def test_an_empty_file_is_told(name):
    assert read(name, b"") == ([], [Record(0, b"", "the file is empty")])


def test_gzip_is_known_by_its_bytes_and_the_format_by_the_name_inside():
    packed = gzip.compress(PLAIN)
    assert read("a.jsonl.gz", packed) == read("a.jsonl", packed) == (numbered(LINES), [])
    assert read("A.CSV.GZ", gzip.compress(b"event_id\ne1\n"))[0] == [(2, b'{"event_id": "e1"}')]


def test_a_gzip_of_many_members_and_padding_is_read_whole():
    packed = b"".join(gzip.compress(line + b"\n") for line in LINES) + bytes(512)
    assert read("a.jsonl.gz", packed) == (numbered(LINES), [])


def test_every_truncation_keeps_the_whole_lines_before_it_and_tells_of_the_rest():
    packer = zlib.compressobj(wbits=31)
    packed, ends = b"", []
    for line in LINES:  # flushed, so that it is known which bytes carry which line
        packed += packer.compress(line + b"\n") + packer.flush(zlib.Z_FULL_FLUSH)
        ends.append(len(packed))
    packed += packer.flush()
    for cut in range(2, len(packed)):
        good, faults = read("a.jsonl.gz", packed[:cut])
        whole = sum(end <= cut for end in ends)
        assert len(good) >= whole, cut
        assert good == numbered(LINES[: len(good)]), cut
        [fault] = faults
        assert fault.fault is not None
        assert fault.fault.startswith(EARLY), cut
        assert fault.line == len(good) + 1
        assert (LINES[len(good)] if len(good) < len(LINES) else b"").startswith(fault.raw)


def test_truncation_between_members_is_no_fault_but_within_one_is():
    members = [gzip.compress(line + b"\n") for line in LINES[:3]]
    assert read("a.gz", members[0] + members[1]) == (numbered(LINES[:2]), [])
    good, [fault] = read("a.gz", members[0] + members[1][:-1])
    assert good == numbered(LINES[:2])  # the line itself was whole, only its checksum is not
    assert fault.fault is not None
    assert fault.fault.startswith(EARLY)


def test_a_wrong_checksum_keeps_what_was_unpacked_and_is_told():
    packed = bytearray(gzip.compress(PLAIN))
    packed[-6] ^= 0xFF
    good, [fault] = read("a.jsonl.gz", bytes(packed))
    assert good == numbered(LINES)
    assert fault.fault is not None
    assert fault.fault.startswith(DAMAGED)


def test_damage_in_a_later_part_keeps_the_earlier_parts():
    noise = b"\n".join(b"%d %d" % (i, i * 2654435761 % 2**32) for i in range(60_000)) + b"\n"
    packed = bytearray(gzip.compress(noise, 1))
    at = len(packed) * 3 // 4
    packed[at : at + 40] = bytes(40)
    good, faults = read("a.log.gz", bytes(packed))
    assert len(good) > 30_000
    assert [raw for _, raw in good[:30_000]] == noise.split(b"\n")[:30_000]
    assert len(faults) == 1


@run_settings(max_examples=60)
@given(st.binary(max_size=60), st.integers(0, 400), st.booleans())
def test_no_bytes_make_reading_raise(noise, at, replace):
    packed = gzip.compress(PLAIN)
    mixed = packed[:at] + noise + packed[at + (len(noise) if replace else 0) :]
    for name in ("a.jsonl.gz", "a.csv", "a.parquet"):
        for content in (mixed, noise, b"\x1f\x8b" + noise):
            assert all(isinstance(one, Record) for one in records(name, content))


def test_unpacking_says_nothing_of_a_good_file():
    assert gunzip(gzip.compress(PLAIN)) == (PLAIN, None)


CSV = b"id,when,kind,account,amount,status,attributes.city,note\n"
MAPPING = {"id": "event_id", "when": "event_time", "account": "account_id", "note": "message"}


def test_csv_columns_are_mapped_numbers_read_and_empty_cells_left_out():
    [(line, raw)], faults = read("a.csv", CSV + b"e1,2026-05-01T12:00:00Z,transaction,A1,12.50,,Bern,hello\n", MAPPING)
    assert faults == []
    assert line == 2
    assert json.loads(raw) == {
        "event_id": "e1", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A1", "amount": 12.5,
        "attributes": {"city": "Bern"}, "message": "hello",
    }  # fmt: skip
    assert isinstance(validate(raw, Rules(datetime(2026, 5, 2, tzinfo=UTC))), Accepted)


def test_csv_quotes_commas_and_line_ends_within_quotes():
    good, faults = read("a.csv", b'event_id,message\r\n"e,1","say ""hi""\r\nthere"\r\ne2,plain\r\n')
    assert faults == []
    assert [(line, json.loads(raw)) for line, raw in good] == [
        (3, {"event_id": "e,1", "message": 'say "hi"\r\nthere'}),
        (4, {"event_id": "e2", "message": "plain"}),
    ]


def test_csv_starts_with_a_byte_order_mark_or_a_blank_line():
    assert read("a.csv", b"\xef\xbb\xbf\n event_id , n\ne1,2\n")[0] == [(3, b'{"event_id": "e1", "n": "2"}')]


def test_a_csv_line_of_another_width_is_told_as_it_stood():
    good, faults = read("a.csv", b'a,b\n1,2\n1,"2\nx",3\n\n4\n5,6\n')
    assert [line for line, _ in good] == [2, 7]
    assert faults == [
        Record(4, b'1,"2\nx",3', "the line has 3 values, the header 2"),
        Record(6, b"4", "the line has 1 values, the header 2"),
    ]


def test_a_csv_quote_that_never_closes_loses_nothing_before_and_tells_the_rest():
    good, [fault] = read("a.csv", b'a,b\n1,2\n3,"4\n5,6\n')
    assert [json.loads(raw) for _, raw in good] == [{"a": "1", "b": "2"}]
    assert (fault.line, fault.raw) == (3, b'3,"4\n5,6\n')
    assert fault.fault is not None
    assert fault.fault.startswith("the CSV file cannot be read from here")


def test_a_csv_line_that_is_not_utf8_is_told_and_the_others_read():
    good, faults = read("a.csv", b"a,b\n1,2\n3,\xff\n5,6\n")
    assert [line for line, _ in good] == [2, 4]
    assert faults == [Record(3, b"3,\xff", "the line is not valid UTF-8")]


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_000", "12,5", "abc", "1e999"])
def test_a_csv_cell_that_is_no_number_reaches_validation_as_it_is(text):
    [(_, raw)], _ = read(
        "a.csv", f'event_id,event_time,kind,account_id,amount\ne1,2026-05-01T12:00:00Z,transaction,A,"{text}"\n'.encode()
    )
    assert json.loads(raw)["amount"] == text
    assert validate(raw, Rules(datetime(2026, 5, 2, tzinfo=UTC))) == Refused("amount must be a number", "amount")


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_parquet_with_zoned_times_is_read_and_naive_ones_are_refused_by_validation():
    rules, when = Rules(datetime(2026, 5, 2, tzinfo=UTC)), datetime(2026, 5, 1, 12)
    for zone, accepted in (("UTC", True), ("Europe/Zurich", True), (None, False)):
        content = parquet(
            event_id=["e1"],
            event_time=pa.array([when], pa.timestamp("us", zone)),
            kind=["transaction"],
            account_id=["A"],
            amount=[1.5],
        )
        [(_, raw)], _ = read("a.parquet", content)
        found = validate(raw, rules)
        assert isinstance(found, Accepted) == accepted
        if isinstance(found, Refused):
            assert found == Refused("event_time has no time zone; write it like 2026-05-01T12:00:00Z", "event_time")
        else:
            assert found.event.event_time == when.replace(tzinfo=UTC)


def test_parquet_s_decimals_maps_bytes_and_nulls_become_an_event():
    content = parquet(
        event_id=pa.array([b"e1", b"e2"], pa.binary()),
        amount=pa.array([Decimal("12.50"), None], pa.decimal128(9, 2)),
        attributes=pa.array([[("city", "Bern")], None], pa.map_(pa.string(), pa.string())),
        event_time=pa.array([1_777_636_800_000_000_001] * 2, pa.timestamp("ns", "UTC")),
    )
    good, faults = read("a.parquet", content)
    assert faults == []
    first, second = (json.loads(raw) for _, raw in good)
    assert (first["event_id"], first["amount"], first["attributes"]) == ("e1", 12.5, {"city": "Bern"})
    assert second.keys() == {"event_id", "event_time"}


def test_a_parquet_cell_that_cannot_be_read_is_told_and_the_other_rows_kept():
    broken = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")]
    )
    good, faults = read("a.parquet", parquet(event_id=["x", "y", "z"], message=broken))
    assert [json.loads(raw) for _, raw in good] == [{"event_id": "x", "message": "a"}, {"event_id": "z", "message": "c"}]
    assert faults == [Record(2, b'{"event_id": "y"}', "message cannot be read")]


def test_a_parquet_time_beyond_the_calendar_is_told():
    content = parquet(event_id=["x", "y"], event_time=pa.array([0, 2**62], pa.timestamp("us", "UTC")))
    good, [fault] = read("a.parquet", content)
    assert [line for line, _ in good] == [1]
    assert (fault.line, fault.fault) == (2, "event_time cannot be read")


def test_a_file_that_is_not_parquet_is_told_in_printable_words():
    for content in (b"PAR1", b"PAR1\0\1\2PAR1", b"hello", parquet(a=[1, 2, 3])[:-20]):
        good, [fault] = read("a.parquet", content)
        assert good == []
        assert fault.fault is not None
        assert fault.fault.startswith("the file is not readable Parquet")
        assert fault.fault.isprintable()


@run_settings(max_examples=40)
@given(st.integers(0, 2000), st.integers(1, 255))
def test_a_flipped_byte_in_a_parquet_file_never_raises(at, flip):
    content = bytearray(parquet(event_id=[f"e{i}" for i in range(50)], amount=[float(i) for i in range(50)]))
    content[at % len(content)] ^= flip
    assert len(list(records("a.parquet", bytes(content)))) >= 1
