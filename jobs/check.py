"""Arrow in, Arrow out: raw records become checked rows. What each Python worker of the ingest job runs.

Ordinary records go the fast way of jobs/quick.py; each one that it does not vouch for goes through jobs/events.py by itself.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs import files, quick
from jobs.events import Accepted, Event, Refused, Rules, validate_all
from trust.pii import find, mask

CHECKED = pa.schema(
    [
        *quick.TYPES.items(),
        ("raw", pa.binary()),
        ("source", pa.string()),
        ("position", pa.int64()),
        ("reason", pa.string()),
        ("field", pa.string()),
    ]
)
RAW = pa.schema([("raw", pa.binary()), ("source", pa.string()), ("position", pa.int64()), ("fault", pa.string())])
RECORDS_PER_BATCH = 50_000
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


def split(batches: Batches, columns: dict[str, str]) -> Batches:
    """Files as batches of records."""
    for batch in batches:
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            name = PurePosixPath(path.as_py()).name
            for raws, lines, faults in files.batches(name, content.as_py(), columns, RECORDS_PER_BATCH):
                found = [raws, [name] * len(raws), lines, faults]
                yield pa.RecordBatch.from_arrays(
                    [pa.array(column, field.type) for column, field in zip(found, RAW, strict=True)], schema=RAW
                )


def file_name(path: str) -> str:
    """The last part of a URI, as a person wrote it. (Spark gives a file's path unescaped, and its log gives URIs.)"""
    return unquote(PurePosixPath(path).name)


def checked(batch: pa.RecordBatch, rules: Rules, *, private: bool = False) -> pa.RecordBatch:
    """Every record of a RAW batch as one row of CHECKED: an event, or a reason with the raw bytes."""
    with no_collection():
        raws, faults = batch.column("raw").to_pylist(), batch.column("fault")
        doubtful = quick.oversized(batch.column("raw"), rules.max_record_bytes) | ~faults.is_null().to_numpy(zero_copy_only=False)
        rows = vouched(raws, batch.column("raw"), rules, doubtful, private=private)
        if doubtful.any():
            rows = spliced(rows, doubtful, carefully(raws, faults, rules, np.flatnonzero(doubtful), private=private))
    places = {"source": batch.column("source"), "position": batch.column("position")}
    return pa.RecordBatch.from_arrays([(rows | places)[name] for name in CHECKED.names], schema=CHECKED)


@contextmanager
def no_collection() -> Iterator[None]:
    """Python's collector finds nothing among a batch's many records, and looks again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def vouched(raws: Sequence[bytes | None], kept: pa.Array, rules: Rules, doubtful: Any, *, private: bool) -> quick.Columns:
    """The rows by the fast way; marks in `doubtful` those that it does not vouch for."""
    events, more = quick.decoded(raws)
    rows = quick.columns(events, doubtful)
    quick.doubts(rows, rules, doubtful)
    if private:
        rows |= hidden(events, rows)
    rows["tenant"] = tenants(rows["tenant"], rules.tenant)
    whole = (more | ~quick.watched(rows)) & ~doubtful
    null = pa.nulls(len(raws), pa.string())
    rows["raw"] = (
        pc.if_else(pa.array(whole), kept, pa.scalar(None, pa.binary())) if whole.any() else pa.nulls(len(raws), pa.binary())
    )
    return rows | {"reason": null, "field": null}


def hidden(events: Sequence[Event], rows: quick.Columns) -> quick.Columns:
    """Messages and attributes anew, where there are any with something personal."""
    changed = {}
    if rows["message"].null_count < len(events):
        changed["message"] = pa.array(masked(events), pa.string())
    if rows["attributes"].null_count < len(events) and any(map(is_personal, pc.unique(rows["attributes"].items).to_pylist())):
        changed["attributes"] = quick.maps(marked(events))
    return changed


def tenants(named: pa.Array, tenant: str) -> pa.Array:
    """Each row's own tenant, else the setting's."""
    if named.null_count == len(named):
        return pa.repeat(pa.scalar(tenant), len(named))
    return pa.array([one or tenant for one in named.to_pylist()], pa.string())


def carefully(raws: Sequence[bytes | None], faults: pa.Array, rules: Rules, chosen: Any, *, private: bool) -> quick.Columns:
    """The chosen records one by one, by the words of jobs/events.py."""
    outcomes = validate_all([raws[i] for i in chosen], rules)
    for place, i in enumerate(chosen):
        if (fault := faults[int(i)].as_py()) is not None:
            outcomes[place] = Refused(fault)
    refused = [outcome if isinstance(outcome, Refused) else None for outcome in outcomes]
    return event_columns(outcomes, rules.tenant, private=private) | {
        "raw": pa.array([kept(outcome, raws[i]) for outcome, i in zip(outcomes, chosen, strict=True)], pa.binary()),
        "reason": pa.array([None if r is None else r.reason for r in refused], pa.string()),
        "field": pa.array([None if r is None else r.field for r in refused], pa.string()),
    }


def spliced(rows: quick.Columns, doubtful: Any, careful: quick.Columns) -> quick.Columns:
    """The rows with those in doubt taken from the careful ones."""
    order = np.arange(len(doubtful))
    order[doubtful] = len(doubtful) + np.arange(np.count_nonzero(doubtful))
    return {name: pa.concat_arrays([column, careful[name]]).take(pa.array(order)) for name, column in rows.items()}


def kept(outcome: Accepted | Refused, raw: bytes | None) -> bytes | None:
    return outcome.raw if isinstance(outcome, Accepted) else raw or b""


def event_columns(outcomes: list[Accepted | Refused], tenant: str, *, private: bool = False) -> quick.Columns:
    """One array per event field; nulls for refused records."""
    events: list[Any] = [outcome.event if isinstance(outcome, Accepted) else EMPTY for outcome in outcomes]
    values = {name: [getattr(event, name) for event in events] for name in quick.TYPES}
    if private:
        values |= {"message": masked(events), "attributes": marked(events)}
    values["tenant"] = [value or tenant for value in values["tenant"]]
    arrays = {name: pa.array(values[name], kind) for name, kind in quick.TYPES.items() if name != "attributes"}
    return arrays | {"attributes": quick.maps(values["attributes"])}


def owned(event: Event) -> bool:
    """Whether there is somebody whose key seals the event's free text."""
    return event.account_id is not None or event.counterparty_id is not None


def masked(events: Sequence[Any]) -> list[str | None]:
    """Each event's message, with personal data masked where nobody owns it."""
    return [mask(event.message) if event.message and not owned(event) else event.message for event in events]


def marked(events: Sequence[Any]) -> list[dict[str, str] | None]:
    """Each event's attributes, with what is personal marked, or masked where nobody owns it. Most values come again and again."""
    personal = {value for value in quick.attribute_values(events) if is_personal(value)}
    if not personal:
        return [event.attributes for event in events]
    return [event.attributes and _marked(event, personal) for event in events]


def _marked(event: Event, personal: set[str]) -> dict[str, str] | None:
    held = event.attributes or {}
    if not any(value in personal for value in held.values()):
        return held
    if owned(event):
        return {name: PERSONAL + value if value in personal else value for name, value in held.items()}
    return {name: mask(value) for name, value in held.items()}


@lru_cache(65_536)
def is_personal(value: str) -> bool:
    """Whether an attribute's value must not lie in the clear."""
    return value.startswith(PERSONAL) or bool(find(value))


class _Empty:
    """Stands for a refused record: every field is null."""

    def __getattr__(self, name: str) -> None:
        return None


EMPTY: Any = _Empty()
