"""The bundled data: three files of events, the topology and the labels, from one seed."""

import gzip
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from jobs.simulate import faults, fraud, labels, lookalikes, outages, requests, series, shop, spending, world
from jobs.simulate.purchases import HONEST, account_name, as_events, currency, rfc3339, terminal_name, together

START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday in the past: no clock may find these events in the future
REQUEST_HOURS = 12
VISITS = 18_100
LEAST_ACCOUNTS = 160  # a burst of card testing alone needs 90 cards
ACCOUNTS_PER_TERMINAL = 3.2
Event = dict[str, object]


@dataclass(frozen=True)
class Bundle:
    """Lines of each file in the order of arrival, and what is in them."""

    lines: dict[str, list[bytes]]
    labels: labels.Labels


def simulate(seed: int, days: int, measured: Path | None, accounts: int = 480, visits: int = VISITS) -> Bundle:
    """Transactions of so many days, the shop's last twelve hours, and the series in `measured`, all ending together.

    Raises ValueError below two days (nothing is injected in the first 30 hours) or 160 accounts.
    """
    if accounts < LEAST_ACCOUNTS:
        raise ValueError(f"at least {LEAST_ACCOUNTS} accounts are needed")
    if days < 2:
        raise ValueError("at least two days are needed: an entity has a history before anything is injected")
    events: dict[str, list[Event]] = {}
    events["transactions"], card_marks, injected = _cards(seed, days, accounts)
    events["requests"], shop_marks, struck = _shop(seed, days, visits)
    every = series.read(measured, START + timedelta(days=days)) if measured is not None else []
    if every:
        events["measurements"] = series.as_events(every)
    delivered = {name: _deliver(seed, name, listed, injected | struck) for name, listed in events.items()}
    marks = [*card_marks, *shop_marks, *series.incidents(every)]
    return Bundle({name: one.lines for name, one in delivered.items()}, _labels(seed, days, delivered, marks))


def write(bundle: Bundle, folder: Path) -> list[Path]:
    """The files in `folder`; equal bundles give equal bytes on the same zlib."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, lines in bundle.lines.items():
        paths.append(folder / f"{name}.jsonl.gz")
        paths[-1].write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    edges = "".join(f"{caller},{callee}\n" for caller, callee in shop.EDGES)
    (folder / "topology.csv").write_text("caller,callee\n" + edges)
    (folder / "labels.json").write_bytes(labels.as_json(bundle.labels))
    return [*paths, folder / "topology.csv", folder / "labels.json"]


def _cards(seed: int, days: int, accounts: int) -> tuple[list[Event], list[labels.Incident], frozenset[str]]:
    rng = np.random.default_rng([seed, 1])
    land = world.build(rng, accounts, round(accounts / ACCOUNTS_PER_TERMINAL))
    honest = [spending.ordinary(rng, land, days), *lookalikes.lookalikes(rng, land, days)]
    crimes = fraud.crimes(rng, land, days, fraud.Plan.of(days, land.accounts, land.terminals))
    stolen = [replace(crime.bought, incident=np.full(len(crime.bought), number)) for number, crime in enumerate(crimes)]
    bought = together([*honest, *stolen])
    events = as_events(land, bought, START, seed)
    marks = [_mark(number, crime, land) for number, crime in enumerate(crimes)]
    injected = (str(event["event_id"]) for event, number in zip(events, bought.incident, strict=True) if number != HONEST)
    return events, sorted(marks, key=lambda mark: mark.first), frozenset(injected)


def _mark(number: int, crime: fraud.Crime, land: world.World) -> labels.Incident:
    bought = crime.bought
    names = dict.fromkeys(
        f"{kind}:{name}/{currency(land, int(terminal))}"
        for account, terminal in zip(bought.account, bought.terminal, strict=True)
        for kind, name in (("account", account_name(land, int(account))), ("counterparty", terminal_name(land, int(terminal))))
    )
    first, last = rfc3339(START, float(bought.time_s.min())), rfc3339(START, float(bought.time_s.max()))
    return labels.Incident(
        f"{crime.scenario}-{number + 1}", crime.scenario, tuple(names), first, last, "transactions", len(bought)
    )


def _shop(seed: int, days: int, visits: int) -> tuple[list[Event], list[labels.Incident], frozenset[str]]:
    rng = np.random.default_rng([seed, 2])
    span_s = REQUEST_HOURS * 3600.0
    begin_s = days * spending.DAY_S - span_s
    struck = outages.three(rng, begin_s, span_s)
    seen = shop.visits(rng, visits, begin_s, span_s)
    events = requests.as_events(seen, shop.hops(rng, seen, struck), struck, START, seed)
    marks = [_outage_mark(outage, events) for outage in struck]
    inside = (
        str(event["event_id"]) for event in events if any(mark.first <= str(event["event_time"]) <= mark.last for mark in marks)
    )
    return events, marks, frozenset(inside)


def _outage_mark(outage: outages.Outage, events: list[Event]) -> labels.Incident:
    first, last = rfc3339(START, outage.begin_s), rfc3339(START, outage.begin_s + outage.span_s)
    touched = (outage.service, *outage.suffering)
    count = sum(first <= str(event["event_time"]) <= last and event["service"] in touched for event in events)
    names = tuple(f"service:{name}" for name in touched)
    return labels.Incident(outage.scenario, outage.scenario, names, first, last, "requests", count)


def _deliver(seed: int, name: str, events: list[Event], injected: frozenset[str]) -> faults.Delivered:
    number, wrong, each, again, late = {
        "transactions": (3, faults.TRANSACTION_FAULTS, 1, 12, 6),
        "requests": (4, faults.REQUEST_FAULTS, 2, 8, 6),
        "measurements": (5, faults.MEASUREMENT_FAULTS, 1, 0, 0),
    }[name]
    return faults.deliver(np.random.default_rng([seed, number]), events, wrong, each, again, late, injected)


def _labels(seed: int, days: int, delivered: dict[str, faults.Delivered], marks: list[labels.Incident]) -> labels.Labels:
    refused = sum((one.refused for one in delivered.values()), Counter[str]())
    return labels.Labels(
        seed, days, {name: len(one.lines) for name, one in delivered.items()}, tuple(marks), dict(sorted(refused.items())),
        sum(one.duplicates for one in delivered.values()), sum(one.late for one in delivered.values()),
    )  # fmt: skip
