"""Tables as files: nothing lost, nothing that a spreadsheet would run, settings without secrets."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard import effective, export
from store.settings import Settings

AT = datetime(2026, 3, 4, 14, 2, tzinfo=timezone(timedelta(hours=2)))
ROWS: list[dict[str, Any]] = [
    {"entity": "account:A1", "severity": 0.9, "at": AT, "tags": ["a", "b"], "mixed": 1, "none": None},
    {"entity": "=cmd|' /C calc'!A0", "severity": None, "at": None, "tags": [], "mixed": "x", "none": None, "late": True},
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))
)


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_says_times_in_utc_objects_as_json_and_runs_no_formula() -> None:
    first, second = read_csv(export.as_csv(ROWS))
    assert first["at"] == "2026-03-04T12:02:00+00:00"
    assert json.loads(first["tags"]) == ["a", "b"]
    assert second["entity"].startswith("'=cmd")
    assert (second["severity"], second["late"], first["late"]) == ("", "True", "")


def test_parquet_keeps_types_and_unknowns() -> None:
    table = pq.read_table(io.BytesIO(export.as_parquet(ROWS)))
    assert table.column_names == ["entity", "severity", "at", "tags", "mixed", "none", "late"]
    assert table["severity"].to_pylist() == [0.9, None]
    assert table["at"].to_pylist() == [datetime(2026, 3, 4, 12, 2, tzinfo=UTC), None]
    assert table["entity"].to_pylist()[1].startswith("=cmd"), "a program gets the value itself"


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS), min_size=1, max_size=5))
def test_any_rows_become_files_of_as_many_rows(rows: list[dict[str, Any]]) -> None:
    if not export.columns(rows):
        return
    assert pq.read_table(io.BytesIO(export.as_parquet(rows))).num_rows == len(rows)
    written = read_csv(export.as_csv([{"n": place, **row} for place, row in enumerate(rows)]))
    assert [row["n"] for row in written] == [str(place) for place in range(len(rows))]
    assert not [row for row in written for value in row.values() if value.startswith(("=", "@", "+"))]


def test_settings_are_shown_without_secrets() -> None:
    given = Settings(
        database_url=SecretStr("postgresql://me:hunter2@db/conclave"),
        source={"kafka_options": {"sasl.password": "hunter2", "acks": "all"}},  # type: ignore[arg-type]
        model={"base_url": "http://me:hunter2@127.0.0.1:11434"},  # type: ignore[arg-type]
    )
    rows = {row["name"]: row for row in effective.rows(given)}
    assert "hunter2" not in str(rows)
    assert rows["database_url"]["value"] == effective.HIDDEN
    assert "acks = all" in rows["source.kafka_options"]["value"]
    assert rows["source.kafka_options"]["changed"]
    assert not rows["detect.window"]["changed"]
    assert rows["detect.window"]["value"] == "100"
