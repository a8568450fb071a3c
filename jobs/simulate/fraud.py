"""The three injected scenarios: a single large amount, card testing at a terminal, a stolen card's spree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.purchases import Purchases, purchases
from jobs.simulate.spending import DAY_S, PRICES, channels
from jobs.simulate.world import BORDER_KM, NAMES, Floats, Ints, World

HISTORY_S = 30 * 3600  # an entity has a past before anything is injected
DEAR = np.array([NAMES.index("electronics"), NAMES.index("clothing"), NAMES.index("fuel")])


@dataclass(frozen=True)
class Plan:
    """How many of each are injected."""

    large: int = 16
    testing: int = 11
    stolen: int = 13

    @classmethod
    def of(cls, days: int, accounts: int, terminals: int) -> "Plan":
        """About forty in three days, but no more than a sixth of the accounts or terminals of a small world."""
        large, testing, stolen = (round(count * days / 3) for count in (cls.large, cls.testing, cls.stolen))
        return cls(min(large, accounts // 6), min(testing, terminals // 6), min(stolen, accounts // 6))


@dataclass(frozen=True)
class Crime:
    """One incident's purchases."""

    scenario: str
    bought: Purchases


def crimes(rng: np.random.Generator, world: World, days: int, plan: Plan) -> list[Crime]:
    """Every incident on accounts and terminals of its own, spread over the time after the history."""
    victims = rng.choice(world.accounts, plan.large + plan.stolen, replace=False)
    busy = np.flatnonzero(_busy(world))
    spots = rng.choice(busy, min(plan.testing, len(busy)), replace=False)
    starts = rng.permutation(_spread(rng, len(victims) + len(spots), days))
    large = [single_large(rng, world, int(who), float(at)) for who, at in zip(victims[: plan.large], starts, strict=False)]
    stolen = [
        spree(rng, world, int(who), float(at)) for who, at in zip(victims[plan.large :], starts[plan.large :], strict=False)
    ]
    testing = [
        card_testing(rng, world, int(spot), float(at), world.accounts + 100 * number)
        for number, (spot, at) in enumerate(zip(spots, starts[len(victims) :], strict=True))
    ]
    return large + stolen + testing


def single_large(rng: np.random.Generator, world: World, account: int, at_s: float) -> Crime:
    """One purchase far beyond anything the account buys."""
    terminal = rng.choice(_same_side(world, account), 1)
    amount = np.exp(world.level[account] + rng.uniform(4.2, 5.4, 1))
    bought = purchases(np.array([at_s]), np.array([account]), terminal, amount, channels(rng, 1, 0.3))
    return Crime("single_large", bought)


def spree(rng: np.random.Generator, world: World, account: int, at_s: float) -> Crime:
    """Many dear purchases within an hour or two, at terminals where the account is never seen."""
    count = int(rng.integers(18, 32))
    places = _same_side(world, account)
    away = world.distance_km(np.full(len(places), account), places)
    dear = np.isin(world.category[places], DEAR)
    unusual = places[np.argsort(-(away + 15.0 * dear), kind="stable")][:20]
    terminal = rng.choice(unusual, count)
    time_s = at_s + np.sort(rng.uniform(0, rng.uniform(2700, 5400), count))
    who = np.full(count, account)
    factor = np.log(rng.uniform(6.0, 12.0, count))
    amount = np.exp(world.level[account] + 0.5 * PRICES[world.category[terminal]] + factor + 0.25 * rng.standard_normal(count))
    return Crime("stolen_card", purchases(time_s, who, terminal, amount, channels(rng, count, 0.35)))


def card_testing(rng: np.random.Generator, world: World, terminal: int, at_s: float, stranger: int) -> Crime:
    """Small amounts on many cards within minutes at one terminal; most cards are of other banks (from number `stranger` on)."""
    count = int(rng.integers(40, 90))
    known = rng.choice(world.accounts, count, replace=False)
    account = np.where(rng.random(count) < 0.25, known, stranger + np.arange(count))
    time_s = at_s + np.sort(rng.uniform(0, rng.uniform(180, 480), count))
    amount = rng.choice([0.5, 1.0, 1.0, 1.5, 2.0, 2.99], count)
    return Crime("card_testing", purchases(time_s, account, np.full(count, terminal), amount, channels(rng, count, 0.39)))


def _busy(world: World) -> NDArray[np.bool_]:
    """Terminals with trade enough to have a pattern, and no kiosk, where small amounts are usual."""
    share = np.diff(np.concatenate([np.zeros((world.accounts, 1)), world.visits], axis=1), axis=1)
    trade = (share * world.per_day[:, None]).sum(axis=0)
    return np.asarray((trade > 40) & (world.category != NAMES.index("kiosk")))


def _same_side(world: World, account: int) -> Ints:
    return np.asarray(np.flatnonzero(world.abroad == (world.home[account, 0] > BORDER_KM)))


def _spread(rng: np.random.Generator, count: int, days: int) -> Floats:
    """Evenly over the time after the history, each within its own slot; a spree still ends within the days."""
    slots = np.linspace(HISTORY_S, days * DAY_S - 3 * 3600, count + 1)
    return np.asarray(rng.uniform(slots[:-1], slots[1:]))
