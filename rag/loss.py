"""What a case may cost: the amount at stake × severity × confidence, and in words how that was reckoned. Pure.

A payment counts once however many members of a case it flagged. Only kept hits are counted, so it is a lower bound.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from store.sections.desk import Desk


@dataclass(frozen=True)
class Loss:
    """`amount` in `currency`, None when it is unknown; `words` say how it came about or what is missing."""

    amount: float | None
    currency: str
    words: str


def stake(events: Iterable[dict[str, Any]], impact: dict[str, Any]) -> dict[str, Any]:
    """What is at stake in one case: its kept payments by event id, or the requests that failed (a brief's impact)."""
    payments = {
        str(event["event_id"]): [float(event["amount"]), str(event.get("currency") or "")]
        for event in events
        if event.get("amount") is not None and math.isfinite(float(event["amount"]))
    }
    failed = impact.get("errors")
    return {"payments": payments} | ({} if failed is None else {"requests": float(failed)})


def expected(stakes: Iterable[dict[str, Any]], severity: float, confidence: float, desk: Desk) -> Loss:
    """The expected loss of a case from its members' stakes, the worst severity and the highest confidence, both 0..1."""
    kept = list(stakes)
    payments: dict[str, list[Any]] = {key: value for one in kept for key, value in one.get("payments", {}).items()}
    if payments:
        return _of_payments(list(payments.values()), severity, confidence, desk)
    requests = [float(one["requests"]) for one in kept if one.get("requests") is not None]
    if requests and desk.cost_per_request is not None:  # members that call each other share their failed requests
        amount, said = max(requests) * desk.cost_per_request, f"{max(requests):,.0f} failed requests"
        return _weighed(amount, f"{said} at {desk.cost_per_request:,.2f} {desk.currency}", severity, confidence, desk.currency)
    why = "what a failed request costs is not set (desk.cost_per_request)" if requests else "no amount is in its evidence"
    return Loss(None, desk.currency, f"unknown: {why}")


def weight(loss: Loss, severity: float, desk: Desk) -> float:
    """What orders the inbox: the loss, or an assumed stake × severity where it is unknown or in a currency without a rate."""
    known = loss.amount is not None and loss.currency == desk.currency
    return float(loss.amount or 0.0) if known else desk.assumed_stake * severity


def _of_payments(payments: list[list[Any]], severity: float, confidence: float, desk: Desk) -> Loss:
    worth = {desk.currency: 1.0, **desk.rates}
    if missing := sorted({currency or "(none)" for _, currency in payments if currency not in worth}):
        foreign = f"the worth of {', '.join(missing)} in {desk.currency} is not set (desk.rates)"
        if len(missing) > 1 or any(currency in worth for _, currency in payments) or missing == ["(none)"]:
            return Loss(None, desk.currency, f"unknown: {foreign}")
        return _weighed(_sum(payments, {missing[0]: 1.0}), _count(payments), severity, confidence, missing[0])
    return _weighed(_sum(payments, worth), _count(payments), severity, confidence, desk.currency)


def _sum(payments: list[list[Any]], worth: dict[str, float]) -> float:
    return sum(float(amount) * worth[currency] for amount, currency in payments)


def _count(payments: list[list[Any]]) -> str:
    return f"in {len(payments)} payment{'s' if len(payments) != 1 else ''}"


def _weighed(amount: float, of: str, severity: float, confidence: float, currency: str) -> Loss:
    total = amount * severity * confidence
    if not math.isfinite(total):
        return Loss(None, currency, "unknown: the amounts are too large to add up")
    words = (
        f"at least {amount:,.2f} {currency} {of} × severity {severity:.2f} × confidence {confidence:.2f}"
        f" = {total:,.2f} {currency}"
    )
    return Loss(round(total, 2), currency, words)
