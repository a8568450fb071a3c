"""What each Python worker of the detect job runs: one shard's state and points through the fold. Knows pandas, not Spark."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import pandas as pd

from jobs.findings import to_payload
from jobs.fold import observe
from jobs.points import Points
from jobs.policy import Policy
from jobs.state import State

INPUT = "shard int, kind byte, entity_hash long, time long, id long, content short, value double, error boolean, row long"
OUTPUT = "row_kind string, payload binary"
STATE = "blob binary"


class GroupState(Protocol):
    """The part of pyspark's GroupState that is used."""

    exists: bool

    @property
    def get(self) -> tuple[Any, ...]: ...
    def update(self, new: tuple[Any, ...]) -> None: ...


def folder(
    policy: Policy, metrics_after_row: int = -1
) -> Callable[[Any, Iterable[pd.DataFrame], GroupState], Iterator[pd.DataFrame]]:
    """The function for applyInPandasWithState. A group may come in several chunks: they are joined, the fold sorts."""

    def fold(key: tuple[int], chunks: Iterable[pd.DataFrame], held: GroupState) -> Iterator[pd.DataFrame]:
        points = points_of(list(chunks))
        state = State.unpack(held.get[0], policy) if held.exists else State.empty(policy)
        state, findings = observe(state, points, policy, metrics_after_row)
        blob = state.pack(policy)
        held.update((blob,))
        findings["count"] = findings["count"].append_column("state_bytes", [[len(blob)]])
        yield pd.DataFrame({"row_kind": list(findings), "payload": [to_payload(table) for table in findings.values()]})

    return fold


def points_of(chunks: list[pd.DataFrame]) -> Points:
    """The chunks' rows as columns."""

    def column(name: str, kind: Any) -> Any:
        return np.concatenate([chunk[name].to_numpy() for chunk in chunks]).astype(kind, copy=False)

    return Points(
        kind=column("kind", np.int8), entity=column("entity_hash", np.int64), time=column("time", np.int64),
        id=column("id", np.int64), content=column("content", np.uint8), value=column("value", np.float64),
        error=column("error", bool), row=column("row", np.int64),
    )  # fmt: skip
