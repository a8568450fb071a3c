"""Thresholds of tenants reach exactly their own entities, and change what is flagged in both directions."""

import numpy as np
from streams import even, joined

from jobs.fold import observe
from jobs.limits import TENANT_BITS, Limits, fingerprint, written
from jobs.points import ACCOUNT, SERVICE
from jobs.policy import Policy
from jobs.state import State

POLICY = Policy(detectors=("amount_z",))
VALUES = [40.0 + i % 5 for i in range(60)] + [9000.0]


def limits_of(points, thresholds, tenants):
    """`tenants`: entity → tenant."""
    content = np.array([fingerprint(tenants[int(entity)]) << TENANT_BITS for entity in points.entity], np.int64)
    return Limits.of(written({"main": thresholds}), points.entity, content)


def flagged(points, limits):
    _, found = observe(State.empty(POLICY), points, POLICY, limits=limits)
    return sorted(set(found["episode"]["entity_hash"].to_pylist())) if "episode" in found else []


def test_a_threshold_acts_on_the_entities_of_its_tenant_only():
    points = joined([even(VALUES, gap_s=60, kind=ACCOUNT, entity=entity, first=100 * entity) for entity in (1, 2)])
    tenants = {1: "main", 2: "other"}
    assert flagged(points, None) == [1, 2]
    assert flagged(points, limits_of(points, {"amount_z": 1e6}, tenants)) == [2]
    assert flagged(points, limits_of(points, {"service/amount_z": 1e6}, tenants)) == [1, 2]
    calm = even(VALUES[:60], gap_s=60, kind=ACCOUNT, entity=1)
    assert flagged(calm, None) == []
    assert flagged(calm, limits_of(calm, {"amount_z": 0.1}, tenants)) == [1]


def test_the_kind_wins_over_the_detector_alone():
    points = joined([even([1.0], gap_s=60, kind=kind, entity=entity) for kind, entity in ((ACCOUNT, 1), (SERVICE, 2))])
    limits = limits_of(points, {"account/amount_z": 7.0, "amount_z": 5.0}, {1: "main", 2: "main"})
    found = dict(zip(points.entity.tolist(), limits.over("amount_z", 3.0, points).tolist(), strict=True))
    assert found == {1: 7.0, 2: 5.0}
    assert limits.over("velocity", 3.0, points).tolist() == [3.0, 3.0]
