"""States that version 1 really packed, read by today's code; states of another layout, resized to the one that is set."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from streams import SMALL, START, S, cut, even, fold, joined, mixed, together

from jobs import blob as binary
from jobs import pinned, shards
from jobs.errors import IngestPinned, StateMismatch, StateVersion
from jobs.points import ACCOUNT, SERIES, SERVICE
from jobs.policy import STATE_VERSION, Layout, Policy
from jobs.state import State
from jobs.state_versions import STEPS, current, layout_hash_1
from store.settings import Settings

FOLDER = Path(__file__).parents[1] / "data" / "states"
TOLD = json.loads((FOLDER / "version-1.json").read_text())


def packed(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"version-1-{name}.bin.gz").read_bytes())


def policy_of(name: str) -> Policy:
    return replace(SMALL, **TOLD[name]["policy"])


def digest(rows: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=8).hexdigest()


@pytest.mark.parametrize("name", TOLD)
def test_a_state_of_version_1_is_read_to_the_last_bit(name):
    """`version-1.json` holds hashes of the tables, taken by the code that wrote the states."""
    state, told = State.unpack(packed(name), policy_of(name)), TOLD[name]
    assert state.clock == told["clock"]
    for table, fields in told["tables"].items():
        held = getattr(state, table)
        assert {"rows": len(held), "keys": digest(held.keys), **{f: digest(v) for f, v in held.fields.items()}} == fields, table
    again = state.pack(policy_of(name))
    assert again[0] == STATE_VERSION
    assert State.unpack(again, policy_of(name)).pack(policy_of(name)) == again


def test_every_version_up_to_today_s_has_a_step_and_real_states():
    assert sorted(STEPS) == list(range(1, STATE_VERSION))
    for version in STEPS:
        assert list(FOLDER.glob(f"version-{version}-*.bin.gz"))


def test_a_state_of_version_1_folds_on_as_if_nothing_had_happened():
    """The stream's first part was folded by version 1, the rest by today's code."""
    before, more = mixed(5, 400), mixed(5, 100)
    after = replace(more, time=more.time + (before.time.max() - START + 30 * S), row=more.row + 400)
    whole, at_once = fold([*cut(before, range(0, 400, 60)), after], SMALL)
    state, found = fold([after], SMALL, State.unpack(packed("small-5"), SMALL))
    assert state.pack(SMALL) == whole.pack(SMALL)
    assert together(found).anomalies == together(at_once[-1:]).anomalies != []


def test_the_layout_of_version_1_is_found_among_the_checkpoint_s_earlier_ones():
    wider = replace(SMALL, window=20)
    with pytest.raises(StateVersion, match=r"detect\.window.*first start"):
        State.unpack(packed("small-2"), wider)
    state = State.unpack(packed("small-2"), wider, [Layout(99, 3, 1), SMALL.layout])
    assert state.amounts["amounts"].shape[1] == 20
    assert current(packed("small-2"), [SMALL.layout])[0] == STATE_VERSION


def streams_of_every_kind(n: int):
    rng = np.random.default_rng(n)
    values = np.round(np.exp(rng.normal(3, 0.5, n)), 2)
    return joined(
        [
            even(values, entity=1, kind=ACCOUNT, gap_s=20),
            even(values, entity=2, kind=SERVICE, gap_s=20, errors=rng.random(n) < 0.2, first=10_000),
            even(values, entity=3, kind=SERIES, gap_s=20, first=20_000),
        ]
    )


sizes = st.builds(Layout, st.integers(8, 40), st.integers(0, 12), st.integers(1, 12))


@run_settings(max_examples=15)
@given(sizes, sizes, st.integers(1, 90))
def test_a_smaller_layout_is_what_it_would_be_had_it_always_been_small(one, other, n):
    """Windows hold their newest points whatever detectors say: only episodes know of hits."""
    small = Layout(*map(min, one, other))
    large = replace(SMALL, **one._asdict())
    policy = replace(SMALL, **small._asdict())
    stream = streams_of_every_kind(n)
    shrunk = State.unpack(fold([stream], large)[0].pack(large), policy)
    always, _ = fold([stream], policy)
    for ours, theirs in zip(shrunk.families, always.families, strict=True):
        assert ours.keys.tolist() == theirs.keys.tolist()
        for name, rows in theirs.fields.items():
            np.testing.assert_array_equal(ours[name], rows, err_msg=name)
            assert ours[name].dtype == rows.dtype


@run_settings(max_examples=15)
@given(sizes, sizes, st.integers(1, 90), st.integers(0, 60))
def test_a_larger_layout_keeps_all_and_fills_up(one, other, n, more):
    """Shrinking after growing gives back what was; and once enough points came, nothing of the smaller size is left."""
    small, large = Layout(*map(min, one, other)), Layout(*map(max, one, other))
    before, after = replace(SMALL, **small._asdict()), replace(SMALL, **large._asdict())
    state, _ = fold([streams_of_every_kind(n)], before)
    blob = state.pack(before)
    grown = State.unpack(blob, after)
    back = State.unpack(grown.pack(after), before)
    assert back.pack(before) == blob
    longer = streams_of_every_kind(n + more)
    new = longer.take(longer.time >= START + n * 20 * S)
    later, _ = fold([new], after, State.unpack(blob, after))
    held = min(n, small.window) + more
    assert later.amounts["count"].tolist() == [min(held, large.window)]
    assert later.series["count"].tolist() == [min(held, large.window)]


def pin(**changed):
    return pinned.of_detect(Settings()) | changed


def test_a_checkpoint_of_version_1_goes_on_under_the_settings_that_it_was_made_with():
    now = pin()
    first = {"job": "detect", "shards": now["shards"], "layout": layout_hash_1(Layout(*now["layout"]))}
    kept = pinned.accepted(first, now)
    assert kept == now | {"layouts": [now["layout"]]}
    wider = pin(layout=[120, 32, 60])
    again = pinned.accepted(kept, wider)
    assert again == wider | {"layouts": [now["layout"]]}
    assert pinned.layouts(again) == (Layout(*now["layout"]),)
    with pytest.raises(StateVersion, match=r"set detect\.window"):
        pinned.accepted(first, wider)


def test_window_and_ids_may_change_under_a_checkpoint_and_shards_may_not():
    assert pinned.accepted(pin(), pin(layout=[50, 8, 20])) == pin(layout=[50, 8, 20])
    with pytest.raises(StateMismatch, match=r"`conclave detect --rebuild`: detect\.shards was 8, is now 64"):
        pinned.accepted(pin(shards=8), pin(shards=64))
    with pytest.raises(StateMismatch, match=r"the state's schema was text, is now blob binary"):
        pinned.accepted(pin(schema="text"), pin())


@pytest.mark.parametrize("version", [0, STATE_VERSION + 1])
def test_a_checkpoint_of_a_version_that_cannot_be_read_is_refused_with_the_command(version):
    with pytest.raises(StateVersion, match=rf"conclave detect --rebuild.*state version {version}"):
        pinned.accepted(pin(state=version), pin())


def test_ingest_s_checkpoint_knows_its_source_and_whether_names_are_tokens():
    files, kafka = ({"job": "ingest", "source": kind} for kind in ("files", "kafka"))
    assert pinned.accepted(files, files) == files
    with pytest.raises(IngestPinned, match=r"CONCLAVE_HOME\): source\.kind was files, is now kafka"):
        pinned.accepted(files, kafka)
    for held, now in ((files, files | {"identifiers": "tokenised"}), (files | {"identifiers": "tokenised"}, files)):
        with pytest.raises(IngestPinned, match=r"privacy\.identifiers was (plain|tokenised), is now"):
            pinned.accepted(held, now)


def test_the_header_is_as_long_as_it_says():
    assert binary.HEADER.size == 32
    assert len(State.empty(SMALL).pack(SMALL)) == 32 + 4 * 8


def test_the_pin_s_schema_is_the_one_that_spark_is_given():
    assert pinned.SCHEMA == shards.STATE
