"""Who calls whom, and which anomalous service lies deepest beneath another. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Topology:
    """Calls between services; every answer is in a fixed order, and cycles are allowed."""

    edges: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, edges: Iterable[tuple[str, str]]) -> "Topology":
        return cls(tuple(sorted(set(edges))))

    @property
    def services(self) -> set[str]:
        return {service for edge in self.edges for service in edge}

    def callees(self, service: str) -> list[str]:
        return [callee for caller, callee in self.edges if caller == service]

    def callers(self, service: str) -> list[str]:
        return [caller for caller, callee in self.edges if callee == service]

    def below(self, service: str) -> list[str]:
        """Everything the service depends on, nearest first."""
        return list(self._reach(service, self.callees))[1:]

    def above(self, service: str) -> list[str]:
        """Everything that depends on the service, nearest first."""
        return list(self._reach(service, self.callers))[1:]

    def deepest(self, service: str, ill: set[str]) -> str:
        """The service furthest down a chain of anomalous callees; empty when no callee is anomalous.

        >>> Topology.of([("gateway", "checkout"), ("checkout", "payments")]).deepest("gateway", {"checkout", "payments"})
        'payments'
        """
        reached = list(self._reach(service, lambda one: [callee for callee in self.callees(one) if callee in ill]))
        leads = {one for one in reached for callee in self.callees(one) if callee in ill and callee not in (one, service)}
        ends = [one for one in reached[1:] if one not in leads]
        return (ends or reached[1:] or [""])[0]

    def chain(self, service: str, target: str, ill: set[str]) -> list[str]:
        """The shortest way down to `target` through anomalous services, both ends included; empty without a target."""
        came = self._reach(service, lambda one: [callee for callee in self.callees(one) if callee in ill])
        way = [target] if target in came else []
        while way and (before := came[way[0]]) is not None:
            way.insert(0, before)
        return way

    @staticmethod
    def _reach(start: str, steps: Callable[[str], list[str]]) -> dict[str, str | None]:
        """Breadth first: each reached service and the one it was reached from."""
        came: dict[str, str | None] = {start: None}
        queue = [start]
        for one in queue:
            for following in steps(one):
                if following not in came:
                    came[following] = one
                    queue.append(following)
        return came
