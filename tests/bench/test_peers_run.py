"""Each peer as a process on the same small files: it flags what the plain loop flags; what is missing or breaks is said."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.peers import race
from bench.peers.race import Field, held, judged, missing, summary
from bench.peers.running import programs, warm

BATCHES, BATCH, ACCOUNTS = 3, 4_000, 100
THERE = pytest.mark.skipif(not race.PYTHON.exists(), reason="no .venv-bench: scripts/bench throughput makes it")


def write_bronze(folder: Path) -> Path:
    """A table as the product's is filled: commits of two files, each with its half of the accounts in order."""
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "_delta_log" / f"{0:020}.json").write_text('{"protocol": {}}\n')
    rng = np.random.default_rng(3)
    for batch in range(BATCHES):
        rows, accounts = np.arange(batch * BATCH, (batch + 1) * BATCH), rng.integers(0, ACCOUNTS, BATCH)
        amounts = np.exp(3 + rng.normal(size=BATCH) * 0.5) * np.where(rng.random(BATCH) < 2e-3, 40, 1)
        actions = []
        for part in (0, 1):
            mine = accounts % 2 == part
            table = {
                "row_id": rows[mine],
                "account_id": [f"A{n}" for n in accounts[mine]],
                "amount": amounts[mine],
                "kind": ["t"] * mine.sum(),
            }
            pq.write_table(pa.table(table), folder / f"part-0000{part}-{batch}.parquet")
            actions.append(json.dumps({"add": {"path": f"part-0000{part}-{batch}.parquet"}}))
        (folder / "_delta_log" / f"{batch + 1:020}.json").write_text("\n".join(actions))
    return folder


@pytest.fixture
def field(tmp_path: Path) -> Field:
    (tmp_path / "room").mkdir()
    return Field.of(None, write_bronze(tmp_path / "bronze"), BATCHES * BATCH, tmp_path / "room", 2)


def test_parts_are_told_from_deltas_log(field: Field) -> None:
    assert [[Path(file).name for file in part] for part in field.parts] == [
        [f"part-0000{part}-{batch}.parquet" for batch in range(BATCHES)] for part in (0, 1)
    ]


@pytest.mark.process
def test_the_loop_is_the_reference_and_a_peer_that_is_away_says_why(field: Field, tmp_path: Path) -> None:
    found = race.race(field, ("plain_loop", "bytewax_2p"), [1, 2], python=tmp_path / "nowhere" / "bin" / "python")
    loop = found["plain_loop"]
    assert loop["events"] == BATCHES * BATCH
    assert loop["anomalies"] > 5
    assert loop["warm_events_per_s"] > loop["with_start_events_per_s"] > 0
    assert loop["cpu_s_per_million"] > 0
    assert found["product"] == {"anomalies": 2, "equal": False}
    assert set(found["bytewax_2p"]) == {"unavailable"}
    out = summary(loop["warm_events_per_s"] * 2.0, found)
    assert out["ratios"] == {"plain_loop": 2.0}
    assert out["peers"] == {"plain_loop": loop["warm_events_per_s"], "bytewax_2p": found["bytewax_2p"]}
    assert out["same_anomalies"] is False


@THERE
@pytest.mark.process
@pytest.mark.parametrize("name", ["bytewax_2p", "bytewax_2p_recovery", "quix", "pyflink", "pyflink_sql"])
def test_a_peer_flags_what_the_loop_flags(field: Field, name: str) -> None:
    if why := missing(name, race.PYTHON):
        pytest.skip(why)
    found = race.race(field, ("plain_loop", name), [])
    assert found[name].get("unavailable") is None
    assert found[name]["equal"], found[name]
    assert found[name]["anomalies"] == found["plain_loop"]["anomalies"]
    assert found[name]["events"] == BATCHES * BATCH


@pytest.mark.process
def test_a_peer_that_breaks_ends_its_fellows_and_is_reported(
    field: Field, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits = [sys.executable, "-c", "import time; time.sleep(600)"]
    breaks = [sys.executable, "-c", "raise SystemExit('no more room')"]
    monkeypatch.setitem(race.RUN, "group_per_account", lambda *_: programs(tmp_path, "broken", [breaks, waits]))
    assert "no more room" in held(field, "group_per_account", [], race.PYTHON)["unavailable"]


def test_equal_means_the_same_rows_whatever_their_order() -> None:
    assert judged({}, [3, 1], [1, 3]) == {"anomalies": 2, "equal": True}
    assert judged({}, [3, 1], [1, 4])["equal"] is False


def test_warm_leaves_the_cold_batches_out_where_that_is_faster() -> None:
    slow_start = {"began": {"0": 0.0, "1": 6.0, "2": 8.0}, "events": {"0": 100, "1": 100, "2": 100}, "ended": 10.0}
    assert warm([slow_start]) == 50.0
    assert warm([slow_start, slow_start]) == 100.0
    slow_end = slow_start | {"ended": 28.0}
    assert warm([slow_end]) == pytest.approx(300 / 28)
    one_batch = {"began": {"0": 2.0}, "events": {"0": 100}, "ended": 4.0}
    assert warm([one_batch]) == 50.0
