"""A batch of events as columns, made when first used: numbers and times as numpy, texts as Arrow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Array = NDArray[Any]


@dataclass(frozen=True)
class Value:
    """N values, or one that holds for all: `data` (numpy for numbers, truths and times in µs; Arrow or str for texts), where it
    is `null`, and where it is `bad`: an error in CEL's sense. No mask means nowhere."""

    data: Any
    null: Bits | None = None
    bad: Bits | None = None


@dataclass
class Frame:
    """Rows of a table under the names of fields; `lists` and `enriched` are what expressions may look up."""

    table: pa.Table
    lists: Mapping[str, pa.Array] = field(default_factory=dict)
    enriched: dict[str, "Lookups"] = field(default_factory=dict)
    _columns: dict[str, Value] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> Value:
        """A field's values; one that the table lacks is null everywhere."""
        if name not in self._columns:
            self._columns[name] = self._made(name)
        return self._columns[name]

    def take(self, mask: Bits) -> "Frame":
        """The chosen rows, with what was looked up for them."""
        chosen = {name: looked_up.take(mask) for name, looked_up in self.enriched.items()}
        return Frame(self.table.filter(pa.array(mask)), self.lists, chosen)

    def _made(self, name: str) -> Value:
        if name not in self.table.column_names:
            return Value(pa.nulls(len(self), pa.string()), np.ones(len(self), bool))
        held = self.table[name]
        return of_arrow(held.chunk(0) if held.num_chunks == 1 else held.combine_chunks())


class Lookups:
    """The columns of an enrichment for a frame's rows, taken when first named; `places` are null where no key was found."""

    def __init__(self, places: pa.Array, columns: Mapping[str, pa.Array]) -> None:
        self.places, self.columns = places, columns
        self._made: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._made:
            self._made[name] = of_arrow(self.columns[name].take(self.places))
        return self._made[name]

    def take(self, mask: Bits) -> "Lookups":
        return Lookups(self.places.filter(pa.array(mask)), self.columns)


def of_arrow(array: Any) -> Value:
    """An Arrow column as a Value; a null map is an empty one."""
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    kind = array.type
    null = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_map(kind):
        return Value(array)
    if pa.types.is_timestamp(kind):
        micros = array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        return Value(pc.fill_null(micros, 0).to_numpy(), null)
    if pa.types.is_floating(kind):
        return Value(pc.fill_null(array.cast(pa.float64()), 0.0).to_numpy(), null)
    if pa.types.is_integer(kind):
        return Value(pc.fill_null(array.cast(pa.int64()), 0).to_numpy(), null)
    if pa.types.is_boolean(kind):
        return Value(pc.fill_null(array, False).to_numpy(zero_copy_only=False), null)
    return Value(array, null)


def truth(array: Any) -> Bits:
    """An Arrow boolean column as numpy; null is false."""
    bits: Bits = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return bits
