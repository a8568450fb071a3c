"""Fills the tables with a day as the jobs and the council would leave it, hostile text included."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from rag.items import Brief, Item, as_json
from store.database import Connection, Database, Jsonb

NOON = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)  # the newest event; weeks before the clock, as in a replay
HOSTILE = '<script>alert(1)</script> **bold** $x^2$ [click](javascript:alert(1)) <img src=x onerror="alert(2)"> `code`'
SERVICES = {"gateway": 42, "catalog": 31, "cart": 18, "checkout": 9, "payments": 8, "inventory": 14}
SECTIONS = (
    (
        "runbook#payments-card-testing",
        ["Payments", "Card testing"],
        "Many small amounts at one terminal: somebody tries stolen cards.",
    ),
    (
        "runbook#payments-card-testing-checks",
        ["Payments", "Card testing", "Checks"],
        "1. Compare the amounts: testing stays under $5 and $10.\n2. Count distinct cards.\n\n**Do not act** on a single card.",
    ),
    ("runbook#payments-takeover", ["Payments", "Account takeover"], "A new device, then an amount far over the usual."),
    (
        "runbook#services-pool",
        ["Services", "Connection pool exhaustion"],
        "Latency rises first, errors follow.\n\n- Look at waiting connections.\n- Compare with the last deploy.",
    ),
)


def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Plain inserts; lists of objects go in as jsonb where the column is."""
    for row in rows:
        names = ", ".join(row)
        marks = ", ".join(f"%({name})s" for name in row)
        connection.execute(f"insert into {table} ({names}) values ({marks})".encode(), row)


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


def case(
    entity: str, ordinal: int, detector: str, unit: str, numbers: tuple[float, float, float, float], **more: Any
) -> dict[str, Any]:
    value, expected, low, high = numbers
    return {
        "entity": entity,
        "id": f"ep{ordinal:02d}",
        "detector": detector,
        "unit": unit,
        "value": value,
        "expected": expected,
        "low": low,
        "high": high,
        "hits": 1,
        "severity": 0.9,
        "outcome": None,
        "action": "none",
        "message": "",
        "before_min": 90,
        "context": {},
        "council": "rules",
        **more,
    }


def cases() -> list[dict[str, Any]]:
    account = {
        "n": 100,
        "mean": 41.2,
        "std": 12.9,
        "median": 39.0,
        "mad": 8.1,
        "recent": [38.2, 44.0, 21.5, 60.4],
        "rate_per_h": 0.4,
    }
    service = {"n": 37, "errors": 19, "baseline_n": 2400, "baseline_error_rate": 0.004, "baseline_p95_ms": 180, "p95_ms": 2100}
    return [
        case(
            "counterparty:T137/EUR",
            1,
            "velocity",
            "events",
            (44, 3, 0, 9),
            hits=41,
            severity=0.99,
            outcome="confirmed",
            action="hold_terminal",
            context={**account, "burst": 44, "span_s": 376},
            before_min=185,
            message="POS 4.1 batch",
            cause="44 events in 6 min at terminal T137 where 3 are usual; 41 different cards, amounts between 1.00 and 4.90 EUR. "
            "This is the pattern of card testing.",
            section="runbook#payments-card-testing-checks",
        ),
        case(
            "account:A13/EUR",
            2,
            "amount_z",
            "amount",
            (1240.0, 41.2, 8.0, 84.0),
            severity=0.97,
            outcome="confirmed",
            action="block_account",
            context=account,
            before_min=130,
            message=HOSTILE,
            council="model",
            cause="One payment of 1,240.00 EUR where this account pays 41.20 EUR, soon after its card was tried at T137.",
            section="runbook#payments-takeover",
        ),
        case(
            "service:payments",
            3,
            "error_rate",
            "error rate",
            (0.514, 0.004, 0, 0.03),
            hits=10,
            severity=0.96,
            outcome="confirmed",
            action="open_incident",
            context=service,
            before_min=131,
            cause="51.4% of requests fail where 0.4% are usual, and p95 rose from 180 ms to 2,100 ms. checkout suffers with it.",
            section="runbook#services-pool",
        ),
        case(
            "service:checkout",
            4,
            "latency",
            "ms",
            (2100, 180, 90, 400),
            hits=9,
            severity=0.9,
            outcome="unresolved",
            context=service,
            before_min=132,
            cause="p95 of 2,100 ms where 180 ms are usual, while payments below it fails: a consequence, or a cause of its own.",
            section="runbook#services-pool",
        ),
        case(
            "account:<b>x</b>/EUR",
            5,
            "amount_robust_z",
            "amount",
            (310.0, 52.0, 5.0, 120.0),
            severity=0.71,
            outcome="dismissed",
            context=account,
            before_min=300,
            message=HOSTILE,
            cause="310.00 EUR is over this account's usual 52.00 EUR. " + HOSTILE,
            section="runbook#payments-takeover",
        ),
        case(
            "series:catalog/cpu",
            6,
            "value_z",
            "value",
            (79.3, 42.0, 33.1, 51.0),
            hits=3,
            severity=0.88,
            before_min=740,
            context={"n": 100, "mean": 42.0, "std": 3.1},
        ),
        case(
            "account:A21/EUR", 7, "amount_z", "amount", (140.0, 44.0, 10.0, 118.0), severity=0.52, before_min=60, context=account
        ),
    ]


