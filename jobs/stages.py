"""Where a worker's CPU time goes, by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_spent: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the CPU time of this process inside the block to a stage."""
    began = time.process_time()
    try:
        yield
    finally:
        _spent[name] = _spent.get(name, 0.0) + time.process_time() - began


def taken() -> dict[str, float]:
    """CPU seconds by stage since the last call."""
    found = dict(_spent)
    _spent.clear()
    return found


def added(parts: list[dict[str, float]]) -> dict[str, float]:
    """The stages of several tasks together.

    >>> added([{"check": 1.0}, {"check": 0.5, "write": 0.25}])
    {'check': 1.5, 'write': 0.25}
    """
    names = sorted({name for part in parts for name in part})
    return {name: round(sum(part.get(name, 0.0) for part in parts), 3) for name in names}
