"""Events a second that ingest takes from Kafka and from files into bronze, ledger on: identifiers plain and tokenised.

    scripts/bench ingest --json

A topic of four partitions and a folder of files are filled beforehand (not measured), then the job runs with its own settings
until it has taken all of it. Warm is the median of the batches after the second, cold the first. `stages` says where a warm
batch's time went: wall time of the driver's steps, CPU time of the workers' stages, CPU time of all processes by kind. Kafka is
--kafka HOST:PORT, else a broker is started by `../shared/servers/kafka.sh` beside the checkout, else only files are measured.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.plant import BROKER, free_port
from bench.usage import Watch
from jobs import ingest
from jobs.session import session
from jobs.stages import added
from store import embedded
from store.database import open_database
from store.settings import Settings, read
from trust import master

START = datetime(2026, 3, 1, tzinfo=UTC)
PARTITIONS, COLD_BATCHES = 4, 2
MODES = ("plain", "tokenised")


def lines(events: int, accounts: int, messages: float, seed: int = 7) -> Iterator[bytes]:
    """Transactions as a shop's gateway writes them; a share carries free text with a card in it."""
    draw = random.Random(seed)  # noqa: S311
    for n in range(events):
        if n % 50 == 0:
            at = (START + timedelta(seconds=n / 50)).isoformat()
        said = f'"message":"payment {n} by card 4111 1111 1111 1111, thank you",' if messages and draw.random() < messages else ""
        yield (
            f'{{"event_id":"e{n:09d}-7c1f","event_time":"{at}","kind":"transaction","account_id":"ACC-{draw.randrange(accounts)}",'
            f'"amount":{draw.lognormvariate(3, 1):.2f},"currency":"EUR","counterparty_id":"T-{draw.randrange(5000)}",{said}'
            f'"attributes":{{"channel":"chip","category":"food"}}}}'
        ).encode()


def fill_topic(servers: str, topic: str, args: argparse.Namespace) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    sink = Producer({"bootstrap.servers": servers, "linger.ms": 50, "batch.size": 1_000_000, "compression.type": args.compression,
                     "queue.buffering.max.messages": 1_000_000})  # fmt: skip
    for number, line in enumerate(lines(args.events, args.accounts, args.messages)):
        while True:
            with contextlib.suppress(BufferError):
                sink.produce(topic, line, partition=number % PARTITIONS)
                break
            sink.poll(0.1)
    if sink.flush(60):
        raise SystemExit("Kafka did not take every event")