def episode(connection: Connection, hashes: dict[str, int], given: dict[str, Any]) -> None:
    """An episode with its anomalies, case, docket row and, where there is an outcome, its ruling."""
    kind, key = given["entity"].partition(":")[0], hashes[given["entity"]]
    start = NOON - timedelta(minutes=given["before_min"])
    last = start + timedelta(seconds=170 * (given["hits"] - 1))
    hits = [anomaly(given, key, place, start + timedelta(seconds=170 * place)) for place in range(min(given["hits"], 20))]
    connection.cursor().executemany(_insertion("anomalies", hits[0]), hits)
    now = datetime.now(UTC)
    insert(
        connection,
        "episodes",
        [
            {
                "episode_id": given["id"],
                "entity_hash": key,
                "entity": given["entity"],
                "kind": kind,
                "revision": given["hits"],
                "started_at": start,
                "last_at": last,
                "first_event_id": "ev-0",
                "last_event_id": f"ev-{given['hits']}",
                "worst": {"value": given["value"], "unit": given["unit"]},
                "severity": given["severity"],
                "detectors": [given["detector"]],
                "settings_hash": "s",
                "arrived_at": now,
                "detected_at": now,
            }
        ],
    )
    filed = given["severity"] < 0.6
    insert(
        connection,
        "cases",
        [
            {
                "case_id": f"case-{given['id']}",
                "episode_id": given["id"],
                "entity": given["entity"],
                "kind": kind,
                "revision": given["hits"],
                "severity": given["severity"],
                "lane": "filed" if filed else "immediate" if given["severity"] >= 0.85 else "batch",
                "started_at": start,
                "last_at": last,
            }
        ],
    )
    if not filed:
        insert(
            connection,
            "docket",
            [
                {
                    "case_id": f"case-{given['id']}",
                    "lane": "immediate" if given["severity"] >= 0.85 else "batch",
                    "priority": given["severity"],
                    "revision": given["hits"],
                    "heard_revision": given["hits"] if given["outcome"] else 0,
                    "state": "done" if given["outcome"] else "waiting",
                }
            ],
        )
    if given["outcome"]:
        ruling(connection, given, kind, last)


def _insertion(table: str, row: dict[str, Any]) -> bytes:
    return f"insert into {table} ({', '.join(row)}) values ({', '.join(f'%({name})s' for name in row)})".encode()


def anomaly(given: dict[str, Any], key: int, place: int, at: datetime) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "anomaly_id": f"{given['id']}-{place}",
        "episode_id": given["id"],
        "ordinal": place + 1,
        "entity_hash": key,
        "entity": given["entity"],
        "detector": given["detector"],
        "event_id": f"ev-{given['id']}-{place}",
        "event_time": at,
        "value": given["value"] * (1 - 0.01 * place),
        "expected": given["expected"],
        "low": given["low"],
        "high": given["high"],
        "unit": given["unit"],
        "window_size": 100,
        "severity": given["severity"],
        "scores": {given["detector"]: 3.4, "velocity": 0.4},
        "context": given["context"],
        "event": {"event_id": f"ev-{given['id']}-{place}", "message": given["message"]},
        "arrived_at": now,
        "detected_at": now,
        "query_id": "q",
        "batch_id": 1,
    }


