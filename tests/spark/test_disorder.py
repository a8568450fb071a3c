"""Late, repeated, reordered and clock-skewed records through ingest and detect, against the naive oracle, end to end."""

import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))

from oracle import told
from streams import Point, columns

from jobs import detect, ingest
from jobs.events import micros
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, Points
from jobs.policy import Policy
from store.database import Database
from store.sections.core import Detect
from store.settings import Settings

from .conftest import START, land, once, rows_of, settings_of

FILES = 4
CHOSEN = {
    "window": 30, "warm_up": 5, "recent_ids": 8, "lateness_s": 600, "min_count": 5, "service_buckets": 10, "min_error_rate": 0.1,
    "thresholds": dict.fromkeys(Detect().detectors, 2.0), "max_files_per_trigger": 1,
}  # fmt: skip
Event = dict[str, Any]


def happened(rng: np.random.Generator, number: int, minutes: float) -> Event:
    """One event as it happened; A4's clock is 25 minutes ahead and runs a thousandth too fast."""
    account = f"A{int(rng.integers(1, 5))}"
    event: Event = {"event_id": f"e{number}"}
    kind, odd = rng.choice(["transaction", "request", "measurement"], p=[0.6, 0.25, 0.15]), rng.random() < 0.04
    if kind == "transaction":
        amount = float(np.round(rng.lognormal(3, 0.3) * (60 if odd else 1), 2))
        event |= {"account_id": account, "amount": amount, "currency": "EUR", "counterparty_id": f"T{number % 2}"}
        minutes = 25 + minutes * 1.001 if account == "A4" else minutes
    elif kind == "request":
        failed = rng.random() < (0.7 if 300 < minutes < 330 else 0.02)
        event |= {"service": "pay", "status": 503 if failed else 200, "latency_ms": float(np.round(rng.lognormal(4, 0.3), 1))}
    else:
        event |= {"service": "db", "metric": "cpu", "value": float(np.round(rng.normal(40, 2) * (5 if odd else 1), 3))}
    return event | {"kind": str(kind), "event_time": (START + timedelta(minutes=minutes)).isoformat()}


def delivered(seed: int, count: int = 700) -> list[Event]:
    """In the order of arrival: displaced by minutes, some by hours, some twice, some ids again with another content."""
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.uniform(0, 600, count))
    arrival = minutes + rng.exponential(2, count) + (rng.random(count) < 0.06) * rng.uniform(20, 120, count)
    events = [
        (float(at), happened(rng, number, float(when))) for number, (when, at) in enumerate(zip(minutes, arrival, strict=True))
    ]
    again = [(at + float(rng.exponential(6)), event) for at, event in events if rng.random() < 0.08]
    false = [
        (at + 10, event | {"amount": 7.77, "event_time": later(event, 45)})
        for at, event in events
        if event["kind"] == "transaction" and rng.random() < 0.08
    ]
    return [event for _, event in sorted([*events, *again, *false], key=lambda one: one[0])]


def later(event: Event, minutes: float) -> str:
    return (datetime.fromisoformat(event["event_time"]) + timedelta(minutes=minutes)).isoformat()


def device(event_id: str, ahead: timedelta, **more: Any) -> Event:
    """A payment by a device whose clock is ahead of this machine's."""
    payment = {"kind": "transaction", "account_id": "D1", "amount": 5.0, "currency": "EUR", "counterparty_id": "D2"}
    return {"event_id": event_id, "event_time": (datetime.now(UTC) + ahead).isoformat(), **payment, **more}


def entities_of(event: Event) -> list[tuple[int, str, float]]:
    """Kind, name and value of each entity that the event is a point of."""
    if event["kind"] == "transaction":
        account, counterparty, money = event["account_id"], event["counterparty_id"], event["currency"]
        names = ((ACCOUNT, f"account:{account}/{money}"), (COUNTERPARTY, f"counterparty:{counterparty}/{money}"))
        return [(kind, f"{event.get('tenant', 'main')} {name}", event["amount"]) for kind, name in names]
    if event["kind"] == "request":
        return [(SERVICE, f"main service:{event['service']}", event["latency_ms"])]
    return [(SERIES, f"main series:{event['service']}/{event['metric']}", event["value"])]


class Numbered:
    """Names as numbers, in the order of their first use."""

    def __init__(self) -> None:
        self.names: list[Any] = []

    def of(self, name: Any) -> int:
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name) + 1

    def name(self, number: int) -> Any:
        return self.names[number - 1]


