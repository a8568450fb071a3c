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


def test_a_small_latency_run_measures_every_stage_and_leaves_nothing_behind(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG"))}
    command = [sys.executable, "-m", "bench.latency", *SMALL, "--without", "dashboard", "operate"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    anomalies, rulings = found["event_to_anomaly"], found["anomaly_to_ruling"]
    assert (found["source"], found["sent"]) == ("files", 300)
    assert anomalies["n"] >= 5
    assert rulings["n"] >= 2
    assert found["unheard"] == 0
    assert 0 < anomalies["p50"] <= anomalies["p95"] <= anomalies["max"]
    assert found["event_to_anomaly_p95_s"] == anomalies["p95"]
    shares = found["stages_s"]
    assert shares["fold"]["n"] == anomalies["n"]
    assert sum(share["p50"] for share in shares.values()) == pytest.approx(anomalies["p50"], rel=0.8)
    assert sum(count for _, count in found["histogram"]) == anomalies["n"]
    assert {"postgres", "council"} <= set(found["peak_mb"])
    assert min(found["peak_mb"].values()) > 1
    assert list(tmp_path.iterdir()) == []
