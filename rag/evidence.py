"""The evidence in an episode's own hits: what was measured, against what, and what is at stake. Pure."""

import math
from datetime import UTC, datetime
from statistics import median
from typing import Any

from rag import quoting
from rag.facts import Facts, Row
from rag.items import Fields, Item, Value


def item(kind: str, title: str, text: str = "", /, **fields: Any) -> Item:
    """An item without a number yet; unknown values (None, NaN, infinities) are left out, never guessed."""
    return Item("", kind, title, {name: value for name, given in fields.items() if (value := clean(given)) is not None}, text)


def clean(value: Any) -> Value | None:
    """A value as it may stand in stored JSON and come back equal; None when it is unknown."""
    if isinstance(value, bool) or value is None:
        return None if value is None else ("yes" if value else "no")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return [entry for given in value if (entry := clean(given)) is not None and not isinstance(entry, list)]  # type: ignore[return-value]
    if isinstance(value, str):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number == int(number) else float(f"{number:.9g}")


def split_entity(entity: str) -> tuple[str, str, str]:
    """
    >>> split_entity('account:A12/EUR'), split_entity('service:checkout')
    (('account', 'A12', 'EUR'), ('service', 'checkout', ''))
    """
    kind, _, rest = entity.partition(":")
    subject, _, qualifier = rest.rpartition("/") if kind != "service" else (rest, "", "")
    return (kind, subject, qualifier) if subject else (kind, rest, "")


def _measure(facts: Facts, unit: str) -> Fields:
    """Unit and currency of an item's measured values."""
    currency = split_entity(facts.case["entity"])[2] if facts.case["kind"] in ("account", "counterparty") else ""
    return {"unit": unit, "currency": quoting.name(currency)} if currency and unit == "amount" else {"unit": unit}


def episode_item(facts: Facts, hits: list[Row]) -> Item:
    case = facts.case
    return item(
        "episode", f"episode of {quoting.name(case['entity'])}", entity=quoting.name(case["entity"]), hits=case["revision"],
        kept=len(hits), span_s=(case["last_at"] - case["started_at"]).total_seconds(), severity=case["severity"],
        detectors=sorted(case["detectors"]), detector_count=len(set(case["detectors"])), started_at=case["started_at"],
        last_at=case["last_at"], first_ordinal=hits[0]["ordinal"], last_ordinal=hits[-1]["ordinal"],
    )  # fmt: skip


def hit_item(facts: Facts, hit: Row, title: str) -> Item:
    scores = {f"score_{name}": score for name, score in sorted(hit["scores"].items())}
    expected = float(hit["expected"])
    return item(
        "anomaly", title, detector=hit["detector"], value=hit["value"], expected=expected, low=hit["low"], high=hit["high"],
        **_measure(facts, hit["unit"]), ratio=hit["value"] / expected if expected else None, window_size=hit["window_size"],
        severity=hit["severity"], **scores, ordinal=hit["ordinal"], event_time=hit["event_time"],
        event_id=quoting.name(hit["event_id"]),
    )  # fmt: skip


def window_item(facts: Facts, hit: Row) -> Item:
    numbers = {name: value for name, value in sorted(hit["context"].items()) if isinstance(value, int | float)}
    recent = hit["context"].get("recent")
    unit = "value" if facts.case["kind"] == "series" else "ms" if facts.case["kind"] == "service" else "amount"
    return item("window", "the window before the worst hit", **_measure(facts, unit), **numbers, recent=recent)


def hits_item(facts: Facts, hits: list[Row]) -> Item:
    """The kept hits side by side: what each one's event carried."""
    name = {"account": "amount", "counterparty": "amount", "service": "latency_ms"}.get(facts.case["kind"], "value")
    values = [float(v) for hit in hits if (v := (hit["event"] or {}).get(name)) is not None]
    unit = {"amount": "amount", "latency_ms": "ms"}.get(name, "value")
    times = [(hit["event_time"] - hits[0]["event_time"]).total_seconds() for hit in hits]
    return item(
        "hits", "the kept hits in order", **_measure(facts, unit), hit_values=values, hits_sum=sum(values) if values else None,
        hits_median=median(values) if values else None, hits_max=max(values) if values else None, after_s=times,
        strengths=[round(strength(hit), 3) for hit in hits],
    )  # fmt: skip


def strength(hit: Row) -> float:
    """The strongest score over its threshold of a hit."""
    return max((float(score) for score in hit["scores"].values()), default=0.0)


def impact_item(facts: Facts, hits: list[Row], worst: Row) -> Item:
    """What is at stake, from the kept hits alone: a lower bound when hits were not kept."""
    events, context = [hit["event"] or {} for hit in hits], worst["context"]
    if facts.case["kind"] in ("account", "counterparty"):
        amounts = [float(event["amount"]) for event in events if event.get("amount") is not None]
        usual = context.get("median", context.get("mean"))
        return item(
            "impact", "at stake in the kept hits", **_measure(facts, "amount"), amount_at_stake=sum(amounts) if amounts else None,
            payments=len(amounts), accounts=_distinct(events, "account_id"), counterparties=_distinct(events, "counterparty_id"),
            over_usual_ratio=median(amounts) / usual if amounts and usual else None,
        )  # fmt: skip
    return item(
        "impact", "requests and readings affected", requests=context.get("n"), errors=context.get("errors"),
        error_rate=_share(context.get("errors"), context.get("n")), baseline_error_rate=context.get("baseline_error_rate"),
        p95_ms=context.get("p95_ms"), baseline_p95_ms=context.get("baseline_p95_ms"), hits=facts.case["revision"],
    )  # fmt: skip


def _distinct(events: list[Any], name: str) -> int:
    return len({event[name] for event in events if event.get(name)})


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
