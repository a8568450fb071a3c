"""The state's binary: the same after a round trip, refused when it is damaged or of a version that nothing leads on from."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from streams import SMALL, fold, mixed

from jobs.columns import Columns
from jobs.errors import StateDamaged, StateVersion
from jobs.policy import STATE_VERSION, Policy
from jobs.state import State

PADDED = {*range(1, 8), *range(28, 32)}  # of the header: no value stands there
WHOLE = fold([mixed(2, 60)], SMALL)[0].pack(SMALL)
SHAPE = {"one": ("int32", ()), "many": ("uint8", (3,))}


@run_settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_unpacking_gives_back_what_was_packed(seed):
    state, _ = fold([mixed(seed, 120)], SMALL)
    blob = state.pack(SMALL)
    back = State.unpack(blob, SMALL)
    assert back.pack(SMALL) == blob
    assert back.clock == state.clock
    for ours, theirs in zip((*back.families, back.episodes), (*state.families, state.episodes), strict=True):
        np.testing.assert_array_equal(ours.keys, theirs.keys)
        assert ours.fields.keys() == theirs.fields.keys()
        for name, rows in theirs.fields.items():
            np.testing.assert_array_equal(ours[name], rows)
            assert ours[name].dtype == rows.dtype
            assert ours[name].flags.writeable


def test_an_empty_state_survives_too():
    blob = State.empty(SMALL).pack(SMALL)
    assert State.unpack(blob, SMALL).pack(SMALL) == blob
    assert State.unpack(blob, SMALL).entities == 0


@pytest.mark.parametrize("version", [0, STATE_VERSION + 1, 255])
def test_a_version_that_no_step_leads_on_from_is_refused(version):
    blob = bytes([version]) + State.empty(SMALL).pack(SMALL)[1:]
    with pytest.raises(StateVersion, match=rf"state version {version}; this code reads 1 to {STATE_VERSION}") as error:
        State.unpack(blob, SMALL)
    assert "conclave detect --rebuild" in str(error.value)


def test_settings_that_are_no_layout_may_change_under_a_state():
    other = replace(SMALL, warm_up=9, lateness_us=1, detectors=("amount_z",), thresholds={})
    state, _ = fold([mixed(1, 60)], SMALL)
    assert State.unpack(state.pack(SMALL), other).entities == state.entities


@run_settings(max_examples=40)
@given(st.data())
def test_a_damaged_state_is_refused_and_never_folded(data):
    """Cut off, or any byte behind the version changed: the checksum tells."""
    blob = WHOLE
    with pytest.raises(StateDamaged, match="conclave detect --rebuild"):
        State.unpack(blob[: data.draw(st.integers(1, len(blob) - 1))], SMALL)
    at = data.draw(st.integers(1, len(blob) - 1).filter(lambda at: at not in PADDED))
    other = blob[:at] + bytes([blob[at] ^ data.draw(st.integers(1, 255))]) + blob[at + 1 :]
    with pytest.raises(StateDamaged):
        State.unpack(other, SMALL)


def test_every_array_lies_at_a_multiple_of_eight_bytes():
    state = fold([mixed(2, 120)], SMALL)[0]
    blob = state.pack(SMALL)
    assert len(blob) % 8 == 0
    for table in (*state.families, state.episodes):
        for rows in (table.keys, *table.fields.values()):
            if rows.size * rows.itemsize > 16:
                at = blob.find(np.ascontiguousarray(rows).tobytes())
                assert at % 8 == 0


@given(st.lists(st.sets(st.integers(-50, 50)), max_size=6))
def test_admitted_keys_stay_sorted_and_keep_their_rows(rounds):
    table, written = Columns.empty(SHAPE), {}
    for keys in rounds:
        wanted = np.array(sorted(keys), np.int64)
        rows, new = table.admit(wanted)
        assert [key for key, fresh in zip(wanted.tolist(), new.tolist(), strict=True) if fresh] == sorted(keys - written.keys())
        assert (table["one"][rows[new]] == 0).all()
        table["one"][rows] = wanted
        written |= dict.fromkeys(keys)
    assert table.keys.tolist() == sorted(written)
    assert table["one"].tolist() == sorted(written)
    table.keep(table.keys > 0)
    assert table["one"].tolist() == [key for key in sorted(written) if key > 0]


def test_policies_tell_apart_what_decides_and_what_lays_out():
    base = Policy()
    for field, value in {
        "window": 50, "warm_up": 5, "recent_ids": 8, "lateness_us": 1, "idle_us": 1, "max_entities": 1,
        "detectors": ("velocity",), "thresholds": {"velocity": 1.0}, "min_count": 1, "min_error_rate": 0.5,
        "service_buckets": 3, "quiet_us": 1, "longest_us": 1,
    }.items():  # fmt: skip
        changed = replace(base, **{field: value})
        assert changed.hash != base.hash, field
        assert (changed.layout != base.layout) == (field in {"window", "recent_ids", "service_buckets"}), field
        assert (changed.detector_hash != base.detector_hash) == (field in {"detectors", "thresholds"}), field
    assert Policy().hash == base.hash
