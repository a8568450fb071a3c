"""What the fold says about a batch: tables by row kind, which travel as Arrow IPC in one output schema (row_kind, payload)."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from jobs.columns import Longs, Values
from jobs.episodes import Episode

ENTITY = pa.schema([("entity_hash", pa.int64()), ("kind", pa.int8()), ("row", pa.int64()), ("time", pa.int64())])
CONFLICT = pa.schema([("row", pa.int64()), ("id", pa.int64())])
EPISODE = pa.schema(
    [
        ("episode_id", pa.string()), ("entity_hash", pa.int64()), ("kind", pa.int8()), ("first", pa.int64()),
        ("last", pa.int64()), ("hits", pa.int64()), ("worst", pa.float64()), ("detectors", pa.list_(pa.string())),
        ("first_row", pa.int64()), ("last_row", pa.int64()), ("worst_anomaly", pa.int64()),
    ]
)  # fmt: skip
ANOMALY = pa.schema(
    [
        ("anomaly_id", pa.string()), ("episode_id", pa.string()), ("ordinal", pa.int32()), ("entity_hash", pa.int64()),
        ("row", pa.int64()), ("id", pa.int64()), ("time", pa.int64()), ("detector", pa.string()), ("severity", pa.float64()),
        ("unit", pa.string()), ("value", pa.float64()), ("expected", pa.float64()), ("low", pa.float64()), ("high", pa.float64()),
        ("window_size", pa.int32()), ("scores", pa.string()), ("context", pa.string()),
    ]
)  # fmt: skip
KINDS = ("entity", "conflict", "metric_hour", "metric_minute", "episode", "anomaly", "count")


class Findings:
    """Collects tables while a shard's batch is folded."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pa.Table]] = {kind: [] for kind in KINDS}
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, table: pa.Table) -> None:
        if table.num_rows:
            self._parts[kind].append(table)

    def count(self, **counts: int) -> None:
        self._counts.update(counts)

    def entities(self, entity: Longs, kind: Values, row: Longs, time: Longs) -> None:
        if len(entity):
            self.add("entity", pa.table([entity, kind, row, time], schema=ENTITY))

    def conflicts(self, row: Longs, ids: Longs) -> None:
        if len(row):
            self.add("conflict", pa.table([row, ids], schema=CONFLICT))

    def episodes(self, changed: Iterable[Episode], names: list[str], ids: Longs) -> None:
        """`names` are the detectors in the order of the mask's bits; `ids` the event ids of the batch's points."""
        rows = [
            {
                "episode_id": e.episode_id, "entity_hash": e.entity, "kind": e.kind, "first": e.first, "last": e.last,
                "hits": e.hits, "worst": e.worst, "detectors": [name for i, name in enumerate(names) if e.mask >> i & 1],
                "first_row": e.first_row, "last_row": e.last_row,
                "worst_anomaly": int(ids[e.worst_point]) if e.worst_point >= 0 else 0,
            }
            for e in changed
        ]  # fmt: skip
        if rows:
            self.add("episode", pa.Table.from_pylist(rows, schema=EPISODE))

    def anomalies(self, rows: list[dict[str, Any]]) -> None:
        texts = [{**row, "scores": json.dumps(row["scores"]), "context": json.dumps(row["context"])} for row in rows]
        if texts:
            self.add("anomaly", pa.Table.from_pylist(texts, schema=ANOMALY))

    def tables(self) -> dict[str, pa.Table]:
        counts = pa.Table.from_pylist([dict(self._counts)])
        return {kind: pa.concat_tables(parts, promote_options="default") for kind, parts in self._parts.items() if parts} | {
            "count": counts
        }


def to_payload(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def from_payloads(payloads: Iterable[bytes]) -> pa.Table:
    """The rows of every shard as one table."""
    return pa.concat_tables((pa.ipc.open_stream(one).read_all() for one in payloads), promote_options="default")
