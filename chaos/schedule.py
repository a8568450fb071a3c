"""Which faults strike in which order: a pure function of the seed, so that a run can be repeated and a part of it, too."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Literal

Part = Literal["whole", "python", "jvm"]
PARTS: tuple[Part, ...] = ("whole", "whole", "python", "jvm")


@dataclass(frozen=True)
class Fault:
    """The `number`-th fault (from 1) of a schedule; `part` is which part of a Spark job a kill hits."""

    number: int
    kind: str
    part: Part


def schedule(seed: int, kills: int, essential: Sequence[str], every: Sequence[str]) -> tuple[Fault, ...]:
    """The first `kills` faults of the seed: the essential kinds once each, then all kinds over and over, each round shuffled.

    A longer schedule begins with the shorter one.

    >>> short, long = schedule(1, 3, ["a", "b"], ["a", "b", "c"]), schedule(1, 9, ["a", "b"], ["a", "b", "c"])
    >>> long[:3] == short, sorted(fault.kind for fault in long[2:5])
    (True, ['a', 'b', 'c'])
    """
    draw = random.Random(f"conclave chaos {seed}")  # noqa: S311
    kinds = (kind for deck in chain([essential], repeat(every)) for kind in draw.sample(list(deck), k=len(deck)))
    return tuple(Fault(number, kind, draw.choice(PARTS)) for number, kind in enumerate(islice(kinds, kills), 1))


def chosen(faults: Sequence[Fault], only: int | None, first: int) -> tuple[Fault, ...]:
    """The faults that `--only` or `--from` leave."""
    return tuple(fault for fault in faults if (fault.number == only if only is not None else fault.number >= first))
