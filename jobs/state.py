"""A shard's state: every entity's window and open episode, as one versioned binary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobs import blob as binary
from jobs import episodes, series_windows, service_windows, state_versions, windows
from jobs.columns import Columns, Shape
from jobs.policy import STATE_VERSION, Layout, Policy


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
        header = binary.Header(STATE_VERSION, policy.layout, self.clock)
        return binary.pack(header, (*self.families, self.episodes))

    @classmethod
    def unpack(cls, blob: bytes, policy: Policy, earlier: Sequence[Layout] = ()) -> "State":
        """A state of an earlier version is brought to today's, one of another layout is resized to the policy's.

        `earlier`: layouts that this checkpoint has had. Raises StateVersion, StateDamaged.
        """
        blob = state_versions.current(blob, (policy.layout, *earlier))
        header = binary.header_of(blob)
        packed = replace(policy, **header.layout._asdict())
        tables = [
            table if header.layout == policy.layout else resized(table, shape)
            for table, shape in zip(binary.tables(blob, shapes(packed)), shapes(policy), strict=True)
        ]
        amounts, services, series, open_episodes = tables
        return cls(amounts, services, series, open_episodes, clock=header.clock)


def resized(table: Columns, shape: Shape) -> Columns:
    """The table with rows of this shape: the newest places stay, new ones are empty and lie before them.

    What a smaller window keeps is what it would hold had it always been that small; a larger one fills up as points come.
    """
    fields = {}
    for name, (kind, row) in shape.items():
        rows = table[name]
        fields[name] = np.zeros((len(rows), *row), kind)
        if row:
            kept = min(row[0], rows.shape[1])
            fields[name][:, row[0] - kept :] = rows[:, rows.shape[1] - kept :]
        else:
            fields[name][:] = rows
    widths = {row[0] for name, (_, row) in shape.items() if name in ("amounts", "values")}
    if "count" in fields and widths:
        fields["count"] = np.minimum(fields["count"], widths.pop()).astype(np.uint8)
    return Columns(table.keys, fields)


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
