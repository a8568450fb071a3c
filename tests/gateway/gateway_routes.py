"""Every route of the gateway, with what it demands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi.routing import APIRoute

from gateway.access import Requirement
from gateway.routes import routers

PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")


@dataclass(frozen=True)
class Route:
    """`need` is None for a route that anyone may call."""

    method: str
    path: str
    need: Requirement | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, ids: Mapping[str, str] | None = None) -> str:
        """The path with ids filled in; by default such as nothing has."""
        return PARAMETER.sub(lambda found: quote((ids or {}).get(found[1], "0"), safe=":/"), self.path)


def walk() -> list[Route]:
    """Each method of each route; a requirement may stand anywhere among its dependencies."""
    found = []
    for router in routers():
        for route in router.routes:
            assert isinstance(route, APIRoute), f"{route} is of a kind that this test does not know"
            needs = [call for call in _calls(route.dependant) if isinstance(call, Requirement)]
            need = max(needs, key=lambda one: one.role, default=None)
            found += [Route(method, route.path, need) for method in sorted(route.methods or ())]
    return found


def _calls(dependant: Any) -> list[Any]:
    return [dependant.call] + [call for inner in dependant.dependencies for call in _calls(inner)]
