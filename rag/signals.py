"""What kind of thing a case looks like, in figures and in words to search the runbook with. Pure."""

import re
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Literal

from rag import quoting
from rag.facts import Facts, Row
from rag.items import Brief
from rag.topology import Topology

Pattern = Literal[
    "spree", "large payment", "test payment", "card testing", "odd payments", "burst", "errors", "slowness", "shift"
]
FAR, SMALL = 4.0, 0.25  # payments so many times over, or at most this share of, the usual amount
MANY_ACCOUNTS = 3

WORDS: dict[Pattern, str] = {
    "spree": "stolen card spending spree, many dear purchases at several merchants within an hour or two",
    "large payment": "single large amount, one payment far above what the account usually pays",
    "test payment": "card testing, a small payment with a card at a terminal to see whether it works",
    "card testing": "card testing at a terminal, burst of small payments from many different accounts within minutes",
    "odd payments": "terminal compromise, unusual amounts at one merchant or terminal",
    "burst": "velocity abuse, many payments in a short time at usual amounts",
    "errors": "bad deploy, a new version throws exceptions, error rate of a service jumps",
    "slowness": "latency of a service rises, requests wait for a connection of an exhausted pool",
    "shift": "metric out of range, level shift, spike or drop of a measured series",
}
HONEST: dict[Pattern, str] = {
    "spree": "customer travelling, holiday, shared family account",
    "large payment": "salary, rent and other regular large payments",
    "test payment": "first payment to a new merchant, small honest payment",
    "card testing": "busy place, holiday season and sales days",
    "odd payments": "first payments to a new merchant, sales days",
    "burst": "holiday season and sales days, busy hour",
    "errors": "planned maintenance, load test or drill",
    "slowness": "planned maintenance, load test or drill",
    "shift": "planned maintenance",
}


@dataclass(frozen=True)
class Signals:
    """Figures of a case; unknown ones are None. `over_usual` is the hits' median amount over the window's."""

    kind: str
    pattern: Pattern
    strength: float
    agreement: int
    hits: int
    window: int
    over_usual: float | None
    accounts: int
    counterparties: int


def pattern(kind: str, velocity: bool, unit: str, hits: int, over_usual: float | None, accounts: int, places: int) -> Pattern:
    """
    >>> pattern('counterparty', True, 'events', 30, 0.04, 20, 1), pattern('account', False, 'amount', 1, 40.0, 1, 1)
    ('card testing', 'large payment')
    """
    if kind == "service":
        return "slowness" if unit == "ms" else "errors"
    if kind == "series":
        return "shift"
    small, far = over_usual is not None and over_usual <= SMALL, over_usual is not None and over_usual >= FAR
    if kind == "counterparty":
        if small and accounts >= MANY_ACCOUNTS:
            return "card testing"
        return "burst" if velocity and not (small or far) else "odd payments"
    if small:
        return "test payment"
    if far:
        return "spree" if hits > 1 and (places > 1 or velocity) else "large payment"
    return "burst" if velocity else "odd payments"


def signals(brief: Brief) -> Signals:
    """The figures of a brief; they come from its items and so can be cited."""
    episode, hits, impact = brief.first("episode"), brief.first("hits"), brief.first("impact")
    worst = next((item for item in brief.of("anomaly") if item.title == "worst hit"), None)
    names = episode.words("detectors") if episode else []
    over = impact.number("over_usual_ratio") if impact else None
    accounts = int((impact.number("accounts") if impact else None) or 0)
    places = int((impact.number("counterparties") if impact else None) or 0)
    unit = str(worst.fields.get("unit", "")) if worst else ""
    window = brief.first("window")
    baseline = window.number("baseline_n") if window else None
    return Signals(
        kind=brief.kind, pattern=pattern(brief.kind, "velocity" in names, unit, brief.revision, over, accounts, places),
        strength=max(hits.numbers("strengths"), default=0.0) if hits else 0.0, agreement=len(names), hits=brief.revision,
        window=int(baseline or (worst.number("window_size") if worst else None) or 0), over_usual=over, accounts=accounts,
        counterparties=places,
    )  # fmt: skip


LIKELY: dict[Pattern, str] = {
    "spree": "It looks like a stolen card being spent.",
    "large payment": "It looks like a payment that is not the customer's own.",
    "test payment": "It looks like a stolen card being tried out before it is spent.",
    "card testing": "It looks like stolen card numbers being tried out here.",
    "burst": "It looks like payments made by a script.",
}


def query(facts: Facts) -> str:
    """Words to find the runbook's sections with; cases of one pattern ask the same, so answers can be kept."""
    if not facts.hits:
        return ""
    worst = max(facts.hits, key=lambda hit: (hit["severity"], -hit["ordinal"]))
    words = WORDS[_pattern(facts, worst)]
    if facts.case["kind"] != "service":
        return f"{words} {facts.case['kind']}"
    if _callee_ill(facts):
        return "several services failing at once, find the one that the others call"
    if named_callees(facts):
        return f"third-party outage, an external provider fails, {_said(facts)}"
    return f"{words} {_said(facts)}".strip()


def named_callees(facts: Facts) -> list[str]:
    """Services that this one calls and that its events' messages name: a hint, since whoever sends an event writes it."""
    words = set(re.findall(r"[\w-]+", " ".join(str((hit["event"] or {}).get("message") or "") for hit in facts.hits)))
    return [callee for callee in Topology.of(facts.edges).callees(facts.case["entity"].partition(":")[2]) if callee in words]


def _said(facts: Facts) -> str:
    """What the hits' events say, the commonest first: the runbook's symptoms are often in the very words."""
    messages = Counter(quoting.plain(text, 120) for hit in facts.hits if (text := (hit["event"] or {}).get("message")))
    return " ".join(text for text, _ in sorted(messages.items(), key=lambda pair: (-pair[1], pair[0]))[:3])


def _callee_ill(facts: Facts) -> bool:
    own = facts.case["entity"].partition(":")[2]
    ill = {row["service"] for row in facts.neighbours if row["kind"] == "service"}
    return bool(Topology.of(facts.edges).deepest(own, ill - {own}))


def counter_query(facts: Facts) -> str:
    """Words to find the honest explanation with: what the same figures look like when nothing is wrong."""
    if not facts.hits:
        return ""
    worst = max(facts.hits, key=lambda hit: (hit["severity"], -hit["ordinal"]))
    return f"{HONEST[_pattern(facts, worst)]} {facts.case['kind']}"


def _pattern(facts: Facts, worst: Row) -> Pattern:
    events = [hit["event"] or {} for hit in facts.hits]
    amounts = [float(event["amount"]) for event in events if event.get("amount") is not None]
    usual = worst["context"].get("median", worst["context"].get("mean"))
    over = median(amounts) / usual if amounts and usual else None
    accounts, places = (len({e[name] for e in events if e.get(name)}) for name in ("account_id", "counterparty_id"))
    velocity = "velocity" in facts.case["detectors"]
    return pattern(facts.case["kind"], velocity, worst["unit"], facts.case["revision"], over, accounts, places)
