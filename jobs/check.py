"""Arrow in, Arrow out: raw records become checked rows. What each Python worker of the ingest job runs."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from jobs.events import Accepted, Event, Refused, Rules, validate_all
from jobs.files import records
from trust.pii import find, mask

EVENTS = [
    ("event_id", pa.string()), ("event_time", pa.timestamp("us", "UTC")), ("kind", pa.string()), ("account_id", pa.string()),
    ("amount", pa.float64()), ("currency", pa.string()), ("counterparty_id", pa.string()), ("service", pa.string()),
    ("status", pa.int32()), ("latency_ms", pa.float64()), ("metric", pa.string()), ("value", pa.float64()),
    ("message", pa.string()), ("attributes", pa.map_(pa.string(), pa.string())), ("tenant", pa.string()),
]  # fmt: skip
CHECKED = pa.schema(
    [
        *EVENTS,
        ("raw", pa.binary()),
        ("source", pa.string()),
        ("position", pa.int64()),
        ("reason", pa.string()),
        ("field", pa.string()),
    ]
)
RAW = pa.schema([("raw", pa.binary()), ("source", pa.string()), ("position", pa.int64()), ("fault", pa.string())])
RECORDS_PER_BATCH = 20_000
PERSONAL = "\ue000"  # stands before an attribute's value that is to be sealed
Batches = Iterator[pa.RecordBatch]


def checker(rules: Rules, columns: dict[str, str] | None = None, *, private: bool = False) -> Callable[[Batches], Batches]:
    """A function for mapInArrow. With `columns` its input is files (path, content), else records (see RAW).

    `private`: attributes that hold personal data are marked to be sealed, texts that no account or counterparty owns are masked.
    """

    def check(batches: Batches) -> Batches:
        for batch in batches if columns is None else split(batches, columns):
            yield checked(batch, rules, private=private)

    return check


def split(files: Batches, columns: dict[str, str]) -> Batches:
    """Files as batches of records."""
    for batch in files:
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            name = PurePosixPath(path.as_py()).name
            yield from packed(name, records(name, content.as_py(), columns))


def file_name(path: str) -> str:
    """The last part of a URI, as a person wrote it. (Spark gives a file's path unescaped, and its log gives URIs.)"""
    return unquote(PurePosixPath(path).name)


def packed(name: str, found: Iterable[Any]) -> Batches:
    pending = []
    for record in found:
        pending.append(record)
        if len(pending) == RECORDS_PER_BATCH:
            yield raw_batch(name, pending)
            pending = []
    if pending:
        yield raw_batch(name, pending)


def raw_batch(name: str, found: list[Any]) -> pa.RecordBatch:
    columns = [[r.raw for r in found], [name] * len(found), [r.line for r in found], [r.fault for r in found]]
    return pa.RecordBatch.from_arrays([pa.array(c, f.type) for c, f in zip(columns, RAW, strict=True)], schema=RAW)


def checked(batch: pa.RecordBatch, rules: Rules, *, private: bool = False) -> pa.RecordBatch:
    """Every record of a RAW batch as one row of CHECKED: an event, or a reason with the raw bytes."""
    raws = batch.column("raw").to_pylist()
    faults = batch.column("fault").to_pylist()
    outcomes = validate_all(raws, rules)
    for i, fault in enumerate(faults):
        if fault is not None:
            outcomes[i] = Refused(fault)
    arrays = event_columns(outcomes, rules.tenant, private=private)
    arrays.append(pa.array([kept(outcome, raw) for outcome, raw in zip(outcomes, raws, strict=True)], pa.binary()))
    arrays += [batch.column("source"), batch.column("position")]
    refused = [outcome if isinstance(outcome, Refused) else None for outcome in outcomes]
    arrays.append(pa.array([None if r is None else r.reason for r in refused], pa.string()))
    arrays.append(pa.array([None if r is None else r.field for r in refused], pa.string()))
    return pa.RecordBatch.from_arrays(arrays, schema=CHECKED)


def kept(outcome: Accepted | Refused, raw: bytes | None) -> bytes | None:
    return outcome.raw if isinstance(outcome, Accepted) else raw or b""


def event_columns(outcomes: list[Accepted | Refused], tenant: str, *, private: bool = False) -> list[pa.Array]:
    """One array per event field; nulls for refused records."""
    events: list[Any] = [outcome.event if isinstance(outcome, Accepted) else EMPTY for outcome in outcomes]
    arrays = []
    for name, kind in EVENTS:
        values: list[Any] = [getattr(event, name) for event in events]
        if name == "message" and private:
            values = [mask(value) if value and not owned(event) else value for event, value in zip(events, values, strict=True)]
        if name == "attributes" and private:
            values = marked(events)
        if name == "attributes":
            values = [None if not value else list(value.items()) for value in values]
        if name == "tenant":
            values = [value or tenant for value in values]
        arrays.append(pa.array(values, kind))
    return arrays


def owned(event: Event) -> bool:
    """Whether there is somebody whose key seals the event's free text."""
    return event.account_id is not None or event.counterparty_id is not None


def marked(events: list[Any]) -> list[dict[str, str] | None]:
    """Each event's attributes, with what is personal marked, or masked where nobody owns it. Most values come again and again."""
    personal: dict[str, bool] = {}
    out: list[dict[str, str] | None] = []
    for event in events:
        held = event.attributes
        for value in (held or {}).values():
            if value not in personal:
                personal[value] = value.startswith(PERSONAL) or bool(find(value))
        if not held or not any(personal[value] for value in held.values()):
            out.append(held)
        elif owned(event):
            out.append({name: PERSONAL + value if personal[value] else value for name, value in held.items()})
        else:
            out.append({name: mask(value) for name, value in held.items()})
    return out


class _Empty:
    """Stands for a refused record: every field is null."""

    def __getattr__(self, name: str) -> None:
        return None


EMPTY: Any = _Empty()
