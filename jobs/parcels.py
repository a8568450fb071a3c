"""Points on their way to their shard: packed by numpy before the shuffle, so that Spark moves few large rows, not millions.

A parcel is N points of one shard, each six 64-bit words: entity, time, id, value (the double's bits), row and `meta`, which
holds `content` in its lowest 48 bits, the kind above them and whether a request failed above that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.columns import Longs
from jobs.points import COUNTERPARTY, UNWATCHED, Points

WORDS = 6
KIND_AT, ERROR_AT = 48, 56
CONTENT = (1 << KIND_AT) - 1
KINDS = 7
INPUT = "entity long, other long, time long, id long, value double, row long, meta long"  # one event; `other`: see `packer`
OUTPUT = "shard int, parcel binary"
SCHEMA = pa.schema([("shard", pa.int32()), ("parcel", pa.binary())])


def packer(shards: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function for mapInArrow: events as numbers in, for each chunk one parcel a shard out.

    `other` is the counterparty's hash where the event has a second point, else null.
    """

    def pack(chunks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            if chunk.num_rows:
                yield parcels(words(chunk), shards)

    return pack


def words(chunk: pa.RecordBatch) -> Longs:
    """(WORDS, N) of every event's points, those at counterparties after the others."""
    first = np.empty((WORDS, chunk.num_rows), np.int64)
    for at, name in enumerate(("entity", "time", "id", "value", "row", "meta")):
        first[at] = chunk.column(name).to_numpy(zero_copy_only=False).view(np.int64)
    other = chunk.column("other")
    if other.null_count == len(other):
        return first
    paired = np.asarray(other.is_valid())
    second = first[:, paired]
    second[0] = other.drop_null().to_numpy()
    second[5] += (COUNTERPARTY - (second[5] >> KIND_AT & KINDS)) << KIND_AT
    return np.concatenate((first, second), axis=1)


def parcels(points: Longs, shards: int) -> pa.RecordBatch:
    """The points (WORDS, N) by shard; an entity is owned by one shard, unwatched events are spread by their id."""
    unwatched = points[5] >> KIND_AT & KINDS == UNWATCHED
    key = np.where(unwatched, points[2], points[0]) if unwatched.any() else points[0]
    shard = (key & (shards - 1) if shards & (shards - 1) == 0 else key % shards).astype(np.uint16)  # both as Spark's pmod
    packed = np.ascontiguousarray(points[:, np.argsort(shard, kind="stable")].T)
    count = np.bincount(shard, minlength=shards)
    held = np.flatnonzero(count)
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(count[held]))) * packed.strides[0]
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(packed)]
    binary = pa.Array.from_buffers(pa.binary(), len(held), buffers)
    return pa.RecordBatch.from_arrays([pa.array(held.astype(np.int32)), binary], schema=SCHEMA)


def opened(packed: Iterable[bytes]) -> tuple[Points, Longs]:
    """The points of a shard's parcels, and their `content` as it came; in a point only its lowest 8 bits are kept."""
    words = np.frombuffer(b"".join(packed), np.int64).reshape(-1, WORDS).T.copy()
    entity, time, ids, value, row, meta = words
    content = meta & CONTENT
    points = Points(
        kind=(meta >> KIND_AT & KINDS).astype(np.int8), entity=entity, time=time, id=ids, content=content.astype(np.uint8),
        value=value.view(np.float64), error=(meta >> ERROR_AT).astype(bool), row=row,
    )  # fmt: skip
    return points, content


def sealed(points: Points, content: Any = None) -> bytes:
    """One parcel of points as they are, for tests and other callers that have no Spark."""
    held = points.content.astype(np.int64) if content is None else content
    meta = held | points.kind.astype(np.int64) << KIND_AT | points.error.astype(np.int64) << ERROR_AT
    columns = (points.entity, points.time, points.id, points.value.view(np.int64), points.row, meta)
    return np.stack(columns, axis=1).tobytes()
