"""How much faster detect is with two workers than with one, on a standalone Spark cluster of this machine.

    scripts/bench cluster --json

Bronze is filled once (not measured), as by `throughput`. For each number of workers, of one core each, `spark-submit
jobs/detect.py` folds all of it with a checkpoint and a database of its own. Warm is the median of the batches after the second.
Master, driver and Postgres share the cores with the workers: with as many workers as cores the ratio stays under what machines of
their own would give. `worker_cpu_s` (processor time of workers and all below them) says how much work it was.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.standalone import Cluster, cluster
from bench.throughput import fill
from jobs.session import session
from store import embedded
from store.database import open_database, url
from store.settings import Settings, read

COLD_BATCHES = 2
WATCHED_S = 0.5
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def filled(home: Path, args: argparse.Namespace) -> Settings:
    """Bronze under `home`, in batches of `--batch` events."""
    settings = read(home=home, spark={"shuffle_partitions": 2, "driver_memory": "2g"})
    spark = session(settings, "conclave bench cluster")
    try:
        fill(spark, settings, args.events, args.batch, args.accounts, 0)
    finally:
        spark.stop()
    return settings


def variables(home: Path, address: str, args: argparse.Namespace) -> dict[str, str]:
    return {
        "CONCLAVE_HOME": str(home), "CONCLAVE_DATABASE_URL": address, "CONCLAVE_DETECT__SHARDS": str(args.shards),
        "CONCLAVE_DETECT__TRIGGER_S": "0", "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "2",
        "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": str(args.workers),
    }  # fmt: skip


def fold(workers: int, bronze: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Detect over all of bronze on so many workers."""
    with tempfile.TemporaryDirectory(prefix="conclave-cluster-") as place:
        home = Path(place, "home")
        home.mkdir()
        (home / "delta").symlink_to(bronze / "delta")
        settings = read(home=home)
        try:
            with open_database(settings) as database, cluster(Path(place, "cluster"), workers, args.memory) as running:
                cpu_s = followed(running, variables(home, url(settings), args), args, Path(place, "detect.log"))
                rows = [row for row in database.fetch("bench_batches", since=BEGINNING) if row["job"] == "detect"]
        finally:
            embedded.stop(home)
    return {"workers": workers, "worker_cpu_s": round(cpu_s, 1)} | rates(rows)


def followed(running: Cluster, settings: dict[str, str], args: argparse.Namespace, log: Path) -> float:
    """Run the job to its end; the workers' processor time, looked at while it runs, since an executor ends with its job."""
    job, cpu_s = running.submit("detect", settings, args.executor_memory, log), 0.0
    while job.poll() is None:
        cpu_s = max(cpu_s, running.cpu_s())
        with suppress(subprocess.TimeoutExpired):
            job.wait(timeout=WATCHED_S)
    if job.returncode != 0:
        raise SystemExit(log.read_text()[-3000:])
    return cpu_s


def rates(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Events a second of each batch that read something, from Spark's own progress."""
    read_some = sorted((row for row in rows if row["input_rows"]), key=lambda row: row["batch_id"])
    per_batch = [row["input_rows"] / (row["duration_ms"]["triggerExecution"] / 1000) for row in read_some]
    warm = per_batch[COLD_BATCHES:] or per_batch
    return {"warm_events_per_s": round(statistics.median(warm)), "cold_events_per_s": round(per_batch[0]),
            "batches": [round(rate) for rate in per_batch], "events": sum(row["input_rows"] for row in read_some)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--batch", type=int, default=500_000)
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2, help="compared with one")
    parser.add_argument("--memory", default="3g", help="of a worker")
    parser.add_argument("--executor-memory", default="2g")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conclave-cluster-bronze-") as bronze:
        settings = filled(Path(bronze), args)
        embedded.stop(settings.home)
        found = []
        for workers in (1, args.workers):
            found.append(fold(workers, Path(bronze), args))
            print(found[-1], file=sys.stderr, flush=True)
    one, many = found
    out = {
        "workers": args.workers, "cores": os.cpu_count(), "load": [round(load, 1) for load in os.getloadavg()],
        "one_worker_events_per_s": one["warm_events_per_s"], "workers_events_per_s": many["warm_events_per_s"],
        "ratio": round(many["warm_events_per_s"] / one["warm_events_per_s"], 2), "runs": found,
    }  # fmt: skip
    print(json.dumps(out) if args.json else json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
