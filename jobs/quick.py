"""The fast way through validation: a batch's records decoded one by one, checked as whole columns.

It only vouches for records; it refuses none. What it does not vouch for goes the careful way of jobs/events.py, which alone says
what an event is. A record that both would take gives the same event: the decoder is the same one.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.columns import Bits
from jobs.events import EPOCH, LARGEST, LONGEST_ID, NEEDS, STRICT, WATCHED, Event, Rules, micros, second_look

TYPES: dict[str, pa.DataType] = {
    "event_id": pa.string(), "event_time": pa.timestamp("us", "UTC"), "kind": pa.string(), "account_id": pa.string(),
    "amount": pa.float64(), "currency": pa.string(), "counterparty_id": pa.string(), "service": pa.string(),
    "status": pa.int32(), "latency_ms": pa.float64(), "metric": pa.string(), "value": pa.float64(),
    "message": pa.string(), "attributes": pa.map_(pa.string(), pa.string()), "tenant": pa.string(),
}  # fmt: skip
SHORT = ("event_id", "kind", "account_id", "currency", "counterparty_id", "service", "metric", "tenant")
NOTHING = Event("", EPOCH, "")  # stands for a record that does not decode
Columns = dict[str, pa.Array]


def decoded(raws: Sequence[bytes | None]) -> tuple[list[Event], Bits]:
    """Each record's event, and which of them hold more than the event does.

    NOTHING, whose empty id makes it doubtful, stands where there is none.
    """
    decode, events, more = STRICT.decode, list[Event](), np.zeros(len(raws), bool)
    for raw in raws:
        try:
            events.append(decode(raw or b""))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            loose = second_look(raw or b"")
            more[len(events)] = isinstance(loose, Event)
            events.append(loose if isinstance(loose, Event) else NOTHING)
    return events, more


def columns(events: Sequence[Event], doubtful: Bits) -> Columns:
    """One array per field of the events. A status that does not fit its type is null, and its row becomes doubtful."""
    fields = dict(zip(TYPES, zip(*map(msgspec.structs.astuple, events), strict=True), strict=True)) if events else {}
    return {name: _array(name, fields.get(name, ()), doubtful) for name in TYPES}


def _array(name: str, values: Sequence[Any], doubtful: Bits) -> pa.Array:
    if name == "attributes":
        return maps(values)
    try:
        return pa.array(values, TYPES[name])
    except (OverflowError, pa.ArrowInvalid):
        if name != "status":
            raise
        large = np.array([value is not None and not 0 <= value <= 999 for value in values])
        doubtful |= large
        return pa.array([None if bad else value for value, bad in zip(values, large, strict=True)], TYPES[name])


def maps(values: Sequence[dict[str, str] | None]) -> pa.Array:
    """Dictionaries as one map array; an empty one is null."""
    full = list(filter(None, values))
    if not full:
        return pa.nulls(len(values), TYPES["attributes"])
    lengths = np.zeros(len(values), np.int32)
    held = slice(None) if len(full) == len(values) else np.fromiter(map(bool, values), bool, len(values))
    lengths[held] = np.fromiter(map(len, full), np.int32, len(full))
    offsets = pa.array(np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]), mask=_open(lengths == 0))
    keys = pa.array(list(chain.from_iterable(full)), pa.string())
    return pa.MapArray.from_arrays(offsets, keys, pa.array(list(chain.from_iterable(map(dict.values, full))), pa.string()))


def _open(null: Bits) -> Bits:
    """Arrow reads a null offset as a null list; the last offset stands for none."""
    return np.append(null, False)


def doubts(held: Columns, rules: Rules, doubtful: Bits) -> None:
    """Mark every row that the careful way might refuse."""
    for name in SHORT:
        doubtful |= _long_or_zero(held[name], LONGEST_ID)
    doubtful |= _long_or_zero(held["message"], None)
    doubtful |= _empty(held["event_id"])
    for kind, needs in NEEDS.items():
        of_kind = _bits(pc.equal(held["kind"], kind))
        if of_kind.any():
            for name in needs:
                doubtful |= of_kind & _empty(held[name])
    for name in ("amount", "value", "latency_ms"):
        doubtful |= _beyond(held[name], -LARGEST if name != "latency_ms" else 0.0, LARGEST)
    doubtful |= _beyond(held["status"], 0, 999)
    doubtful |= _untimely(held["event_time"], rules)
    doubtful |= _zero_in_maps(held["attributes"])


def watched(held: Columns) -> Bits:
    """Which rows are of a kind that has windows; of others the raw record is kept."""
    return _bits(pc.is_in(held["kind"], value_set=pa.array(WATCHED)))


def _long_or_zero(texts: pa.Array, most: int | None) -> Bits:
    """Texts of more bytes than `most` (at least as many as characters) or with a zero byte."""
    none = np.zeros(len(texts), bool)
    if texts.null_count == len(texts):
        return none
    if most is not None and (pc.max(pc.binary_length(texts)).as_py() or 0) > most:
        none |= _bits(pc.greater(pc.binary_length(texts), most))
    if _holds_zero(texts):
        none |= _bits(pc.match_substring(texts, "\0"))
    return none


def _holds_zero(texts: pa.Array) -> bool:
    """Whether a zero byte stands anywhere in the column, by one search through its bytes."""
    content = texts.buffers()[2]
    return content is not None and b"\0" in content.to_pybytes()


def _zero_in_maps(held: pa.Array) -> Bits:
    found = np.zeros(len(held), bool)
    if held.null_count == len(held):
        return found
    for texts in (held.keys, held.items):
        if _holds_zero(texts):
            entries = np.flatnonzero(_bits(pc.match_substring(texts, "\0")))
            found[np.searchsorted(held.offsets.to_numpy()[1:], entries, side="right")] = True
    return found


def _empty(values: pa.Array) -> Bits:
    null = values.is_null().to_numpy(zero_copy_only=False)
    if not pa.types.is_string(values.type):
        return np.asarray(null)
    return np.asarray(null | _bits(pc.equal(pc.binary_length(values), 0)))


def _beyond(values: pa.Array, least: float, most: float) -> Bits:
    if values.null_count == len(values):
        return np.zeros(len(values), bool)
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray(~((numbers >= least) & (numbers <= most)))  # so that NaN is beyond


def _untimely(times: pa.Array, rules: Rules) -> Bits:
    us = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray((us < 0) | ((us - micros(rules.now)) / 1e6 > rules.max_future_s))


def _bits(found: pa.Array) -> Bits:
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False))


def oversized(raws: pa.Array, most: int) -> Bits:
    """Which records are larger than the rules take, or absent."""
    return np.asarray(pc.greater(pc.binary_length(raws), most).fill_null(True).to_numpy(zero_copy_only=False))


def attribute_values(events: Iterable[Event]) -> set[str]:
    """Every distinct attribute value of the events."""
    return set(chain.from_iterable(event.attributes.values() for event in events if event.attributes))
