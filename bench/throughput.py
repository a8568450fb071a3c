"""How many events a second the detect job folds, durable state and database on: warm and cold, one detector and the full set.

    scripts/bench throughput --json

Bronze is filled beforehand (not measured) with transactions of `accounts` accounts in equal batches, each `--span-s` of event
time: an hour opens a new row of metrics per account and batch, a minute adds to the rows that are there, as a live stream does.
A batch is one micro-batch. Cold is the very first batch; `--warm-up` batches go through a stream of their own, so that the JVM
has compiled what it will, as in a job that runs for days. Warm is the median of the second stream's batches after its second.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.peers import race
from bench.usage import Watch
from jobs import bronze, detect
from jobs.session import session
from pipelines import catalogue
from store import embedded
from store.database import Database, open_database
from store.settings import Settings, read

ONE = ("amount_z",)
HOUR_S = 3600
START_US = 472_222 * HOUR_S * 1_000_000  # 2023-11-14, a full hour
COLD_BATCHES = 2


def fill(spark: Any, settings: Settings, events: int, batch: int, accounts: int, terminals: int, span_s: int = HOUR_S) -> None:
    """Write bronze as ingest would: one commit of two files per batch."""
    span_us = span_s * 1_000_000
    bronze.create(spark, settings.bronze, settings.quarantine)
    terminal = f"concat('T', pmod(xxhash64(id, 3), {terminals}))" if terminals else "cast(null as string)"
    for number in range(events // batch):
        rows = spark.range(number * batch, (number + 1) * batch, 1, 2).selectExpr(
            "concat('e', id) as event_id",
            f"timestamp_micros({START_US} + {number} * {span_us}L + cast(pmod(id, {batch}) * {span_us}.0 / {batch} as bigint)) "
            "as event_time",
            "'transaction' as kind",
            f"concat('A', pmod(xxhash64(id, 1), {accounts})) as account_id",
            "exp(3 + randn(id_seed) * 0.5) * if(pmod(xxhash64(id, 2), 5000) = 0, 40, 1) as amount".replace(
                "id_seed", str(number)
            ),
            f"{terminal} as counterparty_id",
            "'main' as tenant",
            "'bench' as source",
            "id as position",
            "id as row_id",
            "current_timestamp() as ingest_time",
            f"{number}L as ingest_batch",
        )
        # as from a topic of two partitions keyed by account: peers of two processes take a half each
        halves = rows.repartition(2, "account_id").sortWithinPartitions("row_id")
        halves.write.format("delta").mode("append").save(settings.bronze)


RULES = (
    {"kind": "rule", "when": 'kind == "transaction" && amount > 2000.0'},
    {"kind": "rule", "when": "amount > 1500.0 && event_time.getHours() < 6"},
    {"kind": "rule", "when": 'account_id.startsWith("A99") && amount > 300.0'},
    {"kind": "rule", "when": 'account_id in ["A1", "A17", "A4711"]'},
    {"kind": "rule", "when": 'counterparty_id == "T7" && amount > 200.0'},
    {"kind": "rule", "when": "amount / 2 > 900 || amount < 0.5"},
    {"kind": "rule", "when": "account_id in lists.stolen"},
    {"kind": "deny", "list": "stolen", "field": "account_id"},
    {"kind": "watch", "items": ["T1", "T2", "T3"], "field": "counterparty_id"},
    {"kind": "rule", "when": 'currency != "EUR" && amount > 2500.0'},
)


def declare(database: Database, count: int) -> None:
    """The first `count` rules live in one segment, with a list of 10,000 accounts of which few occur."""
    with database.connection() as connection:
        catalogue.put_list(connection, "main", "stolen", [f"A{n}" for n in range(49_990, 59_990)], actor="bench")
        for number, spec in enumerate(RULES[:count]):
            catalogue.put(connection, "main", f"rule-{number}", spec, actor="bench", live=True)
        names = [f"rule-{number}" for number in range(count)]
        catalogue.put_segment(connection, "main", "all", processors=names, actor="bench")


def fold(spark: Any, settings: Settings, rules: int = 0) -> list[dict[str, Any]]:
    """Run the detect job over all of bronze; Spark's progress of every batch that read something."""
    with open_database(settings) as database:
        if rules:
            declare(database, rules)
        query = detect.start(spark, settings, database, once=True)
        query.awaitTermination()
        if query.exception() is not None:
            raise SystemExit(str(query.exception())[:2000])
        detail = [row["detail"] for row in database.fetch("ledger_details")]
    progress: Any = query.recentProgress
    batches = [p for p in progress if p["numInputRows"]]
    for one, said in zip(batches, detail, strict=True):
        one["detail"] = said
    return batches


