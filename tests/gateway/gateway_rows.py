"""A few entities, anomalies and rulings, as the jobs and the council leave them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from store.database import Connection, Database

BRIEF = {"kind": "account", "revision": 1, "severity": 0.9, "lane": "immediate", "items": []}
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def found(database: Database, count: int = 1, tenant: str = "main", prefix: str = "", words: str = "") -> list[str]:
    """`count` accounts, each with an hour, an episode, an anomaly and a ruling in force; the ids of the cases."""
    with database.connection() as connection:
        return [_one(connection, number, tenant, prefix, words) for number in range(count)]


def _one(connection: Connection, number: int, tenant: str, prefix: str, words: str) -> str:
    entity_hash, at = abs(hash((tenant, prefix, number))) % 2**40, NOON + timedelta(minutes=number)
    entity, episode, anomaly = f"account:{prefix}A{number}/EUR", f"{prefix}e{number}", f"{prefix}a-{number}"
    common = {"tenant": tenant, "entity_hash": entity_hash}
    _put(connection, "entities", common | {
        "entity": entity, "kind": "account", "subject": f"{prefix}A{number}", "qualifier": "EUR", "first_seen": NOON,
    })  # fmt: skip
    _put(connection, "metrics_hour", common | {
        "bucket": NOON, "count": 2, "sum": 30.0, "sum_squares": 500.0, "min": 10.0, "max": 20.0, "anomalies": 1, "late": 0,
        "duplicates": 0,
    })  # fmt: skip
    _put(connection, "episodes", common | {
        "episode_id": episode, "entity": entity, "kind": "account", "revision": 1, "started_at": at, "last_at": at,
        "first_event_id": f"t-{number}", "last_event_id": f"t-{number}", "worst": Jsonb({}), "severity": 0.9,
        "detectors": ["amount_z"], "settings_hash": "s", "arrived_at": at, "detected_at": at,
    })  # fmt: skip
    _put(connection, "anomalies", common | {
        "anomaly_id": anomaly, "episode_id": episode, "ordinal": 1, "entity": entity, "detector": "amount_z",
        "event_id": f"t-{number}", "event_time": at, "value": 900.0, "expected": 10.0, "low": 1.0, "high": float("inf"),
        "unit": "amount", "window_size": 50, "severity": 0.9, "scores": Jsonb({"amount_z": 4.0}), "context": Jsonb({"n": 50}),
        "event": Jsonb({"event_id": f"t-{number}", "message": f"from ann@example.org {words}"}),
        "arrived_at": at, "detected_at": at, "query_id": "q", "batch_id": 0,
    })  # fmt: skip
    case = f"case-{episode}"
    brief = BRIEF | {"case_id": case, "tenant": tenant, "entity": entity}
    _put(connection, "cases", {
        "case_id": case, "tenant": tenant, "episode_id": episode, "entity": entity, "kind": "account", "revision": 1,
        "severity": 0.9, "lane": "immediate", "started_at": at, "last_at": at,
    })  # fmt: skip
    _put(connection, "rulings", {
        "ruling_id": f"r-{case}", "tenant": tenant, "case_id": case, "revision": 1, "council": "rules", "outcome": "confirmed",
        "action": "block_account", "confidence": 0.8, "root_cause": f"far over its pattern {words}", "next_steps": Jsonb([]),
        "citations": Jsonb(["e1"]), "opinions": Jsonb([]), "checks": Jsonb([]), "brief": Jsonb(brief),
        "brief_hash": "b", "in_force": True, "ruled_at": at, "latency_ms": 3.0,
    })  # fmt: skip
    return case


def _put(connection: Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into {table} ({names}) values ({places})".encode(), row)
