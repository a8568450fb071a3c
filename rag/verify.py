"""What can be recomputed about a brief and the opinions on it, without believing either. Pure.

The formulas are written here a second time, from their sources and not from the detectors' code: a check that calls
what it checks finds nothing.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from rag.items import Brief, Item
from rag.opinion import Spoken, offered, references

CLOSE = 0.02  # relative; stored values have nine digits, windows keep amounts in steps of 0.1 %
KEPT_HITS = 20  # an episode's first hits are all kept
FLOORS = {"amount_z": 0.05, "amount_robust_z": 0.1}  # least spread, nats
FLOOR_SHARE = 0.01  # least spread of a series, as a share of its level
SD_PER_MAD = 1.4826


@dataclass(frozen=True)
class Check:
    """One recomputation. `item` is a brief item's id; `role` is set when it is about a member's opinion."""

    check: str
    item: str
    ok: bool
    detail: str
    role: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "role" or value}


def examine(brief: Brief, spoken: Iterable[Spoken]) -> list[Check]:
    """Every check of the evidence, then of each opinion in the order of its role."""
    checks = [*examine_evidence(brief)]
    for one in sorted(spoken, key=lambda one: one.role):
        checks += examine_opinion(brief, one)
    return checks


def examine_evidence(brief: Brief) -> Iterator[Check]:
    """What the items claim about each other and about themselves."""
    window = brief.first("window")
    for episode in brief.of("episode"):
        yield _hits(brief, episode)
    for item in brief.of("anomaly"):
        yield _outside(item)
        yield from _ratio(item)
        if window is not None and item.title == "worst hit":
            yield from _score(item, window)
            yield from _measured(item, window)
    for item in brief.of("hits"):
        yield from _sums(item)
    for item in brief.of("impact"):
        yield from _share(item)
    hits = brief.first("hits")
    for item in brief.of("impact"):
        yield from _stake(item, hits)


def examine_opinion(brief: Brief, one: Spoken) -> Iterator[Check]:
    """Each citation must have been offered to this member; each reference must name a value of an offered item."""
    seen = offered(one.role, brief)
    for item_id in dict.fromkeys(one.opinion.citations):
        ok = item_id in seen
        detail = "was offered" if ok else "was not offered to this member" if brief.item(item_id) else "does not exist"
        yield Check("citation", item_id, ok, detail, one.role)
    for item_id, name in references(one.opinion):
        item = brief.item(item_id)
        ok = item_id in seen and item is not None and name in item.fields
        lacking = f"{item_id}.{name} is not in this member's evidence"
        detail = f"{name} = {item.fields[name]}" if ok and item is not None else lacking
        yield Check("reference", item_id, ok, detail, one.role)


def _hits(brief: Brief, episode: Item) -> Check:
    """An episode's revision counts its hits: all of the first 20 are kept, and no hit is numbered beyond it."""
    kept, last = int(episode.number("kept") or 0), int(episode.number("last_ordinal") or 0)
    least = min(brief.revision, KEPT_HITS)
    ok = episode.number("hits") == brief.revision and least <= kept <= brief.revision and last <= brief.revision
    return Check("hits", episode.id, ok, f"{kept} kept, the last numbered {last}, of {brief.revision}")


