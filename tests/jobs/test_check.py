"""Records and files as Arrow: one row each, an event or a reason with the raw bytes."""

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from jobs.check import CHECKED, RAW, checker, file_name
from jobs.events import Rules

RULES = Rules(datetime(2026, 5, 2, tzinfo=UTC), max_record_bytes=500, tenant="acme")
GOOD = {
    "event_id": "e1", "event_time": "2026-05-01T14:00:00.000001+02:00", "kind": "transaction", "account_id": "A1", "amount": 12,
    "currency": "EUR", "counterparty_id": "T1", "attributes": {"city": "Bern"}, "message": "grüezi",
}  # fmt: skip


def of_records(*raws: bytes | None) -> list[dict[str, object]]:
    batch = pa.RecordBatch.from_pydict(
        {"raw": list(raws), "source": ["events/0"] * len(raws), "position": list(range(len(raws))), "fault": [None] * len(raws)},
        RAW,
    )
    [found] = checker(RULES)(iter([batch]))
    assert found.schema == CHECKED
    return found.to_pylist()


def of_files(**files: bytes) -> list[dict[str, object]]:
    batch = pa.RecordBatch.from_pydict(
        {"path": [f"file:/landing/{name.replace('_', '.')}" for name in files], "content": list(files.values())}
    )
    return [row for found in checker(RULES, {})(iter([batch])) for row in found.to_pylist()]


def test_an_event_fills_its_fields_exactly():
    [row] = of_records(json.dumps(GOOD).encode())
    assert row == dict.fromkeys(CHECKED.names) | GOOD | {
        "event_time": datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=UTC), "attributes": [("city", "Bern")], "tenant": "acme",
        "source": "events/0", "position": 0,
    }  # fmt: skip


def test_a_refused_record_has_a_reason_its_bytes_and_no_event():
    raw = json.dumps(GOOD | {"amount": "much"}).encode()
    [row] = of_records(raw)
    assert {name: value for name, value in row.items() if value is not None} == {
        "tenant": "acme", "raw": raw, "source": "events/0", "position": 0, "reason": "amount must be a number", "field": "amount",
    }  # fmt: skip


def test_each_record_is_one_row_in_order_and_a_tombstone_too():
    rows = of_records(json.dumps(GOOD).encode(), None, b"{", json.dumps(GOOD | {"event_id": "e2", "more": 1}).encode())
    assert [row["event_id"] for row in rows] == ["e1", None, None, "e2"]
    assert [row["reason"] is None for row in rows] == [True, False, False, True]
    assert [row["raw"] is None for row in rows] == [True, False, False, False]
    assert rows[1]["raw"] == b""


def test_a_record_names_its_own_tenant():
    assert of_records(json.dumps(GOOD | {"tenant": "other"}).encode())[0]["tenant"] == "other"
    assert of_records(json.dumps(GOOD | {"tenant": ""}).encode())[0]["tenant"] == "acme"


def test_files_are_records_by_line_and_their_faults_are_rows():
    lines = b"\n".join(json.dumps(GOOD | {"event_id": f"e{i}"}).encode() for i in range(3)) + b"\n"
    rows = of_files(a_jsonl=lines, b_jsonl_gz=gzip.compress(lines)[:-9], c_csv=b"", d_jsonl=b"x" * 600)
    told = [(row["source"], row["position"], row["reason"]) for row in rows if row["reason"] is not None]
    assert [(row["source"], row["position"]) for row in rows][:3] == [("a.jsonl", 1), ("a.jsonl", 2), ("a.jsonl", 3)]
    assert [source for source, _, _ in told] == ["b.jsonl.gz", "c.csv", "d.jsonl"]
    assert told[1] == ("c.csv", 0, "the file is empty")
    assert told[2] == ("d.jsonl", 1, "the record has 600 bytes; at most 500 are taken")


def test_a_large_file_comes_in_several_batches_without_loss(monkeypatch):
    monkeypatch.setattr("jobs.check.RECORDS_PER_BATCH", 7)
    lines = b"".join(json.dumps(GOOD | {"event_id": f"e{i}"}).encode() + b"\n" for i in range(30))
    assert [row["event_id"] for row in of_files(a_jsonl=lines)] == [f"e{i}" for i in range(30)]


@pytest.mark.parametrize(("path", "name"), [("file:/a/b%20c.jsonl", "b c.jsonl"), ("/x/y.csv", "y.csv"), ("hdfs://h/p/z", "z")])
def test_a_file_is_named_as_a_person_wrote_it(path, name):
    assert file_name(path) == name