def fill_folder(folder: Path, args: argparse.Namespace) -> None:
    """Two files a batch, so that both cores have one; their times say in which order they are taken."""
    folder.mkdir()
    source, each = lines(args.events, args.accounts, args.messages), args.batch // 2
    for number in range(args.events // each):
        file = folder / f"{number:04d}.jsonl"
        with file.open("wb") as out:
            out.writelines(next(source) + b"\n" for _ in range(each))
        os.utime(file, (number, number))


def measure(settings: Settings, args: argparse.Namespace, broker: list[int]) -> dict[str, Any]:
    """Run the job over all that is there."""
    spark = session(settings, "conclave bench ingest")
    try:
        with open_database(settings) as database, Watch([os.getpid()]) as watch, Watch(broker) as beside:
            query = ingest.start(spark, settings, database, once=True)
            query.awaitTermination()
            if query.exception() is not None:
                raise SystemExit(str(query.exception())[:2000])
            ledger = database.fetch("ingest_details")
        batches: list[Any] = [p for p in query.recentProgress if p["numInputRows"]]
        found = rates(batches, ledger)
        since = datetime.fromisoformat(batches[found.pop("warm_from")]["timestamp"]).timestamp()
        events = sum(row["events"] for row in ledger[COLD_BATCHES:] or ledger)
        found["cpu_s_per_million"] = by_kind(watch, since, events) | {"broker": round(beside.cpu_s(since) / events * 1e6, 2)}
        if sum(row["accepted"] for row in ledger) != args.events:
            raise SystemExit(f"bronze has {sum(row['accepted'] for row in ledger)} of {args.events} events")
        return found
    finally:
        embedded.stop(settings.home)


def by_kind(watch: Watch, since: float, events: int) -> dict[str, float]:
    """CPU seconds a million events, by kind of process, from a moment to the end."""
    first = next((look for look in watch.looks if look.at >= since), watch.looks[0]).cpu_s
    return {kind: round((spent - first.get(kind, 0)) / events * 1e6, 2) for kind, spent in watch.looks[-1].cpu_s.items()}


def rates(batches: list[dict[str, Any]], ledger: list[dict[str, Any]]) -> dict[str, Any]:
    """Events a second, and the median seconds of each stage in a warm batch."""
    each = [row["events"] / (p["durationMs"]["triggerExecution"] / 1000) for p, row in zip(batches, ledger, strict=True)]
    first = min(COLD_BATCHES, len(each) - 1)
    warm = [wall(p, row["detail"]) for p, row in zip(batches[first:], ledger[first:], strict=True)]
    worked = [added([row["detail"]["cpu_s"]]) for row in ledger[first:]]
    return {
        "warm": round(statistics.median(each[first:])), "cold": round(each[0]), "batches": [round(one) for one in each],
        "warm_from": first,
        "stages": {
            "wall_s": {name: round(statistics.median(one[name] for one in warm), 3) for name in warm[0]},
            "worker_cpu_s": {name: round(statistics.median(one.get(name, 0) for one in worked), 3) for name in worked[0]},
        },
    }  # fmt: skip


def wall(progress: dict[str, Any], detail: dict[str, Any]) -> dict[str, float]:
    """`tasks` is reading, Arrow, Python and writing files; `ledger` the notes and the transaction; `log` Spark's bookkeeping."""
    ms = progress["durationMs"]
    steps = {name: detail[f"{name}_s"] for name in ("begin", "tasks", "commit", "quarantine")}
    whole = {"ledger": ms["addBatch"] / 1000 - sum(steps.values()), "log": (ms["triggerExecution"] - ms["addBatch"]) / 1000}
    return steps | whole


@contextlib.contextmanager
def broker(given: str | None, place: Path) -> Iterator[tuple[str | None, list[int]]]:
    """A Kafka broker's address and process; none of either when there is none."""
    if given is not None or not BROKER.exists():
        yield given, []
        return
    port, data = free_port(), place / "kafka"
    subprocess.run([str(BROKER), "start", str(port), str(data)], check=True, stdout=sys.stderr)
    try:
        yield f"127.0.0.1:{port}", [int((data / "broker.pid").read_text())]
    finally:
        subprocess.run([str(BROKER), "stop", str(data)], check=False, stdout=sys.stderr)


def settings_of(home: Path, mode: str, args: argparse.Namespace, source: dict[str, Any]) -> Settings:
    """The product's own settings, but for the source and the size of a batch."""
    home.mkdir()
    home.chmod(0o755)
    taken = {"max_offsets_per_trigger": args.batch, "max_files_per_trigger": 2} | source
    settings = read(home=home, source=taken, privacy={"identifiers": mode}, spark={"driver_memory": args.driver_memory})
    master.create(master.place(settings))
    return settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--batch", type=int, default=500_000, help="events of a micro-batch")
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--messages", type=float, default=0.0, help="share of events that carry free text")
    parser.add_argument("--compression", default="lz4", help="of the topic's records")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that is there")
    parser.add_argument("--only", choices=["kafka", "files"])
    parser.add_argument("--mode", choices=MODES, help="measure only this one")
    parser.add_argument("--driver-memory", default="2g")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the broker is stopped as well
    out: dict[str, Any] = {name: getattr(args, name) for name in ("events", "batch", "accounts", "messages")}
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as folder:
        Path(folder).chmod(0o755)
        for name, found in runs(Path(folder), args):
            print(f"{name}: {found}", file=sys.stderr, flush=True)
            source, mode = name
            short = source if mode == "plain" else f"{source}_{mode}"
            out |= {f"{short}_events_per_s": found["warm"], f"{short}_cold_events_per_s": found["cold"], short: found}
    print(json.dumps(out) if args.json else json.dumps(out, indent=1))


def runs(place: Path, args: argparse.Namespace) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """What was found for each source and mode."""
    modes = [args.mode] if args.mode else list(MODES)
    if args.only != "files":
        with broker(args.kafka, place) as (servers, pids):
            if servers is None:
                print("no Kafka: give --kafka HOST:PORT", file=sys.stderr)
            else:
                topic = f"bench-{os.getpid()}"
                fill_topic(servers, topic, args)
                at = {"kind": "kafka", "kafka_servers": servers, "kafka_topics": topic}
                for mode in modes:
                    yield ("kafka", mode), measure(settings_of(place / f"kafka-{mode}", mode, args, at), args, pids)
    if args.only != "kafka":
        began = time.monotonic()
        fill_folder(place / "dropped", args)
        print(f"files made in {time.monotonic() - began:.0f} s", file=sys.stderr)
        for mode in modes:
            at = {"kind": "files", "folder": str(place / "dropped")}
            yield ("file", mode), measure(settings_of(place / f"files-{mode}", mode, args, at), args, [])


if __name__ == "__main__":
    main()
