"""The shop's traces as canonical request events."""

from datetime import datetime

import numpy as np

from jobs.simulate.outages import Outage
from jobs.simulate.purchases import rfc3339
from jobs.simulate.shop import VERSIONS, Hop, Visits

STEPS_MS = {"gateway": 0.0, "catalog": 2.0, "cart": 2.0, "checkout": 3.0, "payments": 9.0, "inventory": 12.0}


def as_events(seen: Visits, hops: list[Hop], outages: list[Outage], start: datetime, seed: int) -> list[dict[str, object]]:
    """Events in order of time; a callee is asked a few milliseconds after its caller."""
    rows = [
        (seen.time_s[row] + STEPS_MS[hop.service] / 1000, number, row)
        for number, hop in enumerate(hops)
        for row in np.flatnonzero(hop.asked)
    ]
    rows.sort()
    return [
        _event(hops[number], int(row), place, time_s, outages, start, seed) for place, (time_s, number, row) in enumerate(rows, 1)
    ]


def _event(hop: Hop, row: int, place: int, time_s: float, outages: list[Outage], start: datetime, seed: int) -> dict[str, object]:
    event: dict[str, object] = {
        "event_id": f"rq-{seed}-{place:06d}",
        "event_time": rfc3339(start, time_s),
        "kind": "request",
        "service": hop.service,
        "status": int(hop.status[row]),
        "latency_ms": round(float(hop.latency_ms[row]), 1),
        "attributes": {"caller": str(hop.caller[row]), "trace": f"t{row:06d}", "version": _version(hop.service, time_s, outages)},
    }
    if hop.message[row] is not None:
        event["message"] = str(hop.message[row])
    return event


def _version(service: str, time_s: float, outages: list[Outage]) -> str:
    """A bad deploy shows in the version until it is rolled back."""
    bad = any(
        one.scenario == "bad_deploy" and one.service == service and bool(one.during(np.array([time_s]))[0]) for one in outages
    )
    return "2.31.0" if bad else VERSIONS[service]
