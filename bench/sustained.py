"""A steady load from Kafka with everything on, for minutes: does what waits grow?

    scripts/bench sustained --json [--rate 30000] [--minutes 10] [--csv FILE] [--svg FILE]

Ingest, detect, council, operate and dashboard run as processes of their own (bench/plant.py). Each second it is asked what waits
in Kafka for ingest and in bronze for detect; the sum is the lag. Its slope after the first fifth, with a 95 % interval, is
compared with 2 % of the rate: a lag that grew faster would mean that more comes in than is taken. One event in 5,000 is far off.
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import line, percentiles, trend
from bench.latency import measured
from bench.pictures import lag_picture
from bench.plant import Plant, options, say
from bench.watching import Sample, machine, written

SETTLING = 0.2  # this share of the run is not looked at: the first batches are longer
TOLERATED = 0.02  # of the rate
PRINTED_S = 30.0


def judged(samples: list[Sample], rate: float) -> dict[str, Any]:
    """Whether the lag grows, from samples after the settling; all slopes in events a second."""
    found = trend([sample.at_s for sample in samples], [float(sample.lag) for sample in samples], TOLERATED * rate)
    return {
        "slope_per_s": round(found.per_s, 2), "within": round(found.within, 2) if found.within != float("inf") else None,
        "tolerance_per_s": round(found.tolerance, 2), "grows": found.grows, "sure": found.sure,
        "lag": percentiles([sample.lag for sample in samples]),
        "waits_for_ingest": percentiles([sample.source or 0 for sample in samples]),
        "waits_for_detect": percentiles([sample.rows or 0 for sample in samples]),
    }  # fmt: skip


def table(samples: list[Sample]) -> str:
    """Lag over time as lines of text, and as one line of blocks."""
    rows, due = [], 0.0
    for sample in samples:
        if sample.at_s >= due:
            rows.append(f"{sample.at_s:7.0f} s {sample.source or 0:>12,} {sample.rows or 0:>12,} {sample.lag:>12,}")
            due = sample.at_s + PRINTED_S
    head = f"{'':>9} {'for ingest':>12} {'for detect':>12} {'lag':>12}"
    return "\n".join([head, *rows, line([float(sample.lag) for sample in samples])])


def run(args: argparse.Namespace) -> dict[str, Any]:
    with Plant.started(args) as plant:
        plant.history()
        begun = plant.watching.now()
        sent = plant.load(args.rate, args.minutes * 60)
        samples = [sample for sample in plant.watching.since(begun) if sample.at_s <= begun + sent["seconds"]]
        drained_s = plant.drained(600)
        settled = [sample for sample in samples if sample.at_s >= begun + SETTLING * sent["seconds"]]
        since, until = (datetime.fromisoformat(sent[name]) for name in ("since", "until"))
        print(table(samples), file=sys.stderr)
        if args.csv is not None:
            written(samples, args.csv)
        if args.svg is not None:
            args.svg.write_text(lag_picture(samples, args.rate))
        timed = measured(plant, since, until)
        return judged(settled, args.rate) | {
            "rate": args.rate, "sent": sent["sent"], "seconds": sent["seconds"], "late_s": sent["late_s"],
            "achieved_per_s": round(sent["sent"] / sent["seconds"]), "drained_s": round(drained_s, 1),
            "latency": {name: timed[name] for name in ("event_to_anomaly", "anomaly_to_ruling")}, "batches": timed["batches"],
            "ruled": samples[-1].ruled if samples else 0, "peak_mb": plant.watching.peak_mb, "cpu_s": plant.watching.cpu_s,
            "source": plant.settings.source.kind, "machine": machine(),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser, 30_000, 50_000)
    parser.set_defaults(hot_every=5_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--csv", type=Path, help="write every look into this file")
    parser.add_argument("--svg", type=Path, help="draw the lag over time into this file")
    args = parser.parse_args()
    found = run(args)
    verdict = "grows" if found["grows"] else "does not grow" if found["sure"] else "cannot be told from noise to grow"
    say(f"the lag {verdict}: {found['slope_per_s']} ± {found['within']} events/s a second at {args.rate:,.0f} events/s")
    print(json.dumps(found) if args.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
