"""Accounts and terminals on a map: who lives where, who sells what, and who shops at which terminal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# category: (share of terminals, log price against the account's own mean, weight of a visit)
CATEGORIES: dict[str, tuple[float, float, float]] = {
    "grocery": (0.26, 0.15, 1.7),
    "restaurant": (0.22, -0.05, 1.2),
    "fuel": (0.12, 0.35, 0.8),
    "kiosk": (0.14, -0.75, 1.2),
    "pharmacy": (0.10, -0.15, 0.7),
    "clothing": (0.10, 0.45, 0.5),
    "electronics": (0.06, 0.75, 0.25),
}
NAMES = tuple(CATEGORIES)
TOWNS_KM = np.array([[20.0, 30.0], [45.0, 62.0], [88.0, 40.0]])
TOWN_SHARES = (0.5, 0.34, 0.16)
BORDER_KM = 70.0  # east of it one pays in CHF
REACH_KM = 6.0


@dataclass(frozen=True)
class World:
    """`home` and `place` are km on a 100 km map; `visits` is each account's cumulative share over terminals.

    `level` is the log of an account's usual amount, `spread` its standard deviation, `per_day` its purchases per day.
    """

    home: Floats
    level: Floats
    spread: Floats
    per_day: Floats
    habit_h: Floats  # an account's day begins so many hours later than usual
    place: Floats
    category: Ints
    abroad: NDArray[np.bool_]
    visits: Floats

    @property
    def accounts(self) -> int:
        return len(self.home)

    @property
    def terminals(self) -> int:
        return len(self.place)

    def distance_km(self, account: Ints, terminal: Ints) -> Floats:
        return np.asarray(np.hypot(*(self.home[account] - self.place[terminal]).T))


def build(rng: np.random.Generator, accounts: int = 480, terminals: int = 150, per_day: float = 33.3) -> World:
    """A world with so many accounts and terminals; an account buys `per_day` times on average."""
    home = _settle(rng, accounts, 5.0)
    place = _settle(rng, terminals, 4.0)
    category = rng.choice(len(NAMES), terminals, p=[CATEGORIES[name][0] for name in NAMES])
    return World(
        home=home,
        level=rng.normal(np.log(26.0), 0.35, accounts),
        spread=rng.uniform(0.25, 0.45, accounts),
        per_day=per_day * rng.gamma(14.0, 1 / 14.0, accounts),
        habit_h=rng.normal(0.0, 0.8, accounts),
        place=place,
        category=category,
        abroad=place[:, 0] > BORDER_KM,
        visits=_visits(rng, home, place, category),
    )


def _settle(rng: np.random.Generator, count: int, spread_km: float) -> Floats:
    town = rng.choice(len(TOWNS_KM), count, p=TOWN_SHARES)
    return np.clip(TOWNS_KM[town] + rng.normal(0, spread_km, (count, 2)), 0, 100)


def _visits(rng: np.random.Generator, home: Floats, place: Floats, category: Ints) -> Floats:
    """Cumulative shares, one row per account: near, needed and popular terminals first."""
    distance = np.hypot(*(home[:, None, :] - place[None, :, :]).transpose(2, 0, 1))
    need = np.array([CATEGORIES[name][2] for name in NAMES])[category] * rng.gamma(6.0, 1 / 6.0, len(place))
    weight = need * np.exp(-distance / REACH_KM) + 1e-9
    cumulative = np.cumsum(weight, axis=1)
    return np.asarray(cumulative / cumulative[:, -1:])
