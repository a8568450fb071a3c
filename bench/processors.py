"""How long ten live rules take for a batch of 500,000 events, without Spark: its Parquet files read, every rule judged.

    scripts/bench processors --json

The whole job with and without them: scripts/bench throughput --rules 10.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.throughput import RULES
from pipelines import bronze, specs
from pipelines.judging import judge_events
from pipelines.plan import Listing, Plan, compiled

KEEP = 1000


def events(count: int) -> pa.Table:
    """Transactions of 50,000 accounts at 5,000 terminals over one hour."""
    rng = np.random.default_rng(7)
    ids = np.arange(count)
    return pa.table(
        {
            "row_id": ids, "tenant": ["main"] * count, "source": ["bench"] * count, "kind": ["transaction"] * count,
            "account_id": [f"A{n}" for n in rng.integers(0, 50_000, count)], "currency": pa.nulls(count, pa.string()),
            "amount": np.exp(3 + rng.normal(size=count) * 0.5) * np.where(rng.random(count) < 0.0002, 40, 1),
            "counterparty_id": [f"T{n}" for n in rng.integers(0, 5_000, count)],
            "event_time": pa.array(ids * 7200 + 1_700_000_000_000_000, pa.timestamp("us")),
        }
    )  # fmt: skip


def plan_of(rules: int) -> Plan:
    names = [[f"rule-{number}", 1] for number in range(rules)]
    content = {
        "segments": [{"segment": "all", "topic": "*", "filter": "", "processors": names}], "thresholds": [],
        "specs": {f"rule-{number}@1": specs.written(specs.read(raw)) for number, raw in enumerate(RULES[:rules])},
        "lists": {"stolen": 1},
    }  # fmt: skip
    keys = pa.array(sorted(f"A{n}" for n in range(49_990, 59_990)))
    return compiled({"main": content}, lambda *_: Listing(keys, {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    args = parser.parse_args()
    plan, took = plan_of(len(RULES)), []
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as home:
        table, half = events(args.events), args.events // 2
        files = [Path(home) / "0.parquet", Path(home) / "1.parquet"]
        for number, file in enumerate(files):
            pq.write_table(table.slice(number * half, half), file)
        for _ in range(args.rounds):
            started = time.perf_counter()
            tables = list(bronze.tables(files, plan.columns()))
            read = time.perf_counter()
            judge_events(plan, tables, KEEP)
            took.append((read - started, time.perf_counter() - read))
    read_s, judge_s = (statistics.median(part) for part in zip(*took, strict=True))
    out = {
        "events": args.events, "rules": len(RULES), "read_s": round(read_s, 3), "judge_s": round(judge_s, 3),
        "events_per_s": round(args.events / (read_s + judge_s)), "rule_events_per_s": round(len(RULES) * args.events / judge_s),
    }  # fmt: skip
    print(json.dumps(out) if args.json else json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
