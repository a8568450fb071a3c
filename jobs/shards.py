"""What each Python worker of the detect job runs: one shard's state and points through the fold. Knows pandas, not Spark."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import pandas as pd

from jobs.findings import to_payload
from jobs.fold import observe
from jobs.limits import Limits
from jobs.parcels import opened
from jobs.policy import Layout, Policy
from jobs.state import State

OUTPUT = "row_kind string, payload binary"
STATE = "blob binary"


class GroupState(Protocol):
    """The part of pyspark's GroupState that is used."""

    exists: bool

    @property
    def get(self) -> tuple[Any, ...]: ...
    def update(self, new: tuple[Any, ...]) -> None: ...


def no_overrides() -> str:
    return ""


def folder(
    policy: Policy,
    metrics_after_row: int = -1,
    overrides: Callable[[], str] = no_overrides,
    earlier: Sequence[Layout] = (),
) -> Callable[[Any, Iterable[pd.DataFrame], GroupState], Iterator[pd.DataFrame]]:
    """The function for applyInPandasWithState. A group may come in several chunks: they are joined, the fold sorts.

    `overrides` gives the thresholds of the batch at hand (jobs.limits), which may be other ones than the last batch's;
    `earlier` the layouts that this checkpoint has had.
    """

    def fold(key: tuple[int], chunks: Iterable[pd.DataFrame], held: GroupState) -> Iterator[pd.DataFrame]:
        (points, content), said = opened(parcel for chunk in chunks for parcel in chunk["parcel"]), overrides()
        state = State.unpack(held.get[0], policy, earlier) if held.exists else State.empty(policy)
        limits = Limits.of(said, points.entity, content) if said else None
        state, findings = observe(state, points, policy, metrics_after_row, limits)
        blob = state.pack(policy)
        held.update((blob,))
        findings["count"] = findings["count"].append_column("state_bytes", [[len(blob)]])
        yield pd.DataFrame({"row_kind": list(findings), "payload": [to_payload(table) for table in findings.values()]})

    return fold
