"""Writes one case as detection and council would leave it: anomalies, episode, docket row, ruling."""

from datetime import UTC, datetime, timedelta
from typing import Any

from caseload import NOON, SECTIONS

from rag.items import Brief, Item, as_json
from store.database import Connection, Jsonb


def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Plain inserts; lists of objects go in as jsonb where the column is."""
    for row in rows:
        names = ", ".join(row)
        marks = ", ".join(f"%({name})s" for name in row)
        connection.execute(f"insert into {table} ({names}) values ({marks})".encode(), row)


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
