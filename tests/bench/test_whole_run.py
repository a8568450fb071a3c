"""A latency run as people start it, small: every process of the product, files as the source, figures that hang together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.spark, pytest.mark.process]
SMALL = ("--files", "--rate", "60", "--seconds", "5", "--warm-up", "1", "--accounts", "30", "--hot-every", "20", "--json")


def test_a_small_latency_run_measures_every_stage() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG"))}
    command = [sys.executable, "-m", "bench.latency", *SMALL, "--without", "dashboard", "operate"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    anomalies, rulings = found["event_to_anomaly"], found["anomaly_to_ruling"]
    assert (found["source"], found["sent"], found["sessions"]) == ("files", 300, 1)
    assert anomalies["n"] >= 3
    assert rulings["n"] >= 1
    assert found["unheard"] == 0
    assert 0 < anomalies["p50"] <= anomalies["p95"] <= anomalies["max"]
    assert found["event_to_anomaly_p95_s"] == anomalies["p95"]
    assert {share["n"] for share in found["stages_s"].values()} == {anomalies["n"]}
    assert sum(share["max"] for share in found["stages_s"].values()) >= anomalies["p50"]
    assert sum(count for _, count in found["histogram"]) == anomalies["n"]
    assert {"postgres", "council"} <= set(found["peak_mb"])
    assert min(found["peak_mb"].values()) > 1
