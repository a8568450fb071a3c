"""A throughput run as people start it, small: the product and two peers in one run, the same events flagged by all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.spark, pytest.mark.process]
SMALL = ("--events", "20000", "--batch", "5000", "--accounts", "100", "--shards", "2", "--only", "one", "--group-batches", "3")


def test_a_small_run_compares_the_product_with_its_peers(tmp_path: Path) -> None:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG")) or name == "CONCLAVE_JARS"
    }
    command = [sys.executable, "-m", "bench.throughput", *SMALL, "--peers", "plain_loop,group_per_account", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    details = found["peer_details"]
    assert found["same_anomalies"] is True
    assert details["product"]["anomalies"] == details["plain_loop"]["anomalies"] > 0
    assert details["group_per_account"]["events"] == 15_000
    assert found["warm_events_per_s"] > 0
    assert found["cold_events_per_s"] > 0
    for name in ("plain_loop", "group_per_account"):
        assert found["ratios"][name] == pytest.approx(found["warm_events_per_s"] / found["peers"][name], abs=0.01)
