"""Ordinary days: each account buys near home, at its own pace and price, more by day than by night."""

import numpy as np

from jobs.simulate.purchases import CHIP, CONTACTLESS, MAGSTRIPE, Purchases, purchases
from jobs.simulate.world import CATEGORIES, NAMES, Floats, Ints, World

DAY_S = 86_400
# purchases per hour of the day against the mean, at midnight, 1 a.m., …
HOURS = np.array(
    [
        0.35,
        0.2,
        0.12,
        0.1,
        0.12,
        0.25,
        0.6,
        1.0,
        1.15,
        1.1,
        1.2,
        1.4,
        1.75,
        1.5,
        1.2,
        1.2,
        1.4,
        1.8,
        1.9,
        1.6,
        1.25,
        1.0,
        0.75,
        0.5,
    ]
)
PRICES = np.array([CATEGORIES[name][1] for name in NAMES])


def ordinary(rng: np.random.Generator, world: World, days: int) -> Purchases:
    """Every account's purchases over `days`, unsorted."""
    counts = rng.poisson(world.per_day * days)
    account = np.repeat(np.arange(world.accounts), counts)
    time_s = day_times(rng, len(account), days, world.habit_h[account])
    terminal = visited(rng, world, account)
    return purchases(time_s, account, terminal, prices(rng, world, account, terminal), channels(rng, len(account)))


def day_times(rng: np.random.Generator, count: int, days: int, habit_h: Floats) -> Floats:
    """Seconds from the start, by the day's curve, shifted by each habit and kept within the days."""
    edges = np.concatenate([[0.0], np.cumsum(HOURS / HOURS.sum())])
    of_day = np.interp(rng.random(count), edges, np.arange(25) * 3600.0)
    shifted = rng.integers(0, days, count) * DAY_S + of_day + habit_h * 3600
    return np.asarray(np.mod(shifted, days * DAY_S))


def visited(rng: np.random.Generator, world: World, account: Ints) -> Ints:
    """A terminal for each purchase, by the account's own shares."""
    draw = rng.random(len(account))
    chosen = np.empty(len(account), np.int64)
    for one in np.unique(account):
        rows = account == one
        chosen[rows] = np.searchsorted(world.visits[one], draw[rows])
    return np.minimum(chosen, world.terminals - 1)


def prices(rng: np.random.Generator, world: World, account: Ints, terminal: Ints) -> Floats:
    """Log-normal amounts: the account's level, the category's price, the account's own spread."""
    level = world.level[account] + PRICES[world.category[terminal]]
    return np.asarray(np.exp(level + world.spread[account] * rng.standard_normal(len(account))))


def channels(rng: np.random.Generator, count: int, magstripe: float = 0.03) -> Ints:
    """How the card was read; an old stripe reader now and then."""
    return np.asarray(rng.choice([CHIP, CONTACTLESS, MAGSTRIPE], count, p=[0.4 - magstripe, 0.6, magstripe]), np.int64)
