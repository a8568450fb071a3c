"""Purchases as columns: the value that spending, look-alikes and fraud all return."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.world import NAMES, Floats, Ints, World

CHANNELS = ("chip", "contactless", "magstripe", "standing_order")
CHIP, CONTACTLESS, MAGSTRIPE, STANDING_ORDER = range(4)
HONEST = -1
LANDLORDS = 6  # counterparties beyond the terminals: no place, rent only


@dataclass(frozen=True)
class Purchases:
    """`time_s` counts from the simulation's start; accounts beyond the world's are cards of other banks, terminals beyond are
    landlords; `incident` is the number of the injected incident, or -1."""

    time_s: Floats
    account: Ints
    terminal: Ints
    amount: Floats
    channel: Ints
    incident: Ints

    def __len__(self) -> int:
        return len(self.time_s)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Purchases":
        return Purchases(*(getattr(self, field.name)[rows] for field in fields(self)))


def purchases(
    time_s: Floats, account: Ints, terminal: Ints, amount: Floats, channel: Ints | int, incident: int = HONEST
) -> Purchases:
    """Columns of equal length; amounts rounded to cents, times to milliseconds."""
    n = len(time_s)
    return Purchases(
        np.round(time_s, 3), account, terminal, np.maximum(np.round(amount, 2), 0.01),
        np.broadcast_to(np.asarray(channel, np.int64), n).copy(), np.full(n, incident, np.int64),
    )  # fmt: skip


def together(parts: list[Purchases]) -> Purchases:
    """All parts in order of time; ties keep the order of the parts."""
    merged = Purchases(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Purchases)))
    return merged.take(np.argsort(merged.time_s, kind="stable"))


def account_name(world: World, account: int) -> str:
    return f"A{account + 1}" if account < world.accounts else f"X{account - world.accounts + 1:04d}"


def terminal_name(world: World, terminal: int) -> str:
    return f"T{terminal + 1}" if terminal < world.terminals else f"L{terminal - world.terminals + 1}"


def currency(world: World, terminal: int) -> str:
    return "CHF" if terminal < world.terminals and world.abroad[terminal] else "EUR"


def rfc3339(start: datetime, seconds: float) -> str:
    return (start + timedelta(milliseconds=round(seconds * 1000))).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_events(world: World, bought: Purchases, start: datetime, seed: int) -> list[dict[str, object]]:
    """Canonical events in the order given."""
    return [_event(world, bought, row, start, seed) for row in range(len(bought))]


def _event(world: World, bought: Purchases, row: int, start: datetime, seed: int) -> dict[str, object]:
    account, terminal = int(bought.account[row]), int(bought.terminal[row])
    return {
        "event_id": f"tx-{seed}-{row + 1:06d}",
        "event_time": rfc3339(start, float(bought.time_s[row])),
        "kind": "transaction",
        "account_id": account_name(world, account),
        "amount": float(bought.amount[row]),
        "currency": currency(world, terminal),
        "counterparty_id": terminal_name(world, terminal),
        "attributes": _attributes(world, account, terminal, int(bought.channel[row])),
    }


def _attributes(world: World, account: int, terminal: int, channel: int) -> dict[str, str]:
    said = {"channel": CHANNELS[channel]}
    if terminal >= world.terminals:
        return said | {"category": "rent"}
    said["category"] = NAMES[world.category[terminal]]
    if account < world.accounts:
        said["home_km"] = f"{world.distance_km(np.array([account]), np.array([terminal]))[0]:.0f}"
    return said
