"""What must be equal after faults, and in what words two runs differ. Pure but for the reading."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos import delta
from store.database import Database

TABLES = ("entities", "metrics_hour", "metrics_minute", "anomalies", "episodes", "cases", "docket", "quarantined", "totals")
BRONZE = [
    "event_id", "event_time", "kind", "account_id", "amount", "currency", "counterparty_id", "service", "status", "latency_ms",
    "metric", "value", "message", "attributes", "tenant", "raw", "source", "position",
]  # fmt: skip
QUARANTINE = ["tenant", "raw", "source", "position", "reason", "field"]
LEFT_OUT = {
    "bronze": "row_id, ingest_batch (where batches were cut), ingest_time (a clock)",
    "quarantine": "row_id, ingest_batch, ingest_time",
    "entities, episodes, anomalies": "arrived_at, detected_at (clocks), query_id, batch_id (ids of checkpoints)",
    "cases": "created_at, updated_at (clocks)",
    "docket": "what the council's hearings change: state, attempts, leases, priority, heard_revision (checked by coverage)",
    "totals": "episodes touched, entities, state_bytes, evictions of single batches (they depend on where batches were cut)",
    "quarantined": "arrived_at, retried_at (clocks)",
}
CONFLICT = "an event with this id and another content was seen before"
Contents = Mapping[str, Sequence[str]]


def contents(database: Database, home: Path) -> dict[str, list[str]]:
    """Every compared table as sorted rows of canonical JSON."""
    found = {name: canonical(database.fetch(f"chaos_{name}")) for name in TABLES}
    found["bronze"] = canonical(delta.rows(home / "delta" / "bronze", BRONZE))
    found["quarantine"] = canonical(delta.rows(home / "delta" / "quarantine", QUARANTINE))
    return found


def canonical(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Rows as texts that are equal when the rows are, to the last bit of a number.

    >>> canonical([{"b": 0.1 + 0.2, "a": b"x"}])
    ['{"a": "x", "b": 0.30000000000000004}']
    """
    return sorted(json.dumps(row, sort_keys=True, default=_plain) for row in rows)


def _plain(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Difference:
    """Rows of one table that only one of the two runs has, each as often as it has them more."""

    table: str
    only_after_faults: tuple[str, ...]
    only_undisturbed: tuple[str, ...]


def differences(after_faults: Contents, undisturbed: Contents) -> list[Difference]:
    """Empty when every table holds the same rows, each equally often.

    >>> differences({"t": ["a", "a"]}, {"t": ["a", "b"]})
    [Difference(table='t', only_after_faults=('a',), only_undisturbed=('b',))]
    """
    found = []
    for table in sorted(after_faults.keys() | undisturbed.keys()):
        ours, theirs = Counter(after_faults.get(table, ())), Counter(undisturbed.get(table, ()))
        if ours != theirs:
            found.append(Difference(table, tuple((ours - theirs).elements()), tuple((theirs - ours).elements())))
    return found


def misplaced(home: Path, places: Sequence[tuple[str, int]]) -> list[str]:
    """What is wrong with the source positions in bronze and quarantine: each that was handed over must be there, once."""
    columns = ["source", "position"]
    held = Counter((row["source"], row["position"]) for row in delta.rows(home / "delta" / "bronze", columns))
    refused = delta.rows(home / "delta" / "quarantine", [*columns, "reason"])
    held.update((row["source"], row["position"]) for row in refused if row["reason"] != CONFLICT)
    return placed(held, Counter(places))


def placed(held: Counter[tuple[str, int]], expected: Counter[tuple[str, int]]) -> list[str]:
    """In words, how what is held differs from what was handed over.

    >>> placed(Counter({("t/0", 1): 2}), Counter({("t/0", 1): 1, ("t/0", 2): 1}))
    ['t/0@1 is there 2 times', 't/0@2 is lost']
    """
    twice = [f"{source}@{position} is there {held[source, position]} times" for source, position in sorted(held - expected)]
    lost = [f"{source}@{position} is lost" for source, position in sorted(expected - held)]
    return twice + lost
