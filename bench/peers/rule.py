"""The rule that every peer applies, in plain Python numbers: a rolling z-score of the log amount, scored before it is learned.

It flags what the product's detector `amount_z` flags. The comparison with its threshold is solved for whole numbers beforehand,
so that a point costs two multiplications: with n points before it, above = n·x - Σ and spread = n·Σ² - (Σ)²,

    flagged  ⇔  above² ≥ SLOPE[n] · spread + OFFSET[n].
"""

import math
from array import array

import numpy as np
from numpy.typing import NDArray

WINDOW = 100
WARM_UP = 20
THRESHOLD = 4.5
NATS = 1024
FLOOR = 0.05 * NATS
LEAST_AMOUNT = 1e-3


def encode(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Log amounts in whole 1/1024 nats."""
    logs = np.log(np.maximum(np.abs(amounts), LEAST_AMOUNT))
    codes: NDArray[np.int64] = np.clip(np.rint(logs * NATS), -32_767, 32_766).astype(np.int64)
    return codes


def least_t_squared(n: int) -> float:
    """Student's t² with n - 1 degrees of freedom from which a point is flagged (Wallace's approximation, turned round)."""
    freedom = n - 1
    deviate = THRESHOLD * (8 * freedom + 3) / (8 * freedom + 1)
    return freedom * math.expm1(deviate * deviate / freedom)


def bounds(n: int) -> tuple[float, float]:
    """SLOPE[n] and OFFSET[n]; nothing is flagged before WARM_UP points."""
    if n < WARM_UP:
        return 0.0, math.inf
    widened = least_t_squared(n) * (1 + 1 / n) * n * n
    return widened / (n * (n - 1)), widened * FLOOR * FLOOR


SLOPE, OFFSET = (list(column) for column in zip(*(bounds(n) for n in range(WINDOW + 1)), strict=True))


class Window:
    """The last WINDOW points of one account, in a ring that is cheap to copy, and their sums."""

    __slots__ = ("at", "codes", "n", "squares", "total")

    def __init__(self) -> None:
        self.codes = array("h", bytes(2 * WINDOW))
        self.at = self.n = self.total = self.squares = 0

    def flags(self, code: int) -> bool:
        """Whether the point stands out against those before it, which it then joins."""
        n, total, squares = self.n, self.total, self.squares
        above = n * code - total
        flagged: bool = above * above >= SLOPE[n] * (n * squares - total * total) + OFFSET[n]
        at, codes = self.at, self.codes
        old = codes[at]
        codes[at] = code
        self.total, self.squares = total + code - old, squares + code * code - old * old
        self.at = at + 1 if at < WINDOW - 1 else 0
        if n < WINDOW:
            self.n = n + 1
        return flagged

    def snapshot(self) -> bytes:
        """232 bytes, from which `restored` makes the window again."""
        return array("q", (self.at, self.n, self.total, self.squares)).tobytes() + self.codes.tobytes()

    @classmethod
    def restored(cls, state: bytes) -> "Window":
        window = cls()
        window.at, window.n, window.total, window.squares = array("q", state[:32])
        window.codes = array("h", state[32:])
        return window
