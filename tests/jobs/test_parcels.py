"""Points packed for their shard: nothing is lost or changed on the way, whatever the chunks and the number of shards."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from streams import mixed

from jobs.parcels import ERROR_AT, KIND_AT, SCHEMA, opened, packer, sealed
from jobs.points import ACCOUNT, COUNTERPARTY, UNWATCHED, Points

FIELDS = tuple(Points.__dataclass_fields__)


def events(points: Points, other: list[int | None], tenant: int = 0) -> pa.RecordBatch:
    """As Spark's Arrow hands events over: each point an event, `other` its counterparty's hash."""
    meta = points.content.astype(np.int64) | tenant << 8
    meta |= points.kind.astype(np.int64) << KIND_AT | points.error.astype(np.int64) << ERROR_AT
    columns = {"entity": points.entity, "other": pa.array(other, pa.int64()), "time": points.time, "id": points.id,
               "value": points.value, "row": points.row, "meta": meta}  # fmt: skip
    return pa.RecordBatch.from_pydict(columns)


def rows(points: Points) -> list[tuple[object, ...]]:
    columns = [getattr(points, name) for name in FIELDS]
    columns[FIELDS.index("value")] = points.value.view(np.int64)  # so that NaN equals NaN
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def delivered(batches: list[pa.RecordBatch], shards: int) -> dict[int, Points]:
    found: dict[int, list[bytes]] = {}
    for batch in packer(shards)(batches):
        assert batch.schema == SCHEMA
        for shard, parcel in zip(*batch.to_pydict().values(), strict=True):
            found.setdefault(shard, []).append(parcel)
    return {shard: opened(parcels)[0] for shard, parcels in found.items()}


@run_settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 8, 64, 257, 65_536]), st.integers(0, 199))
def test_every_point_reaches_its_shard_unchanged(seed, shards, cut):
    points = mixed(seed, 200)
    none: list[int | None] = [None] * len(points)
    parts = [points.take(np.arange(cut)), points.take(np.arange(cut, len(points)))]
    found = delivered([events(part, none[: len(part)]) for part in parts], shards)
    keys = np.where(points.kind == UNWATCHED, points.id, points.entity)
    assert {shard: len(held) for shard, held in found.items()} == {
        int(shard): int((keys % shards == shard).sum()) for shard in np.unique(keys % shards)
    }
    assert sorted(row for held in found.values() for row in rows(held)) == rows(points)


def test_a_transaction_at_a_counterparty_is_two_points():
    points = mixed(2, 50)
    points = points.take(points.kind == ACCOUNT)
    other = [None if i % 3 else i * -7919 for i in range(len(points))]
    [held] = delivered([events(points, other)], 1).values()
    first, second = held.take(held.kind == ACCOUNT), held.take(held.kind == COUNTERPARTY)
    assert rows(first) == rows(points)
    paired = points.take(np.array([i % 3 == 0 for i in range(len(points))]))
    assert second.entity.tolist() == [one for one in other if one is not None]
    for name in set(FIELDS) - {"kind", "entity"}:
        np.testing.assert_array_equal(getattr(second, name), getattr(paired, name))


@pytest.mark.parametrize("tenant", [0, 1, 2**32 - 1])
def test_the_tenant_travels_above_the_content(tenant):
    points = mixed(0, 30)
    [batch] = list(packer(1)([events(points, [None] * len(points), tenant)]))
    held, content = opened(batch["parcel"].to_pylist())
    assert set((content >> 8).tolist()) == {tenant}
    np.testing.assert_array_equal(held.content, points.content)


def test_nothing_makes_no_parcel():
    none = mixed(0, 30).take(np.zeros(0, np.int64))
    assert list(packer(4)([events(none, [])])) == []
    assert len(opened([])[0]) == 0


def test_what_is_sealed_here_is_opened_as_it_was():
    points = mixed(5, 80)
    assert rows(opened([sealed(points)])[0]) == rows(points)