def rates(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """Events a second, and the median share of each stage in a warm batch."""
    per_batch = [p["numInputRows"] / (p["durationMs"]["triggerExecution"] / 1000) for p in batches]
    warm = batches[COLD_BATCHES:] or batches[-1:]
    stages = {name: round(statistics.median(seconds(p)[name] for p in warm), 3) for name in seconds(warm[0])}
    return {
        "warm": round(statistics.median(per_batch[-len(warm) :])),
        "cold": round(per_batch[0]),
        "batches": [round(rate) for rate in per_batch],
        "warm_batch_s": stages,
    }


def seconds(progress: dict[str, Any]) -> dict[str, float]:
    """Where a batch's time went. `fold` is scan, shuffle, Arrow, Python and state commit; `log` is Spark's own bookkeeping."""
    ms, detail = progress["durationMs"], progress["detail"]
    sink = ms["addBatch"] / 1000 - detail["fold_s"] - detail["names_s"] - detail["rules_s"]
    rest = (ms["triggerExecution"] - ms["addBatch"]) / 1000
    return {"fold": detail["fold_s"], "rules": detail["rules_s"], "names": detail["names_s"], "sink": sink, "log": rest}


def postmaster(settings: Settings) -> list[int]:
    """The pid of the embedded server, which is started for it."""
    embedded.start(settings.home)
    found = embedded.pid(Path((settings.home / "postgres" / "place").read_text().strip()))
    return [] if found is None else [found]


def cpu_per_batch(watch: Watch, batches: list[dict[str, Any]]) -> dict[str, float]:
    """CPU seconds of a warm batch by kind of process (python, jvm, postgres): the mean, as looks fall between batches."""
    warm = batches[COLD_BATCHES:] or batches[-1:]
    since = datetime.fromisoformat(warm[0]["timestamp"]).timestamp()
    first = next((look for look in watch.looks if look.at >= since), watch.looks[-1])
    last, many = watch.looks[-1].cpu_s, len(warm)
    return {kind: round((last[kind] - first.cpu_s.get(kind, 0.0)) / many, 3) for kind in sorted(last)}


def measure(
    args: argparse.Namespace,
    detectors: tuple[str, ...] | None,
    terminals: int,
    after: Callable[[Any, Settings], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The product's figures, and what `after` finds out in the same session and home."""
    cold = streamed(args, args.warm_up * args.batch, detectors, terminals) if args.warm_up else {}
    return streamed(args, args.events, detectors, terminals, after) | ({"cold": cold["cold"], "warming": cold} if cold else {})


def streamed(
    args: argparse.Namespace,
    events: int,
    detectors: tuple[str, ...] | None,
    terminals: int,
    after: Callable[[Any, Settings], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """One stream over `events` in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as home:
        detect_settings: dict[str, Any] = {"shards": args.shards, "max_files_per_trigger": 2, "trigger_s": 0}
        if detectors is not None:
            detect_settings["detectors"] = detectors
        settings = read(home=Path(home), detect=detect_settings, spark={"shuffle_partitions": 2, "driver_memory": "4g"})
        spark = session(settings, "conclave bench")
        try:
            fill(spark, settings, events, args.batch, args.accounts, terminals, args.span_s)
            with Watch([os.getpid(), *postmaster(settings)]) as watch:
                batches = fold(spark, settings, args.rules)
            measured = rates(batches) | {"warm_batch_cpu_s": cpu_per_batch(watch, batches)}
            return measured | (after(spark, settings) if after is not None else {})
        finally:
            embedded.stop(settings.home)


def compare(args: argparse.Namespace, spark: Any, settings: Settings) -> dict[str, Any]:
    """The peers on the files that the product has just folded, and whether it flagged what they must flag."""
    with open_database(settings) as database:
        flagged = [int(row["event_id"][1:]) for row in database.fetch("flagged_events")]
    with tempfile.TemporaryDirectory(prefix="conclave-peers-") as folder:
        field = race.Field.of(spark, Path(settings.bronze), args.events, Path(folder), args.group_batches)
        return {"peers": race.race(field, tuple(args.peers.split(",")), flagged)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--warm-up", type=int, default=4, help="batches of the stream before (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=500_000)
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--span-s", type=int, default=HOUR_S, help="event time of a batch (default: %(default)s)")
    parser.add_argument("--rules", type=int, default=0, choices=range(len(RULES) + 1), help="live rules, none to all of them")
    parser.add_argument("--only", choices=["one", "full"], help="measure only the one detector, or only the full set")
    parser.add_argument("--skip-peers", action="store_true", help="only the product")
    parser.add_argument("--peers", default=",".join(race.NAMES), help="which peers, commas between (default: %(default)s)")
    parser.add_argument("--group-batches", type=int, default=4, help="batches that group_per_account is measured on")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    out: dict[str, Any] = {"events": args.events, "batch": args.batch, "accounts": args.accounts, "shards": args.shards,
                           "span_s": args.span_s, "rules": args.rules}  # fmt: skip
    if args.only != "full":
        one = measure(args, ONE, 0, None if args.skip_peers else lambda spark, settings: compare(args, spark, settings))
        peers = one.pop("peers", {})
        print("one detector:", one, file=sys.stderr)
        out |= race.summary(one["warm"], peers) if peers else {}
        out |= {"warm_events_per_s": one["warm"], "cold_events_per_s": one["cold"], "one": one}
    if args.only != "one":
        full = measure(args, None, 5_000)
        print("full set, accounts and counterparties:", full, file=sys.stderr)
        out |= {"full_set_events_per_s": full["warm"], "full": full}
    print(json.dumps(out) if args.json else json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
