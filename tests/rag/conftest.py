"""Cases as the detect sink leaves them, for the council's tests."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest

from rag import docket
from rag.triage import lane
from store.database import Connection, Database
from store.settings import Council

START = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
Row = dict[str, Any]


def hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def hit(ordinal: int = 1, after_s: float = 0, **given: Any) -> Row:
    """A flagged payment of 1,200 where 40 is usual, with numbers that recompute."""
    event = {"event_id": f"t{ordinal}", "kind": "transaction", "account_id": "A12", "amount": 1200.0, "currency": "EUR",
             "counterparty_id": "T9", "message": None, "attributes": {"channel": "chip"}}  # fmt: skip
    context = {"n": 100, "log_mean": 3.68887945, "log_std": 0.5, "mean": 40.0, "median": 40.0, "mad": 8.0, "log_mad": 0.3,
               "recent": [38.0, 41.5], "burst": 10, "span_s": 9000.0, "usual_span_s": 9500.0}  # fmt: skip
    row = {
        "anomaly_id": f"x-{ordinal}", "ordinal": ordinal, "detector": "amount_z", "event_id": f"t{ordinal}",
        "event_time": START + timedelta(seconds=after_s), "value": 1200.0, "expected": 40.0, "low": 4.18262408, "high": 382.534846,
        "unit": "amount", "window_size": 100, "severity": 0.7, "scores": {"amount_z": 1.349706, "velocity": 0.1},
        "context": context, "event": event,
    }  # fmt: skip
    return {**row, **given}


def case(name: str = "1", hits: Iterable[Row] = (), **given: Any) -> Row:
    """A case and its episode; `hits` in order."""
    rows = list(hits) or [hit()]
    worst = max(rows, key=lambda row: (row["severity"], -row["ordinal"]))
    row = {
        "case_id": f"case-ep{name}", "tenant": "main", "episode_id": f"ep{name}", "entity": "account:A12/EUR", "kind": "account",
        "revision": len(rows), "severity": worst["severity"], "lane": lane(worst["severity"], Council()),
        "started_at": min(r["event_time"] for r in rows), "last_at": max(r["event_time"] for r in rows),
        "detectors": sorted({name for r in rows for name, score in r["scores"].items() if score >= 1}), "hits": rows,
    }  # fmt: skip
    return {**row, **given}


def store_case(connection: Connection, row: Row) -> None:
    """Write a case, its episode and its hits, and put it on the docket."""
    hits = row["hits"]
    worst = max(hits, key=lambda one: (one["severity"], -one["ordinal"]))
    shown = {**worst, "event_time": worst["event_time"].isoformat(), "episode_id": row["episode_id"], "entity": row["entity"]}
    connection.execute(
        """insert into episodes (episode_id, tenant, entity_hash, entity, kind, revision, started_at, last_at, first_event_id, last_event_id,
             worst, severity, detectors, settings_hash, arrived_at, detected_at)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 's', now(), now())
           on conflict (episode_id) do update set revision = excluded.revision, last_at = excluded.last_at, worst = excluded.worst,
             severity = excluded.severity, detectors = excluded.detectors""",
        (row["episode_id"], row["tenant"], hash64(row["tenant"] + row["entity"]), row["entity"], row["kind"], row["revision"],
         row["started_at"], row["last_at"], hits[0]["event_id"], hits[-1]["event_id"], json.dumps(shown), row["severity"], row["detectors"]),
    )  # fmt: skip
    for one in hits:
        connection.execute(
            """insert into anomalies (anomaly_id, tenant, episode_id, ordinal, entity_hash, entity, detector, event_id, event_time, value,
                 expected, low, high, unit, window_size, severity, scores, context, event, arrived_at, detected_at, query_id, batch_id)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now(), 'q', 0)
               on conflict do nothing""",
            (row["episode_id"] + one["anomaly_id"], row["tenant"], row["episode_id"], one["ordinal"], hash64(row["tenant"] + row["entity"]),
             row["entity"], one["detector"], one["event_id"], one["event_time"], one["value"], one["expected"], one["low"], one["high"],
             one["unit"], one["window_size"], one["severity"], json.dumps(one["scores"]), json.dumps(one["context"]),
             json.dumps(one["event"])),
        )  # fmt: skip
    names = ("case_id", "tenant", "episode_id", "entity", "kind", "revision", "severity", "lane", "started_at", "last_at")
    docket.put(connection, [{name: row[name] for name in names}])


@pytest.fixture
def make_hit() -> Callable[..., Row]:
    return hit


@pytest.fixture
def make_case() -> Callable[..., Row]:
    return case


@pytest.fixture
def put_cases(database: Database) -> Callable[..., None]:
    """Write cases into the test's database, as one transaction."""

    def put(*rows: Row) -> None:
        with database.connection() as connection:
            for row in rows:
                store_case(connection, row)

    return put
