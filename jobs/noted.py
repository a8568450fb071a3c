"""Checked rows made ready to leave a worker: sealed where identifiers are tokenised, refused ones with what a person is shown."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from jobs import refusals
from jobs.check import CHECKED, checker
from jobs.events import Rules
from jobs.sealing import Access, book_of, sealed
from jobs.stages import stage

NOTED = pa.schema([*CHECKED, ("record_id", pa.string()), ("excerpt", pa.string()), ("size", pa.int64())])
Batches = Iterator[pa.RecordBatch]


def ready(rules: Rules, columns: dict[str, str] | None, access: Access | None) -> Callable[[Batches], Batches]:
    """A function for mapInArrow: raw records or files (see jobs.check.checker) in, rows of NOTED out."""
    check = checker(rules, columns, private=access is not None)

    def make(batches: Batches) -> Batches:
        found = check(batches)
        while True:
            with stage("check"):  # waiting for the next records takes no CPU time
                batch = next(found, None)
            if batch is None:
                return
            with stage("seal"):
                row = noted(batch, access)
            yield row

    return make


def noted(batch: pa.RecordBatch, access: Access | None) -> pa.RecordBatch:
    refused = np.flatnonzero(batch["reason"].is_valid().to_numpy(zero_copy_only=False))
    raws = [batch["raw"][int(at)].as_py() for at in refused]
    leaves, shown = (batch, raws) if access is None else sealed(batch, book_of(access))
    notes = [_note(batch, int(at), *pair) for at, *pair in zip(refused, raws, shown, strict=True)]
    told = [
        _column([note[i] for note in notes], refused, len(batch), NOTED.field(name).type)
        for i, name in enumerate(NOTED.names[-3:])
    ]
    return pa.RecordBatch.from_arrays([*leaves.columns, *told], schema=NOTED)


def _note(batch: pa.RecordBatch, at: int, raw: bytes, shown: bytes) -> tuple[str, str, int]:
    place = refusals.place(batch["source"][at].as_py(), batch["position"][at].as_py())
    said = refusals.excerpt(refusals.masked(shown))
    return refusals.record_id(place, batch["reason"][at].as_py(), raw), said, len(raw)


def _column(values: list[Any], places: Any, rows: int, kind: pa.DataType) -> pa.Array:
    """The values at their places among nulls."""
    if not values:
        return pa.nulls(rows, kind)
    order = np.zeros(rows, np.int64)
    order[places] = np.arange(1, len(values) + 1)
    return pa.array([None, *values], kind).take(pa.array(order))