def _outside(item: Item) -> Check:
    value, low, high = (item.number(name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return Check("outside", item.id, False, "value or range is missing")
    ok = value < low or value > high or math.isclose(value, low) or math.isclose(value, high)
    return Check("outside", item.id, ok, f"{value:g} against {low:g} to {high:g}")


def _ratio(item: Item) -> Iterator[Check]:
    value, expected, ratio = (item.number(name) for name in ("value", "expected", "ratio"))
    if value is not None and expected and ratio is not None:
        yield _same("ratio", item, ratio, value / expected)


def _score(item: Item, window: Item) -> Iterator[Check]:
    """The leading detector's score over its threshold, from the window's moments and the range's half width."""
    detector = str(item.fields.get("detector", ""))
    claimed, n = item.number(f"score_{detector}"), window.number("n")
    z, half = _deviate(detector, item, window), _half_width(detector, item, window)
    if claimed is not None and n is not None and z is not None and half:
        yield _same("score", item, claimed, normal_deviate(z, n - 1) / half)


def _deviate(detector: str, item: Item, window: Item) -> float | None:
    """How many widened standard deviations the value lies from the centre."""
    value, n = item.number("value"), window.number("n")
    if value is None or n is None or n < 2:
        return None
    widen = math.sqrt(1 + 1 / n)
    if detector == "amount_z" and (moments := _both(window, "log_mean", "log_std")):
        spread = math.sqrt(moments[1] ** 2 * n / (n - 1) + FLOORS[detector] ** 2)
        return (math.log(max(abs(value), 1e-3)) - moments[0]) / (spread * widen)
    if detector == "amount_robust_z" and (robust := _both(window, "median", "log_mad")):
        return (math.log(max(abs(value), 1e-3)) - math.log(robust[0])) / max(SD_PER_MAD * robust[1], FLOORS[detector])
    if detector == "value_z" and (moments := _both(window, "mean", "std")):
        spread = moments[1] ** 2 * n / (n - 1) * (1 + 1 / n) + (FLOOR_SHARE * moments[0]) ** 2
        return (value - moments[0]) / math.sqrt(spread) if spread > 0 else None
    return None


def _half_width(detector: str, item: Item, window: Item) -> float | None:
    """The threshold, as the range shows it: half its width in standard deviations."""
    expected, high = item.number("expected"), item.number("high")
    if expected is None or high is None:
        return None
    if detector == "amount_z" and (log_std := window.number("log_std")) is not None and 0 < expected < high:
        return math.log(high / expected) / math.hypot(log_std, FLOORS[detector])
    if detector == "amount_robust_z" and (mad := window.number("log_mad")) is not None and 0 < expected < high:
        return math.log(high / expected) / max(SD_PER_MAD * mad, FLOORS[detector])
    if detector == "value_z" and (std := window.number("std")) is not None:
        spread = math.hypot(std, FLOOR_SHARE * expected)
        return (high - expected) / spread if spread else None
    return None


def normal_deviate(t: float, freedom: float) -> float:
    """The normal deviate as unlikely as Student's t (Wallace 1959).

    >>> round(normal_deviate(4.0, 9), 1)
    3.0
    """
    freedom = max(freedom, 1.0)
    return (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))


def _measured(item: Item, window: Item) -> Iterator[Check]:
    """Values that the window's own counts give: an error rate, a p95, a burst."""
    unit, value = item.fields.get("unit"), item.number("value")
    if value is None:
        return
    if unit == "error rate" and (counts := _both(window, "errors", "n")):
        yield _same("error rate", item, value, counts[0] / max(counts[1], 1))
    if unit == "ms" and (p95 := window.number("p95_ms")) is not None:
        yield _same("p95", item, value, p95)
    if unit == "events" and (burst := window.number("burst")) is not None:
        yield _same("burst", item, value, burst)


def _sums(item: Item) -> Iterator[Check]:
    values = item.numbers("hit_values")
    total, middle, most = (item.number(name) for name in ("hits_sum", "hits_median", "hits_max"))
    if values and total is not None and middle is not None and most is not None:
        yield _same("sum", item, total, math.fsum(values))
        yield _same("median", item, middle, median(values))
        yield _same("largest", item, most, max(values))


def _share(item: Item) -> Iterator[Check]:
    rate, counts = item.number("error_rate"), _both(item, "errors", "requests")
    if rate is not None and counts:
        yield _same("share", item, rate, counts[0] / max(counts[1], 1))


def _stake(item: Item, hits: Item | None) -> Iterator[Check]:
    stake = item.number("amount_at_stake")
    if stake is not None and hits is not None and hits.numbers("hit_values"):
        yield _same("at stake", item, stake, math.fsum(hits.numbers("hit_values")))


def _both(item: Item, one: str, other: str) -> tuple[float, float] | None:
    first, second = item.number(one), item.number(other)
    return None if first is None or second is None else (first, second)


def _same(check: str, item: Item, claimed: float, found: float) -> Check:
    ok = math.isclose(claimed, found, rel_tol=CLOSE, abs_tol=1e-9)
    return Check(check, item.id, ok, f"claimed {claimed:g}, recomputed {found:g}")
