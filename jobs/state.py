"""A shard's state: every entity's window and open episode, as one versioned binary."""

from dataclasses import dataclass

import numpy as np

from jobs import episodes, series_windows, service_windows, windows
from jobs.columns import Columns, Shape
from jobs.errors import StateMismatch
from jobs.policy import STATE_VERSION, Policy

HEADER = 1 + 16 + 8  # version, layout hash, clock


@dataclass
class State:
    """Tables of windows by family, open episodes, and `clock`: the newest event time (µs) that the shard has seen."""

    amounts: Columns
    services: Columns
    series: Columns
    episodes: Columns
    clock: int

    @classmethod
    def empty(cls, policy: Policy) -> "State":
        amounts, services, series, open_episodes = (Columns.empty(shape) for shape in shapes(policy))
        return cls(amounts, services, series, open_episodes, clock=0)

    @property
    def families(self) -> tuple[Columns, Columns, Columns]:
        return self.amounts, self.services, self.series

    @property
    def entities(self) -> int:
        return sum(len(family) for family in self.families)

    def pack(self, policy: Policy) -> bytes:
        header = bytes([STATE_VERSION]) + policy.layout_hash.encode() + np.int64(self.clock).tobytes()
        return b"".join([header, *(table.pack() for table in (*self.families, self.episodes))])

    @classmethod
    def unpack(cls, blob: bytes, policy: Policy) -> "State":
        """Raises StateMismatch when the blob was packed by another version or with another layout."""
        if blob[0] != STATE_VERSION:
            raise StateMismatch(f"state version {blob[0]}, this code reads {STATE_VERSION}.")
        if blob[1:17] != policy.layout_hash.encode():
            raise StateMismatch("detect.window, detect.recent_ids or detect.service_buckets was changed.")
        view, at, tables = memoryview(blob), HEADER, []
        for shape in shapes(policy):
            table, at = Columns.unpack(view, at, shape)
            tables.append(table)
        amounts, services, series, open_episodes = tables
        return cls(amounts, services, series, open_episodes, clock=int(np.frombuffer(blob, np.int64, 1, 17)[0]))


def shapes(policy: Policy) -> tuple[Shape, Shape, Shape, Shape]:
    return windows.shape(policy), service_windows.shape(policy), series_windows.shape(policy), episodes.SHAPE


def evict(state: State, policy: Policy) -> tuple[int, int]:
    """Forget idle entities, then the longest unheard over the cap; how many of each.

    An idle entity's next event starts a fresh window anyway, so forgetting it changes no score, unless an event comes
    that lies more than the allowed lateness behind the shard's clock.
    """
    idle = capped = 0
    for table in state.families:
        known = len(table)
        table.keep(table["last"] + policy.idle_us + policy.lateness_us >= state.clock)
        idle += known - len(table)
    over = state.entities - policy.max_entities
    if over > 0:
        lasts = np.concatenate([table["last"] for table in state.families])
        keys = np.concatenate([table.keys for table in state.families])
        forgotten = np.zeros(len(lasts), bool)
        forgotten[np.lexsort((keys, lasts))[:over]] = True
        ends = np.cumsum([len(table) for table in state.families])[:-1]
        for table, part in zip(state.families, np.split(forgotten, ends), strict=True):
            table.keep(~part)
        capped = over
    episodes.forget_ended(state.episodes, state.clock, policy)
    return idle, capped
