"""The numbered evidence of a brief, and how its values are said. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from rag.names import DETECTORS
from rag.quoting import tokens

Value = str | int | float | list[str] | list[float]
Fields = dict[str, Value]

WINDOW = frozenset(["value", "expected", "low", "high", "mean", "std", "median", "mad", "recent", "min", "max"])
MEASURED = WINDOW | {"amount_at_stake", "hit_values", "hits_sum", "hits_median", "hits_max"}
SHARES = ("rate", "share")
PLAIN = ("severity", "score", "ratio", "confidence", "relevance")


@dataclass(frozen=True)
class Item:
    """One piece of evidence: `fields` may be referred to as {{id.field}}; `text` is for reading, its untrusted parts quoted."""

    id: str
    kind: str
    title: str
    fields: Fields
    text: str = ""

    def number(self, name: str) -> float | None:
        """A numeric field, or None when there is none."""
        value = self.fields.get(name)
        return None if isinstance(value, str | list) or value is None else float(value)

    def words(self, name: str) -> list[str]:
        value = self.fields.get(name)
        return [str(entry) for entry in value] if isinstance(value, list) else [] if value is None else [str(value)]

    def numbers(self, name: str) -> list[float]:
        value = self.fields.get(name)
        return [float(entry) for entry in value] if isinstance(value, list) else []


@dataclass(frozen=True)
class Brief:
    """All evidence about one case, as the council was offered it."""

    case_id: str
    tenant: str
    entity: str
    kind: str
    revision: int
    severity: float
    lane: str
    items: tuple[Item, ...]
    omitted: dict[str, int] = field(default_factory=dict)

    def item(self, item_id: str) -> Item | None:
        return next((item for item in self.items if item.id == item_id), None)

    def of(self, *kinds: str) -> list[Item]:
        return [item for item in self.items if item.kind in kinds]

    def first(self, kind: str) -> Item | None:
        return next((item for item in self.items if item.kind == kind), None)

    @property
    def hash(self) -> str:
        return sha256(canonical(as_json(self)).encode()).hexdigest()


def as_json(brief: Brief) -> dict[str, Any]:
    """The brief as it is stored."""
    return {
        "case_id": brief.case_id, "tenant": brief.tenant, "entity": brief.entity, "kind": brief.kind, "revision": brief.revision,
        "severity": brief.severity, "lane": brief.lane, "omitted": brief.omitted,
        "items": [{"id": i.id, "kind": i.kind, "title": i.title, "fields": i.fields, "text": i.text} for i in brief.items],
    }  # fmt: skip


def from_json(stored: dict[str, Any]) -> Brief:
    """A stored brief as it was."""
    return Brief(**{**stored, "items": tuple(Item(**item) for item in stored["items"])})


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def say(item: Item, name: str) -> str:
    """A field in words, with its unit; digits come from here and nowhere else."""
    value = item.fields[name]
    if isinstance(value, str):
        return value
    if name == "detectors" and isinstance(value, list):
        return ", ".join(DETECTORS.get(str(entry), str(entry)).lower() for entry in value) or "none"
    if isinstance(value, list):
        return ", ".join(entry if isinstance(entry, str) else _number(entry, name, item) for entry in value) or "none"
    return _number(value, name, item)


def _number(value: float, name: str, item: Item) -> str:
    if name in MEASURED:
        return measured(value, str(item.fields.get("unit", "")), str(item.fields.get("currency", "")))
    if name.startswith("score_"):
        return f"{value:.2f}"
    if name.endswith("_ms"):
        return measured(value, "ms")
    if name.endswith("_s"):
        return duration(value)
    if name.endswith(SHARES):
        return f"{value:.1%}"
    if name.startswith(PLAIN) or name.endswith(PLAIN):
        return f"{value:.2f}"
    return short(value)


def measured(value: float, unit: str, currency: str = "") -> str:
    """
    >>> measured(1204.5, 'amount', 'EUR'), measured(.514, 'error rate'), measured(2100, 'ms')
    ('1,204.50 EUR', '51.4%', '2,100 ms')
    """
    if unit == "amount":
        return f"{value:,.2f} {currency}".strip()
    if unit == "error rate":
        return f"{value:.1%}"
    return f"{short(value)} {unit}" if unit in ("ms", "events") else short(value)


def short(value: float) -> str:
    """
    >>> short(3.0), short(0.01234), short(12345.6)
    ('3', '0.0123', '12,346')
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """
    >>> duration(95), duration(5400), duration(0.5)
    ('95 s', '90 min', '0.5 s')
    """
    if abs(seconds) < 600:
        return f"{short(seconds)} s"
    return f"{seconds / 60:.0f} min" if abs(seconds) < 36_000 else f"{seconds / 3600:.1f} h"


def render(item: Item) -> str:
    """One item as the members read it: id, kind, title, every field, then its text."""
    said = "; ".join(f"{name} = {say(item, name)}" for name in item.fields)
    return " | ".join(part for part in (f"{item.id} ({item.kind}) {item.title}", said, item.text) if part)


def omissions(omitted: dict[str, int]) -> str:
    """
    >>> omissions({'section': 2, 'neighbour': 1})
    '3 omitted for want of room: 1 neighbour, 2 section'
    """
    if not omitted:
        return ""
    return f"{sum(omitted.values())} omitted for want of room: " + ", ".join(f"{n} {kind}" for kind, n in sorted(omitted.items()))


def sheet(brief: Brief, kinds: Sequence[str] | None = None) -> str:
    """The brief as text, all of it or the items of some kinds."""
    lines = [f"case {brief.case_id}: {brief.kind} {brief.entity}"]
    lines += [render(item) for item in brief.items if kinds is None or item.kind in kinds]
    return "\n".join([*lines, omissions(brief.omitted)]).strip()


def fit(items: Iterable[Item], budget: int, head: int) -> tuple[list[Item], dict[str, int]]:
    """Keep items in order of importance while they fit into `budget` tokens, numbered anew; count the others by kind."""
    kept: list[Item] = []
    omitted: dict[str, int] = {}
    left = budget - head
    for item in items:
        numbered = Item(f"e{len(kept) + 1}", item.kind, item.title, item.fields, item.text)
        cost = tokens(render(numbered) + "\n")
        if cost <= left:
            kept.append(numbered)
            left -= cost
        else:
            omitted[item.kind] = omitted.get(item.kind, 0) + 1
    return kept, omitted