def points(events: Iterable[Event], first_row: int, entities: Numbered, ids: Numbered, contents: Numbered) -> Points:
    """What detect makes of these records, with numbers in place of hashes."""
    found = []
    for row, event in enumerate(events, first_row):
        same = {name: value for name, value in event.items() if name != "event_id"}
        content = contents.of((event["event_id"], json.dumps(same, sort_keys=True)))
        time = micros(datetime.fromisoformat(event["event_time"]))
        found += [
            Point(
                time, value, kind, entities.of(name), ids.of(event["event_id"]), content % 256, event.get("status", 0) >= 500, row
            )
            for kind, name, value in entities_of(event)
        ]
    return columns(found)


def test_a_disordered_stream_ends_in_the_tables_as_the_oracle_says(
    spark: SparkSession, settings: Settings, database: Database
) -> None:
    assert settings.database_url is not None
    chosen = settings_of(
        settings.home, settings.database_url.get_secret_value(), detect=CHOSEN, source={"max_files_per_trigger": 1}
    )
    arrived = delivered(4)
    parts = [part.tolist() for part in np.array_split(np.array(arrived, object), FILES)]
    ahead = timedelta(minutes=50)
    elsewhere = [
        device("d1", ahead, tenant="other"),
        device("d3", ahead, currency="USD"),
    ]  # the id of another tenant is another's
    parts.append([device("d1", ahead), *elsewhere, device("d2", timedelta(minutes=70))])
    for number, part in enumerate(parts):
        land(chosen, part, f"{number}.jsonl")
        os.utime(chosen.landing / f"{number}.jsonl", (number, number))
    for job in (ingest, detect):
        once(spark, chosen, database, job)

    entities, ids, contents = Numbered(), Numbered(), Numbered()
    parts[-1] = parts[-1][:-1]
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    batches = [points(part, start, entities, ids, contents) for part, start in zip(parts, starts, strict=False)]
    said = told(batches, Policy.of(chosen.detect))

    sums = "coalesce(sum({0}), 0)::int as {0}"
    names = ("events", "points", "late", "duplicates", "conflicts")
    [counts] = rows_of(database, f"select {', '.join(sums.format(n) for n in names)} from batches where job = 'detect'")
    conflicting = {one["row"] for one in said.conflicts}  # an event may conflict at one of its entities and be late at the other
    assert counts == {name: said.counts[name] for name in names} | {"conflicts": len(conflicting)}
    assert min(counts.values()) > 5, "too tame a stream proves nothing"

    refused = [row["reason"] for row in rows_of(database, "select reason from quarantined order by record_id")]
    conflict = "an event with this id and another content was seen before"
    assert sorted(refused) == sorted([conflict] * len(conflicting) + ["event_time lies 1 hours in the future"])
    assert spark.read.format("delta").load(chosen.bronze).count() == len(arrived) + 3

    metrics = rows_of(database, METRICS)
    found = {(row.pop("entity"), row.pop("at")): row for row in metrics}
    assert found.keys() == {(entities.name(entity), bucket) for _, entity, bucket in said.metrics}
    for (_, entity, bucket), row in said.metrics.items():
        mine = found[entities.name(entity), bucket]
        assert mine.pop("sum") == pytest.approx(row["sum"], rel=1e-9)
        assert mine == {name: row[name] for name in mine}

    anomalies = rows_of(database, "select tenant || ' ' || entity as entity, event_id, ordinal, severity from anomalies")
    expected = {(entities.name(a["entity_hash"]), ids.name(a["id"]), a["ordinal"]): a["severity"] for a in said.anomalies}
    assert {(a["entity"], a["event_id"], a["ordinal"]): a["severity"] for a in anomalies} == pytest.approx(expected, abs=3e-6)
    assert len(anomalies) > 20
    episodes = rows_of(database, "select tenant || ' ' || entity as entity, first_event_id, revision, detectors from episodes")
    firsts = {a["episode_id"]: ids.name(a["id"]) for a in said.anomalies if a["ordinal"] == 1}
    assert {(e["entity"], e["first_event_id"]): (e["revision"], sorted(e["detectors"])) for e in episodes} == {
        (entities.name(e["entity_hash"]), firsts[name]): (e["hits"], sorted(e["detectors"])) for name, e in said.episodes.items()
    }


METRICS = """select tenant || ' ' || entity as entity, extract(epoch from bucket)::bigint * 1000000 as at, count, sum, anomalies,
                    late, duplicates
             from (select entity_hash, bucket, count, sum, anomalies, late, duplicates from metrics_hour
                   union all select entity_hash, bucket, count, sum, anomalies, late, duplicates from metrics_minute) as metrics
             join entities using (entity_hash)"""
