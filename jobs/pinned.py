"""What must not change under a checkpoint, written into it at the first start, and what a later start finds changed."""

import json
from pathlib import Path
from typing import Any

from jobs.errors import IngestPinned, StateMismatch, StateVersion
from jobs.policy import STATE_VERSION, Layout, Policy
from jobs.state_versions import layout_hash_1, readable
from store.settings import Settings

FILE = "conclave.json"
SCHEMA = "blob binary"  # of Spark's state
SETTINGS = {
    "shards": "detect.shards", "source": "source.kind", "identifiers": "privacy.identifiers", "schema": "the state's schema",
}  # fmt: skip
Pin = dict[str, Any]


def of_detect(settings: Settings) -> Pin:
    layout = list(Policy.of(settings.detect).layout)
    return {"job": "detect", "shards": settings.detect.shards, "schema": SCHEMA, "state": STATE_VERSION, "layout": layout}


def of_ingest(settings: Settings) -> Pin:
    private = {"identifiers": "tokenised"} if settings.privacy.identifiers == "tokenised" else {}
    return {"job": "ingest", "source": settings.source.kind, **private}


def wanted(job: str, settings: Settings) -> Pin:
    return of_detect(settings) if job == "detect" else of_ingest(settings)


def accepted(held: Pin, now: Pin) -> Pin:
    """The pin to be written from now on, given the one found.

    Raises StateMismatch (or the closer StateVersion, IngestPinned) when the checkpoint cannot go on with it.
    """
    if now["job"] != "detect":
        refuse(IngestPinned, changes(held, now))
        return now
    before = in_full(held)
    if not readable(before["state"]):
        raise StateVersion(f"It is state version {before['state']}, this code is at {STATE_VERSION}.")
    refuse(StateMismatch, changes({**before, **_free(now)}, {**before, **now}))
    if before["state"] == 1 and before["layout"] != layout_hash_1(Layout(*now["layout"])):
        raise StateVersion(
            "It is state version 1; set detect.window, detect.recent_ids and detect.service_buckets back for the first start "
            "with this version, they may change afterwards."
        )
    first = [now["layout"]] if before["state"] == 1 else before.get("layouts", [])
    return now | ({"layouts": first} if first else {})


def _free(now: Pin) -> Pin:
    """What may change, since states are brought along."""
    return {name: now[name] for name in ("state", "layout")}


def in_full(held: Pin) -> Pin:
    """A pin of state version 1 named neither version nor schema."""
    return held if "state" in held else {**held, "state": 1, "schema": SCHEMA}


def changes(held: Pin, now: Pin) -> list[str]:
    names = dict.fromkeys([*now, *(name for name in held if name in SETTINGS)])
    return [
        f"{SETTINGS.get(name, name)} was {held.get(name, 'plain')}, is now {now.get(name, 'plain')}"
        for name in names
        if held.get(name) != now.get(name)
    ]


def refuse(error: type[StateMismatch], changed: list[str]) -> None:
    if changed:
        raise error("; ".join(changed) + ".")


def layouts(pin: Pin) -> tuple[Layout, ...]:
    """The layouts of states that do not tell their own."""
    return tuple(Layout(*one) for one in pin.get("layouts", []))


def read_here(place: str) -> Pin | None:
    """The pin of a checkpoint on this machine's disk; None when there is none or it lies elsewhere."""
    file = Path(place) / FILE
    return json.loads(file.read_text()) if "://" not in place and file.is_file() else None
