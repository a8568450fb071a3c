"""A shard's state as one binary: a header with version, layout and checksum, then arrays, each at a multiple of 8 bytes."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from jobs.columns import Columns, Shape
from jobs.errors import StateDamaged
from jobs.policy import Layout

HEADER = struct.Struct("<B7xqIIHH4x")  # version, clock, service buckets, checksum, window, recent ids
ALIGNED = 8
PADDING = bytes(ALIGNED)


@dataclass(frozen=True)
class Header:
    """`clock` in µs; `layout` are the sizes that the arrays behind it have."""

    version: int
    layout: Layout
    clock: int

    def packed(self, checksum: int) -> bytes:
        window, recent_ids, service_buckets = self.layout
        return HEADER.pack(self.version, self.clock, service_buckets, checksum, window, recent_ids)


def pack(header: Header, tables: Sequence[Columns]) -> bytes:
    """The header and the tables in their order; its crc32 covers both (0.2 ms a megabyte)."""
    parts = [part for table in tables for part in _parts(table)]
    checksum = zlib.crc32(header.packed(0))
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([header.packed(checksum), *parts])


def _parts(table: Columns) -> list[bytes | memoryview]:
    parts: list[bytes | memoryview] = [np.int64(len(table)).tobytes()]
    for rows in (table.keys, *table.fields.values()):
        flat = np.ascontiguousarray(rows).reshape(-1)
        parts += [flat.view(np.uint8).data if flat.size else b"", PADDING[: -flat.nbytes % ALIGNED]]
    return parts


def header_of(blob: bytes) -> Header:
    """What stands in front; raises StateDamaged when the bytes are not those that were written."""
    if len(blob) < HEADER.size:
        raise StateDamaged(f"{len(blob)} bytes are left of it.")
    version, clock, service_buckets, checksum, window, recent_ids = HEADER.unpack_from(blob)
    header = Header(version, Layout(window, recent_ids, service_buckets), clock)
    if zlib.crc32(memoryview(blob)[HEADER.size :], zlib.crc32(header.packed(0))) != checksum:
        raise StateDamaged(f"The checksum of its {len(blob):,} bytes is another.")
    return header


def tables(blob: bytes, shapes: Sequence[Shape]) -> list[Columns]:
    """The tables behind the header, writable; `shapes` are those of the header's layout."""
    found, at = [], HEADER.size
    for shape in shapes:
        table, at = _table(blob, at, shape)
        found.append(table)
    return found


def _table(blob: bytes, at: int, shape: Shape) -> tuple[Columns, int]:
    rows = int(np.frombuffer(blob, np.int64, 1, at)[0])
    arrays, at = [], at + 8
    for kind, row in (("int64", ()), *shape.values()):
        many = rows * prod(row)
        arrays.append(np.frombuffer(blob, kind, many, at).reshape(rows, *row).copy())
        at += -(-arrays[-1].nbytes // ALIGNED) * ALIGNED
    return Columns(arrays[0], dict(zip(shape, arrays[1:], strict=True))), at
