"""What the product is fed: a pure function of seed and step, in order of event time, each step with something to find.

Amounts and latencies are multiples of a quarter, so that sums of them are exact: where batches are cut changes no bit of them.
"""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNTS, TERMINALS = 24, 6
BROKEN = (
    b'{"event_id": "cut off',
    b'{"event_id": "x", "event_time": "2026-03-01T00:00:00", "kind": "transaction", "account_id": "A", "amount": 1}',
    b'{"event_id": "x", "event_time": "2026-03-01T00:00:00Z", "kind": "request", "service": "c", "status": "ok"}',
)
Event = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A step's records in order; `before` the fault, and `after` it, while the product is down or healing."""

    number: int
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


def step(seed: int, number: int) -> Step:
    """The records of one step: an hour of payments, requests and measurements; step 0 is the eight hours before that."""
    draw = random.Random(f"conclave chaos input {seed} {number}")  # noqa: S311
    hours = 8 if number == 0 else 1
    begin = START + timedelta(hours=number - 1) if number else START - timedelta(hours=hours)
    events = [*payments(draw, number, hours), *requests(draw, number, hours), *measurements(draw, number, hours)]
    records = delivered(draw, stamped(events, begin, number))
    cut = len(records) * 2 // 3
    return Step(number, tuple(records[:cut]), tuple(records[cut:]))


def payments(draw: random.Random, number: int, hours: int) -> list[tuple[float, Event]]:
    """(seconds after the step's begin, event): six payments an hour and account, two accounts with a spree."""
    found = []
    for account in range(ACCOUNTS):
        for _ in range(6 * hours):
            found.append((draw.uniform(0, hours * 3600), payment(account, draw.randrange(80, 240) / 4, draw)))  # noqa: PERF401
    for account in draw.sample(range(ACCOUNTS), 2) if number else ():
        begun = draw.uniform(0, 3000)
        found += [(begun + 40 * n, payment(account, draw.randrange(3200, 4800) / 4, draw)) for n in range(4)]
    return found


def payment(account: int, amount: float, draw: random.Random) -> Event:
    return {"kind": "transaction", "account_id": f"A{account:02d}", "amount": amount, "currency": "EUR",
            "counterparty_id": f"T{draw.randrange(TERMINALS)}"}  # fmt: skip


def requests(draw: random.Random, number: int, hours: int) -> list[tuple[float, Event]]:
    """Thirty requests in each of six minutes an hour; in every third step the last of these minutes fails."""
    found = list[tuple[float, Event]]()
    for minute in range(0, 60 * hours, 10):
        failing = number % 3 == 1 and minute == 50
        for n in range(30):
            bad = failing and n % 3 > 0
            request = {"kind": "request", "service": "checkout", "status": 503 if bad else 200,
                       "latency_ms": draw.randrange(3200, 4000) / 4 if bad else draw.randrange(60, 140) / 4}  # fmt: skip
            found.append((60 * minute + 2 * n, request | ({"message": "no connection in pool"} if bad else {})))
    return found


def measurements(draw: random.Random, number: int, hours: int) -> list[tuple[float, Event]]:
    """One a minute; every second step has a spike."""
    found = []
    for minute in range(60 * hours):
        value = 400.0 if number % 2 == 1 and minute == 40 else draw.randrange(160, 180) / 4
        found.append((60.0 * minute + 7, {"kind": "measurement", "service": "db", "metric": "cpu", "value": value}))
    return found


def stamped(events: list[tuple[float, Event]], begin: datetime, number: int) -> list[Event]:
    """In order, each with an id and a time of its own."""
    ordered = sorted(enumerate(events), key=lambda one: (one[1][0], one[0]))
    return [
        {"event_id": f"s{number}-{n}", "event_time": (begin + timedelta(seconds=int(at), microseconds=n)).isoformat()} | event
        for n, (_, (at, event)) in enumerate(ordered)
    ]


def delivered(draw: random.Random, events: list[Event]) -> list[bytes]:
    """As a source delivers it: some records twice, one id with another content, some that are none."""
    records = [json.dumps(event).encode() for event in events]
    conflicting = draw.randrange(20, len(events) - 20)
    twin = dict(events[conflicting], event_time=events[conflicting + 1]["event_time"])
    extra = [(draw.randrange(len(records)), raw) for raw in BROKEN]
    extra += [(place + 3, records[place]) for place in draw.sample(range(len(records) - 5), 5)]
    extra.append((conflicting + 2, json.dumps(twin).encode()))
    for place, raw in sorted(extra, key=lambda one: one[0], reverse=True):
        records.insert(place, raw)
    return records