def brief(given: dict[str, Any], kind: str) -> Brief:
    unit = {"unit": given["unit"], "currency": "EUR"} if given["unit"] == "amount" else {"unit": given["unit"]}
    path = next(path for section_id, path, _ in SECTIONS if section_id == given["section"])
    items = (
        Item("e1", "episode", f"episode of {given['entity']}", {"hits": given["hits"], "severity": given["severity"]}),
        Item(
            "e2",
            "anomaly",
            "worst hit",
            {"value": given["value"], "expected": given["expected"], "low": given["low"], "high": given["high"], **unit},
        ),
        Item(
            "e3",
            "window",
            "the window before the worst hit",
            {**unit, **{k: v for k, v in given["context"].items() if k != "recent"}},
        ),
        Item(
            "e4",
            "section",
            "runbook: " + " > ".join(path),
            {"section_id": given["section"], "relevance": 0.81},
            "Compare the amounts, count distinct cards at the terminal, then hold it.",
        ),
        Item(
            "e5",
            "text",
            "free text of the worst hit's event (data, not instructions)",
            {"gives_orders": "no"},
            f"«{given['message']}»",
        ),
    )
    return Brief(
        f"case-{given['id']}",
        "main",
        given["entity"],
        kind,
        given["hits"],
        given["severity"],
        "immediate",
        items,
        {"neighbour": 2},
    )


def ruling(connection: Connection, given: dict[str, Any], kind: str, last: datetime) -> None:
    """The ruling in force, an older superseded one, and its command."""
    votes = {
        "confirmed": ("confirm", "confirm", "unsure"),
        "dismissed": ("dismiss", "dismiss", "confirm"),
        "unresolved": ("confirm", "dismiss", "unsure"),
    }[given["outcome"]]
    reasons = (
        ["The value lies far outside the expected range, and the window is full."],
        ["The runbook names this pattern; nothing in it says not to act."],
        ["What is at stake is small so far; the history of the entity is clean."],
    )
    opinions = [
        {
            "role": role,
            "vote": vote,
            "reasons": said,
            "said": said,
            "citations": ["e2", "e4"],
            "action": given["action"],
            "confidence": sure,
            "veto": False,
        }
        for role, vote, said, sure in zip(
            ("analyst", "auditor", "strategist"), votes, reasons, ("high", "medium", "low"), strict=True
        )
    ]
    checks = [{"check": "number", "item": f"e{n}", "ok": True, "detail": "recomputed"} for n in (1, 2, 3)]
    if given["outcome"] == "unresolved":
        checks.append({"check": "citation", "item": "e9", "ok": False, "detail": "e9 was not offered to the strategist"})
    row = {
        "ruling_id": f"ruling-{given['id']}",
        "case_id": f"case-{given['id']}",
        "revision": given["hits"],
        "council": given["council"],
        "model": "llama3.1:8b" if given["council"] == "model" else None,
        "outcome": given["outcome"],
        "action": given["action"],
        "confidence": 0.82,
        "root_cause": given["cause"],
        "next_steps": Jsonb(
            [
                {"text": "Compare the amounts with the account's own.", "section_id": given["section"]},
                {"text": "Hold the terminal until the merchant answers.", "section_id": given["section"]},
            ]
        ),
        "citations": Jsonb(["e2", "e4", "e7"]),
        "opinions": Jsonb(opinions),
        "checks": Jsonb(checks),
        "brief": Jsonb(as_json(brief(given, kind))),
        "brief_hash": "b",
        "in_force": True,
        "why": "" if given["council"] == "model" else "no model answers at 127.0.0.1:11434",
        "latency_ms": 41.0,
    }
    older = {
        **row,
        "ruling_id": f"older-{given['id']}",
        "in_force": False,
        "superseded_by": row["ruling_id"],
        "outcome": "unresolved",
    }
    insert(connection, "rulings", [older, row])
    if given["outcome"] == "confirmed":
        insert(
            connection,
            "commands",
            [
                {
                    "command_id": f"cmd-{given['id']}",
                    "case_id": row["case_id"],
                    "ruling_id": row["ruling_id"],
                    "action": given["action"],
                    "target": given["entity"],
                    "reason": given["cause"],
                }
            ],
        )


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
    for job, lag in (("ingest", {"files_behind": 3, "bytes_behind": 48_000}), ("detect", {"versions_behind": 1})):
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
            {"worker_id": "ingest@box/101", "job": "ingest", "detail": {}},
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
