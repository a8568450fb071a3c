"""Which traces are kept: all that matter, a set share of the rest, and each kept one says how many it stands for. Pure.

A trace is kept with a probability that depends on what it is and on what came before it, never on its own draw; its weight is
1 / probability. Sums of weights times values then estimate the sums over everything that came, without bias
(Horvitz and Thompson 1952).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from observe.words import content

BANDS, ROWS = 4, 2  # two questions of similarity s share a shape with probability 1 - (1 - s²)⁴
GRAIN = 1 << 64


@dataclass(frozen=True)
class Case:
    """What the decision about one trace rests on. Unknown numbers are None: they make it neither slow nor costly."""

    trace_id: str
    error: bool
    latency_ms: float | None
    cost: float | None
    low: bool
    flagged: bool
    novel: bool


@dataclass(frozen=True)
class Policy:
    """`share` of ordinary traces is kept. None: no bar."""

    share: float
    slow_ms: float | None
    costly: float | None


@dataclass(frozen=True)
class Decision:
    """`weight` is 1 / the probability of being kept."""

    keep: bool
    why: tuple[str, ...]
    weight: float


def decide(case: Case, policy: Policy) -> Decision:
    """Keep it or not: certain reasons first, else by the hash of its id."""
    if reasons := matters(case, policy):
        return Decision(True, reasons, 1.0)
    return Decision(draw(case.trace_id) < policy.share, ("share",), 1 / policy.share)


def matters(case: Case, policy: Policy) -> tuple[str, ...]:
    """Why a trace is kept in any case; empty when it is an ordinary one."""
    found = {
        "error": case.error,
        "slow": policy.slow_ms is not None and case.latency_ms is not None and case.latency_ms >= policy.slow_ms,
        "costly": policy.costly is not None and case.cost is not None and case.cost >= policy.costly,
        "low": case.low,
        "flagged": case.flagged,
        "novel": case.novel,
    }
    return tuple(name for name, holds in found.items() if holds)


def draw(trace_id: str) -> float:
    """A number in [0, 1) that belongs to the id: the same on every worker and every retry."""
    return (
        int.from_bytes(hashlib.blake2b(trace_id.encode("utf-8", "replace"), digest_size=8, person=b"conclave-keep").digest())
        / GRAIN
    )


def shapes(query: str, model: str, prompt: str) -> tuple[int, ...]:
    """Four hashes of a question's set of words, of which similar questions share at least one (bands of MinHash, Broder 1997).

    Model and prompt are part of them: the first questions to a new model or prompt are novel.
    """
    words = sorted(set(content(query))) or [""]
    least = [min(_hash(f"{seed} {word}") for word in words) for seed in range(BANDS * ROWS)]
    bands = [least[band * ROWS : (band + 1) * ROWS] for band in range(BANDS)]
    return tuple(_hash(f"{band} {model}\0{prompt}\0{values}") - (1 << 63) for band, values in enumerate(bands))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def novel(own: Sequence[int], seen: frozenset[int]) -> bool:
    """Whether no shape of it was seen before."""
    return not any(shape in seen for shape in own)
