"""Fills the tables with a day as the jobs and the council would leave it, hostile text included."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from caseload import HOSTILE, NOON, SECTIONS, cases
from episodes import episode, insert

from store.database import Connection, Database

SERVICES = {"gateway": 42, "catalog": 31, "cart": 18, "checkout": 9, "payments": 8, "inventory": 14}


def seed(database: Database, seed_of_chance: int = 7, hours: int = 24) -> None:
    """Everything the pages show. Entity hashes are small numbers; times of arrival are the database's now."""
    chance = random.Random(seed_of_chance)
    with database.connection() as connection:
        hashes = entities(connection)
        runbook(connection)
        minutes(connection, hashes, chance, hours)
        hourly(connection, hashes, chance)
        for case in cases():
            episode(connection, hashes, case)
        running(connection, chance)


def entities(connection: Connection) -> dict[str, int]:
    names = [f"service:{name}" for name in SERVICES] + ["series:catalog/cpu", "counterparty:T137/EUR", "counterparty:T9/EUR"]
    names += [f"account:A{number}/EUR" for number in range(10, 34)] + ["account:<b>x</b>/EUR"]
    rows = []
    for place, name in enumerate(names, 1):
        kind, _, rest = name.partition(":")
        subject, _, qualifier = rest.rpartition("/") if kind != "service" else (rest, "", "")
        rows.append(
            {
                "entity_hash": place,
                "entity": name,
                "kind": kind,
                "subject": subject,
                "qualifier": qualifier,
                "first_seen": NOON - timedelta(days=3),
            }
        )
    insert(connection, "entities", rows)
    return {row["entity"]: row["entity_hash"] for row in rows}


def runbook(connection: Connection) -> None:
    insert(connection, "documents", [{"doc_id": "runbook", "title": "Runbook", "source": "runbook.md", "sha256": "0"}])
    insert(
        connection,
        "sections",
        [
            {
                "section_id": section_id,
                "doc_id": "runbook",
                "position": place,
                "heading_path": path,
                "body": body,
                "sha256": str(place),
                "embedder": "none",
                "embedding": "[" + ",".join(["0.1"] * 256) + "]",
            }
            for place, (section_id, path, body) in enumerate(SECTIONS)
        ],
    )


def minutes(connection: Connection, hashes: dict[str, int], chance: random.Random, hours: int) -> None:
    """Services and a series by minute; payments and checkout break between 11:20 and 11:50."""
    rows = []
    for minute in range(hours * 60):
        at = NOON - timedelta(minutes=hours * 60 - 1 - minute)
        broken = NOON - timedelta(minutes=160) <= at < NOON - timedelta(minutes=130)
        daily = 0.65 + 0.35 * math.sin((at.hour + at.minute / 60 - 8) / 24 * 2 * math.pi)
        for name, rate in SERVICES.items():
            ill = broken and name in ("payments", "checkout")
            count = max(1, round(chance.gauss(rate * daily, rate**0.5)))
            errors = sum(chance.random() < (0.5 if ill else 0.004) for _ in range(count))
            bucket = 42 if ill else 30 if name == "checkout" else 27
            histogram = [0] * 64
            for _ in range(count):
                histogram[min(63, max(0, round(chance.gauss(bucket, 1.5))))] += 1
            mean = 2 ** (bucket / 4)
            rows.append(
                _metric(
                    hashes[f"service:{name}"],
                    at,
                    count,
                    mean,
                    mean * 0.3,
                    errors=errors,
                    histogram=histogram,
                    anomalies=int(ill and minute % 3 == 0),
                )
            )
        value = 40 + 8 * math.sin(minute / 90) + chance.gauss(0, 1.5) + (35 if 700 <= minute < 712 else 0)
        rows.append(
            _metric(hashes["series:catalog/cpu"], at, 1, value, 0.0, errors=0, histogram=[], anomalies=int(700 <= minute < 703))
        )
    _bulk(connection, "metrics_minute", rows)


