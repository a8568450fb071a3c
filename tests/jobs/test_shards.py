"""What a Spark worker runs, without Spark: chunks in, findings and the state's binary out."""

from typing import Any

import pandas as pd
import pytest
from streams import SMALL, cut, fold, mixed, together

from jobs.entities import name
from jobs.errors import StateDamaged
from jobs.findings import from_payloads
from jobs.parcels import sealed
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, Points
from jobs.policy import Policy
from jobs.shards import folder


class Held:
    """A group's state as Spark keeps it."""

    def __init__(self) -> None:
        self.value: tuple[Any, ...] = ()

    @property
    def exists(self) -> bool:
        return bool(self.value)

    @property
    def get(self) -> tuple[Any, ...]:
        return self.value

    def update(self, new: tuple[Any, ...]) -> None:
        self.value = new


def frame(points: Points) -> pd.DataFrame:
    """As Spark hands it over."""
    return pd.DataFrame({"shard": [0], "parcel": [sealed(points)]})


def tables(out: list[pd.DataFrame]) -> dict[str, Any]:
    return {kind: from_payloads([payload]) for one in out for kind, payload in zip(one.row_kind, one.payload, strict=True)}


def test_a_group_in_several_chunks_is_one_batch():
    points, held = mixed(2, 200), Held()
    found = [
        tables(list(folder(SMALL)((0,), [frame(part) for part in cut(batch, (10, 40))], held)))
        for batch in cut(points, (90,))
    ]  # fmt: skip
    state, expected = fold(cut(points, (90,)), SMALL)
    assert held.value == (state.pack(SMALL),)
    ours, theirs = together(found), together(expected)
    assert ours.anomalies == theirs.anomalies
    assert ours.episodes == theirs.episodes
    assert ours.metrics == theirs.metrics
    assert [one["count"].to_pylist()[0]["state_bytes"] for one in found][-1] == len(held.value[0])


def test_a_damaged_state_stops_the_worker_and_one_of_another_layout_goes_on():
    held = Held()
    list(folder(SMALL)((0,), [frame(mixed(2, 20))], held))
    list(folder(Policy())((0,), [frame(mixed(2, 20))], held))
    held.update((held.get[0][:-1] + b"x",))
    with pytest.raises(StateDamaged):
        list(folder(Policy())((0,), [frame(mixed(2, 20))], held))


def test_entities_are_named_by_kind_subject_and_qualifier():
    event = {"account_id": "A1", "counterparty_id": "T9", "currency": "EUR", "service": "cart", "metric": "cpu"}
    assert name(ACCOUNT, event) == ("account:A1/EUR", "A1", "EUR")
    assert name(COUNTERPARTY, event) == ("counterparty:T9/EUR", "T9", "EUR")
    assert name(SERVICE, event) == ("service:cart", "cart", "")
    assert name(SERIES, event) == ("series:cart/cpu", "cart", "cpu")
    assert name(ACCOUNT, event | {"currency": None}) == ("account:A1", "A1", "")
