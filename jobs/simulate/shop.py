"""A small shop of six services that call one another; every visit is a trace, latencies and failures climb to the caller."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.simulate.outages import TIMEOUT_MS, Outage
from jobs.simulate.world import Floats, Ints

Flags = NDArray[np.bool_]
EDGES = (
    ("gateway", "catalog"), ("gateway", "cart"), ("gateway", "checkout"), ("catalog", "inventory"), ("cart", "catalog"),
    ("checkout", "payments"), ("checkout", "inventory"), ("payments", "cardnet"),
)  # fmt: skip
# service: (median own latency in ms, log spread, share of requests that fail by themselves)
SERVICES = {
    "gateway": (6.0, 0.35, 0.002),
    "catalog": (28.0, 0.45, 0.004),
    "cart": (14.0, 0.40, 0.003),
    "checkout": (35.0, 0.40, 0.003),
    "payments": (120.0, 0.35, 0.005),
    "inventory": (18.0, 0.50, 0.003),
}
ROUTES = ("catalog", "cart", "checkout")
ROUTE_SHARES = (0.45, 0.25, 0.30)
VERSIONS = {
    "gateway": "4.2.1",
    "catalog": "2.30.4",
    "cart": "1.9.0",
    "checkout": "3.12.2",
    "payments": "5.0.7",
    "inventory": "2.8.3",
}
ORDINARY_FAULTS = (
    "connection reset by peer", "upstream closed the connection", "deadline exceeded after retry", "null response from replica",
)  # fmt: skip


@dataclass(frozen=True)
class Visits:
    """A trace each: seconds from the simulation's start, and the service that the gateway asks."""

    time_s: Floats
    route: Ints

    def to(self, name: str) -> Flags:
        return np.asarray(self.route == ROUTES.index(name))


@dataclass(frozen=True)
class Hop:
    """One service's part in every trace: latencies of rows that `asked` leaves out mean nothing."""

    service: str
    asked: Flags
    caller: NDArray[np.object_]
    latency_ms: Floats
    status: Ints
    message: NDArray[np.object_]

    @property
    def failed(self) -> Flags:
        return np.asarray(self.asked & (self.status >= 500))

    @property
    def waited_ms(self) -> Floats:
        """What its caller waits for it."""
        return np.where(self.asked, self.latency_ms, 0.0)


def visits(rng: np.random.Generator, count: int, begin_s: float, span_s: float) -> Visits:
    """Visits over the span, most in its middle."""
    load = 1.0 + 0.6 * np.sin(np.pi * (np.arange(48) + 0.5) / 48)
    edges = np.concatenate([[0.0], np.cumsum(load / load.sum())])
    time_s = begin_s + np.interp(np.sort(rng.random(count)), edges, np.linspace(0, span_s, 49))
    return Visits(time_s, rng.choice(3, count, p=ROUTE_SHARES))


def hops(rng: np.random.Generator, seen: Visits, outages: list[Outage]) -> list[Hop]:
    """All services' parts, callees first computed, in order of the call."""
    n = len(seen.time_s)
    to_catalog = seen.to("catalog") | (seen.to("cart") & (rng.random(n) < 0.3))
    to_inventory = seen.to("checkout") | (to_catalog & (rng.random(n) < 0.2))
    inventory = _own(rng, "inventory", seen, to_inventory, np.where(seen.to("checkout"), "checkout", "catalog"), outages)
    payments = _own(rng, "payments", seen, seen.to("checkout"), _everyone("checkout", n), outages)
    catalog = _own(rng, "catalog", seen, to_catalog, np.where(seen.to("cart"), "cart", "gateway"), outages)
    catalog = _above(catalog, _only(inventory, to_catalog), gives_up=False)
    cart = _above(
        _own(rng, "cart", seen, seen.to("cart"), _everyone("gateway", n), outages),
        _only(catalog, seen.to("cart")),
        gives_up=False,
    )
    checkout = _own(rng, "checkout", seen, seen.to("checkout"), _everyone("gateway", n), outages)
    checkout = _above(_above(checkout, payments), _only(inventory, seen.to("checkout")))
    gateway = _own(rng, "gateway", seen, np.ones(n, bool), _everyone("client", n), outages)
    for callee in (_only(catalog, seen.to("catalog")), cart, checkout):
        gateway = _above(gateway, callee)
    return [gateway, catalog, cart, checkout, payments, inventory]


def _own(
    rng: np.random.Generator, service: str, seen: Visits, asked: Flags, caller: NDArray[np.object_], outages: list[Outage]
) -> Hop:
    """The service by itself: log-normal latency, rare faults, and the outages it is the root of."""
    median, spread, fault_rate = SERVICES[service]
    n = len(seen.time_s)
    latency = median * np.exp(spread * rng.standard_normal(n))
    luck = rng.random(n)
    status = np.select([luck < fault_rate, luck < fault_rate + 0.015], [500, 404], 200).astype(np.int64)
    message = rng.choice(np.array(ORDINARY_FAULTS, object), n)
    message[status != 500] = None
    for outage in (one for one in outages if one.service == service):
        latency, status, message = outage.strike(rng, seen.time_s, latency, status, message)
    return Hop(service, asked, np.asarray(caller, object), np.minimum(latency, TIMEOUT_MS), status, message)


def _above(caller: Hop, callee: Hop, gives_up: bool = True) -> Hop:
    """The caller waits for the callee; its failure becomes the caller's 502, unless it can do without."""
    fails = callee.failed & caller.asked & (caller.status < 500) & gives_up
    said = np.array([f"upstream {callee.service} responded {code}" for code in callee.status[fails]], object)
    message = caller.message.copy()
    message[fails] = said
    return Hop(
        caller.service,
        caller.asked,
        caller.caller,
        caller.latency_ms + callee.waited_ms,
        np.where(fails, 502, caller.status),
        message,
    )


def _only(hop: Hop, rows: Flags) -> Hop:
    return Hop(hop.service, hop.asked & rows, hop.caller, hop.latency_ms, hop.status, hop.message)


def _everyone(name: str, count: int) -> NDArray[np.object_]:
    return np.full(count, name, object)
