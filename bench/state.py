"""What a core can own: batch time, CPU, bytes and memory against entities per core and shards.

    scripts/bench state --json

Per number of shards one stream grows step by step: bronze gets new accounts, the detect job folds them in big batches (as a
rebuild does: not counted in metrics again), then batches of 5,000 events of accounts drawn at random are measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench import moving
from bench.crowd import Crowd, postgres_pid
from bench.peers.race import PYTHON
from bench.peers.running import ROOT
from bench.usage import Watch
from jobs import checkpoint, detect
from jobs.rebuild import START, Start
from jobs.session import session
from store import embedded
from store.database import open_database
from store.settings import Settings, read

COLD_BATCHES = 2
LIMIT_S = 5.0
PER_CORE = (10_000, 50_000, 150_000, 300_000, 500_000)


@dataclass(frozen=True)
class Plan:
    """One run: `accounts` in ascending steps under `shards`."""

    accounts: tuple[int, ...]
    shards: int
    points: tuple[int, int]  # of the first step's accounts, of the later ones
    batches: int
    events: int
    prefill: int
    memory: str
    cores: int


def grow(plan: Plan) -> list[dict[str, Any]]:
    """One row of figures per step."""
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as home:
        options = {"spark.sql.streaming.minBatchesToRetain": "2", "spark.sql.streaming.numRecentProgressUpdates": "2000"}
        settings = read(
            home=Path(home),
            detect={"shards": plan.shards, "max_files_per_trigger": 2, "trigger_s": 0, "max_entities_per_shard": 10_000_000},
            spark={"shuffle_partitions": plan.cores, "driver_memory": plan.memory, "options": options},
        )
        spark = session(settings, "conclave bench state")
        try:
            crowd = Crowd(spark, settings)
            return [step(crowd, plan, accounts) for accounts in plan.accounts]
        finally:
            embedded.remove(settings.home)


def step(crowd: Crowd, plan: Plan, accounts: int) -> dict[str, Any]:
    """Fold new accounts in, then measure ordinary batches."""
    say(f"{accounts:,} accounts, {plan.shards} shards: filling")
    began = time.perf_counter()
    points = plan.points[0] if crowd.accounts == 0 else plan.points[1]
    crowd.grow(accounts, points, plan.prefill)
    leave_out(crowd)
    fold(crowd)
    say(f"  filled in {time.perf_counter() - began:.0f} s, measuring {plan.batches} batches")
    crowd.visit(COLD_BATCHES + plan.batches, plan.events)
    with Watch([os.getpid(), *postgres_pid(crowd.settings.home)]) as watch:
        batches = fold(crowd)[COLD_BATCHES:]
    row = {"points": points} | figures(batches, watch, plan, accounts) | disk(crowd.settings, accounts)
    say(f"  {row}")
    return row


def leave_out(crowd: Crowd) -> None:
    """Rows so far are folded but not counted in metrics, as when a checkpoint is rebuilt."""
    place = crowd.settings.checkpoint("detect")
    checkpoint.write_text(crowd.spark, f"{place}/{START}", json.dumps(vars(Start(0, crowd.rows - 1))))


def fold(crowd: Crowd) -> list[dict[str, Any]]:
    """Run detect over what is new; Spark's progress of each batch with what the ledger notes of it."""
    with open_database(crowd.settings) as database:
        query = detect.start(crowd.spark, crowd.settings, database, once=True)
        query.awaitTermination()
        if query.exception() is not None:
            raise SystemExit(str(query.exception())[:2000])
        batches = [dict(p) for p in query.recentProgress if p["numInputRows"]]
        for one, row in zip(reversed(batches), reversed(database.fetch("state_batches")), strict=False):
            one["ledger"] = row
    return batches


def figures(batches: list[dict[str, Any]], watch: Watch, plan: Plan, accounts: int) -> dict[str, Any]:
    """Medians of the measured batches; CPU is of the whole product (JVM, Python, Postgres) over all of them."""
    took = [one["durationMs"]["triggerExecution"] / 1000 for one in batches]
    begin = datetime.fromisoformat(batches[0]["timestamp"]).timestamp()
    end = datetime.fromisoformat(batches[-1]["timestamp"]).timestamp() + took[-1]
    ledger = batches[-1]["ledger"]
    operator = batches[-1]["stateOperators"][0]
    return {
        "accounts": accounts, "per_core": accounts // plan.cores, "shards": plan.shards,
        "batch_s": round(statistics.median(took), 3), "slowest_s": round(max(took), 3),
        "fold_s": round(statistics.median(one["ledger"]["detail"]["fold_s"] for one in batches), 3),
        "cpu_s": round(watch.cpu_s(begin, end) / len(batches), 3),
        "entities": ledger["entities"], "groups": groups(accounts, plan),
        "state_bytes_per_entity": round(ledger["state_bytes"] / max(ledger["entities"], 1), 1),
        "sst_bytes_per_entity": round(operator["customMetrics"].get("rocksdbSstFileSize", 0) / accounts, 1),
        "peak_rss_mb": {kind: round(size / 1e6) for kind, size in watch.peak_rss().items()},
    }  # fmt: skip


