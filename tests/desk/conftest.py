"""Ruled cases as the council leaves them, people, and what was told."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import hypothesis
import pytest

from rag import docket, record
from rag.council import Ruling
from rag.items import Brief, Item, as_json
from store.database import Connection, Database
from store.sections.desk import Desk
from trust.roles import Caller, Role

hypothesis.settings.register_profile("unhurried", deadline=None)  # the machine is shared
hypothesis.settings.load_profile("unhurried")

START = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ROW = dict[str, Any]


def hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def rule(
    connection: Connection, name: str, entity: str = "account:A12/EUR", *, at_s: float = 0, hits: int = 1, severity: float = 0.8,
    outcome: str = "confirmed", action: str = "step_up_auth", events: Iterable[ROW] = ({},), tenant: str = "main",
    detectors: Iterable[str] = ("amount_z",), confidence: float = 0.8, over: float = 30.0, span_s: float = 0,
    errors: int | None = None,
) -> str:  # fmt: skip
    """A case of `hits` hits that begins `at_s` seconds after START, and a ruling in force on it; its id.

    `events` are the kept hits' events, each completed to a payment of 100 EUR by the account at T9.
    """
    kind = entity.partition(":")[0]
    first, last = START + timedelta(seconds=at_s), START + timedelta(seconds=at_s + span_s)
    case = {"case_id": f"case-{name}", "tenant": tenant, "episode_id": name, "entity": entity, "kind": kind, "revision": hits,
            "severity": severity, "lane": "immediate", "started_at": first, "last_at": last}  # fmt: skip
    whole = {"episode_id": name, "tenant": tenant, "entity": entity, "entity_hash": hashed(tenant + entity)}
    stamps = {"arrived_at": datetime.now(UTC), "detected_at": datetime.now(UTC)}
    payments = [_payment(name, place, entity, event) for place, event in enumerate(events, 1)]
    unit = "error rate" if kind == "service" else "amount"
    anomalies = [
        {**whole, **stamps, "anomaly_id": f"x-{name}-{place}", "ordinal": place, "detector": "amount_z",
         "event_id": event["event_id"], "unit": unit, "query_id": "q", "batch_id": 0, "event": event, "scores": {},
         "event_time": first, "value": 1.0, "expected": 0.1, "low": 0.0, "high": 0.2, "window_size": 100,
         "severity": severity, "context": {}}
        for place, event in enumerate(payments, 1)
    ]  # fmt: skip
    episode = {**whole, **stamps, "kind": kind, "revision": hits, "started_at": first, "last_at": last,
               "first_event_id": "a", "last_event_id": "b", "worst": anomalies[0],
               "severity": severity, "detectors": list(detectors), "settings_hash": "s"}  # fmt: skip
    connection.execute(
        """insert into episodes select * from jsonb_populate_record(null::episodes, %s)
           on conflict (episode_id) do update set revision = excluded.revision, severity = excluded.severity""",
        (json.dumps(episode, default=str),),
    )
    connection.execute(
        "insert into anomalies select * from jsonb_populate_recordset(null::anomalies, %s) on conflict do nothing",
        (json.dumps(anomalies, default=str),),
    )
    docket.put(connection, [case])
    record.put(connection, [ruling(case, unit, payments, list(detectors), outcome, action, confidence, over, errors)], 1.0)
    return str(case["case_id"])


def _payment(name: str, place: int, entity: str, given: ROW) -> ROW:
    kind, _, subject = entity.partition(":")
    who = {"account_id": subject.partition("/")[0]} if kind == "account" else {}
    where = {"counterparty_id": subject.partition("/")[0]} if kind == "counterparty" else {"counterparty_id": "T9"}
    if kind in ("service", "series"):
        return {"event_id": f"{name}-{place}", "service": subject, **given}
    return {"event_id": f"{name}-{place}", "amount": 100.0, "currency": "EUR", "account_id": "A12", **where, **who, **given}


def ruling(
    case: ROW, unit: str, payments: list[ROW], detectors: list[str], outcome: str, action: str, confidence: float, over: float,
    errors: int | None,
) -> Ruling:  # fmt: skip
    accounts, places = ({event.get(name) for event in payments} - {None} for name in ("account_id", "counterparty_id"))
    items = (
        Item("e1", "episode", "episode", {"detectors": detectors, "started_at": case["started_at"].isoformat()}),
        Item("e2", "anomaly", "worst hit", {"unit": unit, "value": 1.0}),
        Item("e3", "impact", "at stake", {"over_usual_ratio": over, "accounts": len(accounts), "counterparties": len(places)}
             | ({} if errors is None else {"errors": errors})),
    )  # fmt: skip
    brief = Brief(
        case["case_id"], case["tenant"], case["entity"], case["kind"], case["revision"], case["severity"], "immediate", items
    )
    return Ruling(
        case_id=case["case_id"], tenant=case["tenant"], revision=case["revision"], council="rules", model=None,
        outcome=outcome,  # type: ignore[arg-type]
        action=action if outcome == "confirmed" else "none",  # type: ignore[arg-type]
        confidence=confidence, root_cause=f"Something at {case['entity']}.", next_steps=[], citations=["e1"],
        opinions=[{"o": outcome}], checks=[], brief=as_json(brief), brief_hash=brief.hash, prompt_hash=None, why="",
    )  # fmt: skip


@pytest.fixture
def ruled(database: Database) -> Callable[..., str]:
    """Write one ruled case into the test's database."""

    def write(name: str, entity: str = "account:A12/EUR", **given: Any) -> str:
        with database.connection() as connection:
            return rule(connection, name, entity, **given)

    return write


@pytest.fixture
def ana() -> Caller:
    return Caller("main", "key:ana", "Ana", Role.analyst)


@pytest.fixture
def bo() -> Caller:
    return Caller("main", "key:bo", "Bo", Role.analyst)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def messages(database: Database) -> Callable[[], list[ROW]]:
    """What was published, in order."""

    def read() -> list[ROW]:
        with database.connection() as connection:
            return connection.execute("select * from messages order by message_id").fetchall()

    return read
