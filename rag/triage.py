"""Cheap rules first: which cases the council hears, in which lane, and in what order."""

from typing import Literal

from store.sections.core import Council

Lane = Literal["immediate", "batch", "filed"]


def lane(severity: float, council: Council) -> Lane:
    """The lane of a case with this severity (0..1); `filed` is below the triage bar, and no council hears it.

    A severity that is not a number is heard at once: a fault in scoring must not file a case quietly.
    """
    if not severity < council.immediate_bar:
        return "immediate"
    return "filed" if severity < council.triage_bar else "batch"


def rank(of: Lane) -> int:
    """0 filed, 1 batch, 2 immediate; a case whose rank rises is heard again."""
    return ("filed", "batch", "immediate").index(of)
