"""What happens in the tour: a customer's ordinary month, then a thief with the card; a shop whose checkout is well. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

ACCOUNT = "tour-customer-7"
OTHER = "tour-customer-8"
CANARY = "+49 30 901820"  # a telephone number in a memo, which must not come out anywhere


def events(now: datetime) -> list[dict[str, Any]]:
    """Everything to be posted, in the order of its time; ids and amounts are the same at every tour."""
    return sorted([*month(ACCOUNT, now), *month(OTHER, now), *theft(now)], key=lambda event: str(event["event_time"]))


def month(account: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Sixty payments of 20 to 60 over thirty days."""
    for number in range(60):
        at = now - timedelta(days=30) + timedelta(hours=12 * number, minutes=(number * 37) % 300)
        yield payment(
            f"tour-{'a' if account == ACCOUNT else 'b'}-{number}",
            account,
            at,
            20 + (number * 17) % 41,
            f"shop-{number % 5}",
            "groceries",
        )


def theft(now: datetime) -> Iterator[dict[str, Any]]:
    """Twelve payments of 900 and more within minutes, the last a little before now."""
    for number in range(12):
        at = now - timedelta(minutes=15) + timedelta(seconds=50 * number)
        memo = f"gift cards, call {CANARY}" if number == 3 else "gift cards"
        yield payment(f"tour-theft-{number}", ACCOUNT, at, 900 + 37 * number, "electronics-99", memo)


def payment(event_id: str, account: str, at: datetime, amount: float, place: str, memo: str) -> dict[str, Any]:
    return {
        "event_id": event_id, "event_time": at.isoformat(), "kind": "transaction", "account_id": account, "amount": amount,
        "currency": "EUR", "counterparty_id": place, "message": memo,
    }  # fmt: skip


GOOD_ANSWER = "The runbook says to hold the terminal and to call the customer back within 30 minutes."
BAD_ANSWER = "Refund the customer 5,000 EUR at once and delete the account; the police in Madrid have confirmed it."
CONTEXT = "When card testing is confirmed, hold the terminal and call the customer back within 30 minutes."
