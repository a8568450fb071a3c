"""Scores that flag, per tenant: what `thresholds` processors set for one batch, over the policy's own."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.columns import Longs
from jobs.points import KIND_NAMES, Points

TENANT_BITS = 8  # of `content` are the event's fingerprint; above them lies the tenant's
Overrides = Mapping[int, Mapping[str, float]]


def fingerprint(tenant: str) -> int:
    """32 bits of a tenant's name: Spark's crc32. Of a thousand tenants two share one with odds of 1 in 9,000."""
    return zlib.crc32(tenant.encode())


def written(by_tenant: Mapping[str, Mapping[str, float]]) -> str:
    """As it travels to the fold's workers; '' when nothing is set."""
    held = {str(fingerprint(tenant)): dict(thresholds) for tenant, thresholds in by_tenant.items() if thresholds}
    return json.dumps(held) if held else ""


@dataclass(frozen=True)
class Limits:
    """`entities` ascending, `tenants` the fingerprint of each one's tenant."""

    overrides: Overrides
    entities: Longs
    tenants: Longs

    @classmethod
    def of(cls, text: str, entities: Longs, content: Longs) -> "Limits":
        """From what travelled, for the entities of a batch's points and their `content` as it came."""
        overrides = {int(tenant): held for tenant, held in json.loads(text).items()}
        names, first = np.unique(entities, return_index=True)
        return cls(overrides, names, content[first] >> TENANT_BITS)

    def over(self, detector: str, usual: float, points: Points) -> NDArray[np.float64]:
        """(N,) the score from which this detector flags each point; `kind/detector` wins over `detector`."""
        found = np.full(len(points), usual)
        owner = self.tenants[np.searchsorted(self.entities, points.entity)]
        for tenant, held in self.overrides.items():
            for name in (detector, *(f"{kind}/{detector}" for kind in KIND_NAMES)):
                if name in held:
                    kind = name.partition("/")[0] if "/" in name else None
                    mine = owner == tenant if kind is None else (owner == tenant) & (points.kind == KIND_NAMES.index(kind))
                    found[mine] = held[name]
        return found
