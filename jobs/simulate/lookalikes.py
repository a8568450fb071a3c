"""Odd but honest: visitors, rent, a holiday, a busy lunch hour, a sale. None of it is labelled."""

import numpy as np

from jobs.simulate.purchases import LANDLORDS, STANDING_ORDER, Purchases, purchases
from jobs.simulate.spending import DAY_S, channels, day_times, prices, visited
from jobs.simulate.world import BORDER_KM, NAMES, Ints, World

RESTAURANT, CLOTHING = NAMES.index("restaurant"), NAMES.index("clothing")
FIRST_VISITOR = 2000  # strangers before it are cards used in card testing


def lookalikes(rng: np.random.Generator, world: World, days: int) -> list[Purchases]:
    alone = [visitors(rng, world, days), rents(rng, world)]
    return alone + holidays(rng, world, days) + lunches(rng, world, days) + sale(rng, world, days)


def visitors(rng: np.random.Generator, world: World, days: int, count: int = 900) -> Purchases:
    """Cards of other banks that buy once or twice, wherever the locals do."""
    like = rng.integers(0, world.accounts, count)
    terminal = visited(rng, world, like)
    card = world.accounts + FIRST_VISITOR + rng.integers(0, count * 3 // 4, count)
    time_s = day_times(rng, count, days, np.zeros(count))
    return purchases(time_s, card, terminal, prices(rng, world, like, terminal), channels(rng, count))


def rents(rng: np.random.Generator, world: World, tenants: int = 8) -> Purchases:
    """Standing orders at six in the morning of the second day, to a landlord."""
    account = rng.choice(world.accounts, tenants, replace=False)
    landlord = world.terminals + rng.integers(0, LANDLORDS, tenants)
    time_s = DAY_S + 6 * 3600 + rng.uniform(0, 60, tenants)
    return purchases(time_s, account, landlord, rng.integers(13, 28, tenants).astype(np.float64) * 50, STANDING_ORDER)


def holidays(rng: np.random.Generator, world: World, days: int, travellers: int = 6) -> list[Purchases]:
    """A day and a half in another town, a little more freely spent."""
    trips = []
    for account in rng.choice(world.accounts, travellers, replace=False):
        count = int(rng.integers(14, 24))
        begin = rng.uniform(DAY_S, max((days - 1.5) * DAY_S, DAY_S + 1))
        far = _farthest(world, int(account), 25)
        terminal = rng.choice(far, count)
        who = np.full(count, account)
        amount = 1.3 * prices(rng, world, who, terminal)
        trips.append(purchases(begin + np.sort(rng.uniform(0, 1.5 * DAY_S, count)), who, terminal, amount, channels(rng, count)))
    return trips


def lunches(rng: np.random.Generator, world: World, days: int, places: int = 3, guests: int = 30) -> list[Purchases]:
    """Every noon some restaurants are full."""
    restaurants = np.flatnonzero(world.category == RESTAURANT)
    halls = rng.choice(restaurants, min(places, len(restaurants)), replace=False)
    return [_crowd(rng, world, int(hall), day * DAY_S + 12 * 3600, 3600, guests, 1.0) for day in range(days) for hall in halls]


def sale(rng: np.random.Generator, world: World, days: int, guests: int = 150) -> list[Purchases]:
    """One clothing shop, if there is any, sells cheaply for five hours."""
    shops = np.flatnonzero((world.category == CLOTHING) & ~world.abroad)
    chosen = rng.choice(shops, min(1, len(shops)))
    return [_crowd(rng, world, int(shop), (days - 1) * DAY_S + 13 * 3600, 5 * 3600, guests, 0.6) for shop in chosen]


def _crowd(
    rng: np.random.Generator, world: World, terminal: int, begin_s: float, span_s: float, guests: int, factor: float
) -> Purchases:
    share = np.diff(world.visits[:, max(terminal - 1, 0) : terminal + 1], axis=1)[:, 0] if terminal else world.visits[:, 0]
    account = rng.choice(world.accounts, guests, p=share / share.sum())
    where = np.full(guests, terminal)
    amount = factor * prices(rng, world, account, where)
    return purchases(begin_s + rng.beta(2, 2, guests) * span_s, account, where, amount, channels(rng, guests))


def _farthest(world: World, account: int, count: int) -> Ints:
    """The farthest terminals on the same side of the border, so that the currency stays."""
    every = np.arange(world.terminals)
    away = world.distance_km(np.full(world.terminals, account), every)
    side = world.abroad == (world.home[account, 0] > BORDER_KM)
    return np.asarray(every[np.argsort(np.where(side, -away, np.inf), kind="stable")][:count])
