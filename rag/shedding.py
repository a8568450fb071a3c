"""Which cases a docket that is too deep keeps: those with the most to lose. Pure; the others are filed, never lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag import loss
from rag.loss import Loss
from store.sections.desk import Desk


@dataclass(frozen=True)
class Standing:
    """A case that waits. `weight` orders: its expected loss, or an assumed stake × severity where that is unknown."""

    case_id: str
    severity: float
    weight: float


@dataclass(frozen=True)
class Over:
    """A case for which there is no room: its place (1 has the most to lose) among all that stood."""

    case: Standing
    rank: int
    of_all: int


def weighed(severity: float, stake: dict[str, Any], desk: Desk) -> tuple[Loss, float]:
    """What an unheard case may cost and what it weighs; nobody has doubted it yet, so its confidence counts as 1.

    `stake` as rag.loss.stake gives it.
    """
    found = loss.expected([stake], severity, 1.0, desk)
    return found, loss.weight(found, severity, desk)


def ranked(standing: Sequence[Standing]) -> list[Standing]:
    """The most to lose first; equals by severity, then by id, so that the order is always the same one.

    A weight that is not a number comes first: a fault in reckoning must not file a case quietly.
    """
    return sorted(standing, key=lambda case: (-_heavy(case.weight), -_heavy(case.severity), case.case_id))


def over(standing: Sequence[Standing], room: int) -> tuple[list[Standing], list[Over]]:
    """The `room` cases with the most to lose, and the others, both in their order.

    >>> kept, filed = over([Standing("a", 0.9, 5.0), Standing("b", 0.6, 800.0)], 1)
    >>> [case.case_id for case in kept], [(one.case.case_id, one.rank, one.of_all) for one in filed]
    (['b'], [('a', 2, 2)])
    """
    order = ranked(standing)
    return order[:room], [Over(case, rank, len(order)) for rank, case in enumerate(order[room:], start=room + 1)]


def _heavy(value: float) -> float:
    return math.inf if math.isnan(value) else value
