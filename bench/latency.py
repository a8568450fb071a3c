"""From an event's handing over to its anomaly's commit, and from there to the ruling: percentiles, histogram, stages.

    scripts/bench latency --json [--rate 5000] [--seconds 120] [--two-sessions] [--files]

The whole product runs as processes of its own (bench/plant.py). An event is stamped when it is handed to Kafka; commit times
are Postgres' own (track_commit_timestamp), so nothing is polled. A case of the immediate lane is measured from the commit of
the first anomaly over the lane's bar to the commit of its hearing by the rules council.
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import bars, histogram, percentiles
from bench.plant import Plant, options, say
from bench.watching import machine

Row = dict[str, Any]
RULED_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
STAGES = ("waits for ingest", "ingest to the bronze commit", "waits for detect", "fold", "rules", "names", "sink")


def measured(plant: Plant, since: datetime, until: datetime) -> Row:
    """Every figure of the events between two moments."""
    database = plant.database
    rows = [row for row in database.fetch("bench_anomalies", since=since, until=until) if row["committed_at"] is not None]
    bar = plant.settings.council.immediate_bar
    hearings = database.fetch("bench_hearings", since=since, until=until, bar=bar)
    landed = commits(Path(plant.settings.bronze), database.fetch("bench_ingested"))
    anomalies = [seconds(row["event_time"], row["committed_at"]) for row in rows]
    rulings = [seconds(row["flagged_at"], row["heard_at"]) for row in hearings if row["heard_at"] is not None]
    shares = [found for row in rows if (found := stages(row, landed)) is not None]
    whole, ruled = percentiles(anomalies), percentiles(rulings)
    return {
        "event_to_anomaly_p50_s": whole["p50"], "event_to_anomaly_p95_s": whole["p95"], "anomaly_to_ruling_p95_s": ruled["p95"],
        "event_to_anomaly": whole, "anomaly_to_ruling": ruled, "unheard": len(hearings) - len(rulings),
        "stages_s": {name: percentiles([share[name] for share in shares]) for name in STAGES},
        "batches": reports(database.fetch("bench_batches", since=since)),
        "histogram": histogram(anomalies), "histogram_of_rulings": histogram(rulings, RULED_S),
    }  # fmt: skip


def stages(row: Row, landed: dict[datetime, datetime]) -> dict[str, float] | None:
    """The seconds that one anomaly spent in each stage; they add up to the whole. None when its bronze commit is not known."""
    at, detail = landed.get(row["arrived_at"]), row["detail"]
    if at is None:
        return None
    took = [float(detail.get(f"{name}_s", 0.0)) for name in ("fold", "rules", "names")]
    rest = seconds(row["started_at"], row["committed_at"]) - sum(took)
    waits = (seconds(row["event_time"], row["arrived_at"]), seconds(row["arrived_at"], at), seconds(at, row["started_at"]))
    return dict(zip(STAGES, (*waits, *took, rest), strict=True))


def commits(bronze: Path, ingested: list[Row]) -> dict[datetime, datetime]:
    """When each ingest batch was in bronze, by when it began: its commit's file names the batch."""
    began = {row["batch_id"]: row["started_at"] for row in ingested}
    found = {}
    for file in sorted((bronze / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        for number in (action["txn"]["version"] for action in actions if "txn" in action):
            if number in began:
                found[began[number]] = datetime.fromtimestamp(file.stat().st_mtime, began[number].tzinfo)
    return found


def reports(batches: list[Row]) -> dict[str, Any]:
    """What Spark says of each job's batches: how many, how large, and each of its stages in seconds."""
    found: dict[str, Any] = {}
    for job in sorted({row["job"] for row in batches}):
        mine = [row for row in batches if row["job"] == job and row["input_rows"]]
        names = sorted({name for row in mine for name in row["duration_ms"]})
        found[job] = {
            "batches": len(mine), "rows": percentiles([row["input_rows"] for row in mine]),
            **{name: percentiles([row["duration_ms"].get(name, 0) / 1000 for row in mine])["p50"] for name in names},
        }  # fmt: skip
    return found


def seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()


def show(found: Row) -> None:
    """The figures for a person, on standard error."""
    out = [
        "event to anomaly, seconds", bars(found["histogram"]), "anomaly to ruling, immediate lane, seconds",
        bars(found["histogram_of_rulings"]), "stage, p50 and p95 in seconds",
    ]  # fmt: skip
    out += [f"  {name:<30} {share['p50']!s:>7} {share['p95']!s:>7}" for name, share in found["stages_s"].items()]
    print("\n".join(out), file=sys.stderr)


def run(args: argparse.Namespace) -> Row:
    """Start everything, warm it up, measure, stop everything."""
    with Plant.started(args) as plant:
        plant.history()
        plant.load(args.rate, args.warm_up)
        sent = plant.load(args.rate, args.seconds)
        plant.drained(120)
        plant.heard(120)
        since, until = (datetime.fromisoformat(sent[name]) for name in ("since", "until"))
        found = measured(plant, since, until)
        kept = {name: sent[name] for name in ("sent", "seconds", "late_s")}
        return found | {"rate": args.rate, **kept, "sessions": 2 if args.two_sessions else 1,
                        "source": plant.settings.source.kind, "peak_mb": plant.watching.peak_mb, "cpu_s": plant.watching.cpu_s,
                        "machine": machine()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser, 5_000, 20_000)
    parser.add_argument("--seconds", type=float, default=120, help="how long is measured (default 120)")
    parser.add_argument("--warm-up", type=float, default=30, help="seconds of the same load before it (default 30)")
    args = parser.parse_args()
    found = run(args)
    show(found)
    names = ("event_to_anomaly_p50_s", "event_to_anomaly_p95_s", "anomaly_to_ruling_p95_s")
    say(", ".join(f"{name} {found[name]}" for name in names))
    print(json.dumps(found) if args.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
