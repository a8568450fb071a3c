"""A table of arrays, one row per entity, kept sorted by entity hash: the shape in which windows live."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]
Values = NDArray[Any]  # of any numpy type
Shape = Mapping[str, tuple[str, tuple[int, ...]]]  # field → (numpy type, shape of one row)


@dataclass
class Columns:
    """`keys` (E,) sorted and unique; each of `fields` has E rows."""

    keys: Longs
    fields: dict[str, Values]

    @classmethod
    def empty(cls, shape: Shape) -> "Columns":
        return cls(np.empty(0, np.int64), {name: np.empty((0, *row), kind) for name, (kind, row) in shape.items()})

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, name: str) -> Values:
        return self.fields[name]

    def admit(self, keys: Longs) -> tuple[Longs, Bits]:
        """Rows of the sorted unique `keys`, adding zeroed rows for those not known; and which were new."""
        rows = np.searchsorted(self.keys, keys)
        known = np.zeros(len(keys), bool)
        inside = rows < len(self)
        known[inside] = self.keys[rows[inside]] == keys[inside]
        if not known.all():
            at = rows[~known]
            self.keys = np.insert(self.keys, at, keys[~known])
            self.fields = {name: np.insert(held, at, 0, axis=0) for name, held in self.fields.items()}
            rows = rows + np.cumsum(~known) - ~known
        return rows, ~known

    def of(self, name: str, rows: Longs) -> Values:
        """A field's values in these ascending rows; not a copy when they are all there is."""
        held = self.fields[name]
        return held if len(rows) == len(held) else held.take(rows, axis=0)

    def put(self, name: str, rows: Longs, values: Values) -> None:
        """Replace a field's values in these ascending rows; `values` are taken over."""
        held = self.fields[name]
        if len(rows) == len(held):
            self.fields[name] = values.astype(held.dtype, copy=False)
        else:
            held[rows] = values

    def keep(self, mask: Bits) -> None:
        """Forget every row outside the mask."""
        if not mask.all():
            self.keys = self.keys[mask]
            self.fields = {name: rows[mask] for name, rows in self.fields.items()}

    def pack(self) -> bytes:
        """Row count, keys and fields, in the order of the shape."""
        parts = [np.int64(len(self)).tobytes(), self.keys.tobytes()]
        return b"".join(parts + [np.ascontiguousarray(rows).tobytes() for rows in self.fields.values()])

    @classmethod
    def unpack(cls, blob: memoryview, at: int, shape: Shape) -> tuple["Columns", int]:
        """The table that starts at byte `at`, writable, and the byte after it."""
        rows = int(np.frombuffer(blob, np.int64, 1, at)[0])
        at += 8
        keys = np.frombuffer(blob, np.int64, rows, at).copy()
        at += 8 * rows
        fields = {}
        for name, (kind, row) in shape.items():
            many = rows * int(np.prod(row, dtype=np.int64))
            fields[name] = np.frombuffer(blob, kind, many, at).reshape(rows, *row).copy()
            at += many * np.dtype(kind).itemsize
        return cls(keys, fields), at