def groups(accounts: int, plan: Plan) -> int:
    """Shards that a batch of so many events of random accounts is expected to touch."""
    return round(plan.shards * (1 - (1 - 1 / plan.shards) ** plan.events))


def disk(settings: Settings, accounts: int) -> dict[str, Any]:
    """Bytes that the checkpoint's state folder holds: the newest changelog or snapshot of each partition, and everything kept."""
    files = [(file, file.stat().st_size) for file in (Path(settings.checkpoint("detect")) / "state").rglob("*") if file.is_file()]
    newest: dict[Path, tuple[int, int]] = {}
    for file, size in files:
        if file.suffix == ".changelog":
            number = int(file.stem.split("_")[0])
            newest[file.parent] = max(newest.get(file.parent, (-1, 0)), (number, size))
    changed = sum(size for _, size in newest.values())
    return {
        "changelog_bytes_per_entity": round(changed / accounts, 1), "changelog_mb_per_batch": round(changed / 1e6, 1),
        "state_folder_mb": round(sum(size for _, size in files) / 1e6, 1),
    }  # fmt: skip


def most_per_core(rows: list[dict[str, Any]]) -> int:
    """Entities per core at which the median batch takes LIMIT_S, read off between the two steps around it; beyond the last
    step nothing is promised.

    >>> most_per_core([{"per_core": 10, "batch_s": 1.0}, {"per_core": 20, "batch_s": 9.0}])
    15
    """
    most: int = 0
    for before, row in zip([{"per_core": 0, "batch_s": 0.0}, *rows], rows, strict=False):
        if row["batch_s"] > LIMIT_S:
            share = (LIMIT_S - before["batch_s"]) / (row["batch_s"] - before["batch_s"])
            most += round(share * (row["per_core"] - before["per_core"]))
            break
        most = row["per_core"]
    return most


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def numbers(words: str) -> tuple[int, ...]:
    return tuple(sorted(int(word) for word in words.replace("_", "").split(",")))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-core", type=numbers, default=PER_CORE, help="entities per core, ascending, commas between")
    parser.add_argument("--shards", type=numbers, default=None, help="numbers of shards, commas between; default: the setting's")
    parser.add_argument("--points", type=int, default=20, help="events of each account before measuring, on average")
    parser.add_argument("--first-points", type=int, default=130, help="the same for the first step, whose windows are then full")
    parser.add_argument("--events", type=int, default=5_000, help="events of a measured batch")
    parser.add_argument("--batches", type=int, default=8, help="batches measured at each step, after two cold ones")
    parser.add_argument("--prefill-batch", type=int, default=500_000, help="events of a batch that fills")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="cores that the entities are shared by")
    parser.add_argument("--driver-memory", default="6g")
    parser.add_argument("--only", choices=["grow", "rebuild"], help="measure only the growth, or only a rebuild")
    parser.add_argument("--plot", type=Path, help="draw the picture here (SVG)")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser


def measure(args: argparse.Namespace) -> dict[str, Any]:
    out: dict[str, Any] = {"cores": args.cores, "events_per_batch": args.events, "limit_s": LIMIT_S}
    if args.only != "grow":
        out["rebuild"] = moving.measure(say, moving.Move(memory=args.driver_memory))
    if args.only != "rebuild":
        accounts = tuple(count * args.cores for count in args.per_core)
        rows = []
        for shards in args.shards or (read().detect.shards,):
            sizes = ((args.first_points, args.points), args.batches, args.events, args.prefill_batch)
            rows.append((shards, grow(Plan(accounts, shards, *sizes, args.driver_memory, args.cores))))
        out["steps"] = [row for _, steps in rows for row in steps]
        out["most_entities_per_core"] = {str(shards): most_per_core(steps) for shards, steps in rows}
    return out


def draw(out: dict[str, Any], target: Path) -> None:
    """The picture, by the environment that has matplotlib."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(out))
        file.flush()
        done = subprocess.run([PYTHON, "-m", "bench.plots", "state", file.name, str(target)], cwd=ROOT, check=False)
    say(f"the picture is in {target}" if done.returncode == 0 else "no picture was drawn")


def main() -> None:
    args = arguments().parse_args()
    out = measure(args)
    if args.plot is not None and "steps" in out:
        draw(out, args.plot)
    print(json.dumps(out) if args.json else json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