def hourly(connection: Connection, hashes: dict[str, int], chance: random.Random) -> None:
    rows = []
    for name, key in hashes.items():
        if name.startswith(("service", "series")):
            continue
        busy = 14 if name.startswith("counterparty") else 1 + key % 4
        for hour in range(72):
            at = (NOON - timedelta(hours=71 - hour)).replace(minute=0)
            burst = name == "counterparty:T137/EUR" and hour == 68
            count = (44 if burst else 0) + (round(chance.gauss(busy, 1)) if 7 <= at.hour < 23 else 0)
            if count > 0:
                hit = burst or (name == "account:A13/EUR" and hour == 69)
                rows.append(
                    _metric(
                        hashes[name], at, count, 1240.0 if hit and not burst else chance.uniform(25, 60), 12.0, anomalies=int(hit)
                    )
                )
    _bulk(connection, "metrics_hour", rows)


def _metric(key: int, at: datetime, count: int, mean: float, std: float, **more: Any) -> dict[str, Any]:
    return {
        "bucket": at,
        "entity_hash": key,
        "count": count,
        "sum": mean * count,
        "sum_squares": (mean**2 + std**2) * count,
        "min": mean - 1.6 * std,
        "max": mean + 2.1 * std,
        "late": 0,
        "duplicates": 0,
        **more,
    }


def _bulk(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(rows[0])
    with connection.cursor().copy(f"copy {table} ({names}) from stdin".encode()) as copy:
        for row in rows:
            copy.write_row(list(row.values()))


def running(connection: Connection, chance: random.Random) -> None:
    """Ledger, progress, workers and quarantine as of now."""
    now = datetime.now(UTC)
    for batch in range(40):
        for job in ("ingest", "detect"):
            end = now - timedelta(seconds=2 * (40 - batch))
            events = round(chance.gauss(2400, 300))
            insert(
                connection,
                "batches",
                [
                    {
                        "job": job,
                        "query_id": f"{job}-1",
                        "batch_id": batch,
                        "offsets_hash": "o",
                        "settings_hash": "s",
                        "offsets": {},
                        "events": events,
                        "accepted": events - 1 if job == "ingest" else 0,
                        "detail": {"newest_row": (batch - 1) << 35} if job == "detect" else {},
                        "quarantined": int(job == "ingest" and batch % 9 == 0),
                        "points": events * 2 if job == "detect" else 0,
                        "late": batch % 3,
                        "anomalies": batch % 2 if job == "detect" else 0,
                        "entities": 6200 if job == "detect" else 0,
                        "state_bytes": 3_400_000 if job == "detect" else 0,
                        "newest_event": NOON - timedelta(minutes=39 - batch),
                        "started_at": end - timedelta(seconds=chance.uniform(0.4, 0.9)),
                        "committed_at": end,
                    }
                ],
            )
    for job, lag in (
        ("ingest", {"FileStreamSource[file:/data/landing]": {}}),
        ("detect", {"DeltaSource[file:/data/bronze]": {"numFilesOutstanding": "3", "numBytesOutstanding": "48000"}}),
    ):
        insert(
            connection,
            "stream_progress",
            [
                {
                    "job": job,
                    "query_id": f"{job}-1",
                    "batch_id": 39,
                    "at": now - timedelta(seconds=1),
                    "input_rows": 2410,
                    "rows_per_s": 3212.5,
                    "duration_ms": {"triggerExecution": 750, "addBatch": 520, "walCommit": 40},
                    "lag": lag,
                }
            ],
        )
    report = {"council": "rules", "breaker": "open", "model": "llama3.1:8b", "why": "no model answers at 127.0.0.1:11434"}
    insert(
        connection,
        "workers",
        [
            {
                "worker_id": "ingest@box/101",
                "job": "ingest",
                "detail": {"lag": {"waiting": 1234, "unit": "events", "oldest_s": 0}},
            },
            {"worker_id": "detect@box/102", "job": "detect", "detail": {}},
            {"worker_id": "council@box/103", "job": "council", "detail": report},
            {"worker_id": "council@box/77", "job": "council", "detail": report, "seen_at": now - timedelta(minutes=20)},
        ],
    )
    reasons = (("amount: NaN is not a number", "amount"), ("event_time: has no zone", "event_time"), ("not JSON: " + HOSTILE, ""))
    insert(
        connection,
        "quarantined",
        [
            {
                "record_id": f"r{place}",
                "position": f"events-{place % 4}.jsonl:{place * 17}",
                "reason": reasons[place % 3][0],
                "field": reasons[place % 3][1],
                "excerpt": '{"event_id": "x1", "message": "' + HOSTILE + '"}',
                "size": 240 + place,
                "arrived_at": now - timedelta(minutes=place),
            }
            for place in range(14)
        ],
    )
