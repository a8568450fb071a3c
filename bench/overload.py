"""Ten times the load for a minute: what is filed, what is lost (nothing), how the immediate lane fares, how much memory is taken.

    scripts/bench overload --json [--rate 5000] [--times 10] [--seconds 60] [--max-depth 500]

The whole product runs as processes of its own (bench/plant.py): first at its usual rate, then at so many times of it, then at the
usual rate again until nothing waits and what was filed has been heard. One event in 200 is far off, so that the rules council
cannot hear all of them in time; every tenth of those is for the immediate lane.
"""

import argparse
import json
import sys
from datetime import datetime

from bench.figures import line, percentiles
from bench.latency import Row, seconds
from bench.plant import Plant, options, say
from bench.watching import machine

PATIENCE_S = 900.0


def hearings(plant: Plant, said: Row) -> Row:
    """Anomaly to ruling of the immediate lane, of cases that began in one phase of the load."""
    since, until = (datetime.fromisoformat(said[name]) for name in ("since", "until"))
    rows = plant.database.fetch("bench_hearings", since=since, until=until, bar=plant.settings.council.immediate_bar)
    return percentiles([seconds(row["flagged_at"], row["heard_at"]) for row in rows if row["heard_at"] is not None])


def account(cases: list[Row]) -> Row:
    """What became of every case; `lost` are cases for the council that have neither a ruling nor a place on the docket."""
    heard = [row for row in cases if row["lane"] != "filed"]
    return {
        "cases": sum(row["cases"] for row in heard),
        "below_the_bar": sum(row["cases"] for row in cases if row["lane"] == "filed"),
        "ruled": sum(row["cases"] for row in heard if row["ruled"]),
        "dead": sum(row["cases"] for row in heard if row["state"] == "dead"),
        "still_filed": sum(row["cases"] for row in heard if row["state"] == "shed"),
        "waiting": sum(row["cases"] for row in heard if row["state"] in ("waiting", "leased") and not row["ruled"]),
        "lost": sum(row["cases"] for row in heard if row["state"] == "none" or (row["state"] == "done" and not row["ruled"])),
    }  # fmt: skip


def run(args: argparse.Namespace) -> Row:
    with Plant.started(args, CONCLAVE_COUNCIL__MAX_DEPTH=str(args.max_depth)) as plant:
        plant.history()
        phases: dict[str, Row] = {}
        marks = {"before": plant.watching.now()}
        phases["before"] = plant.load(args.rate, args.before)
        marks["overload"] = plant.watching.now()
        phases["overload"] = plant.load(args.rate * args.times, args.seconds)
        marks["after"] = plant.watching.now()
        at_once = account(plant.database.fetch("bench_cases"))
        filed = plant.database.fetch("bench_receipts")
        phases["after"] = plant.load(args.rate, args.before)
        drained_s = plant.drained(PATIENCE_S)
        heard_s = plant.heard(PATIENCE_S)
        samples = plant.watching.samples
        deepest = {name: max((getattr(s, name) for s in samples), default=0) for name in ("immediate", "batch", "shed", "lag")}
        print("batch lane  " + line([float(sample.batch) for sample in samples]), file=sys.stderr)
        print("filed       " + line([float(sample.shed) for sample in samples]), file=sys.stderr)
        lanes = {name: hearings(plant, said) for name, said in phases.items()}
        return {
            "immediate_p95_s": lanes["overload"]["p95"], "immediate_lane": lanes, "max_depth": args.max_depth,
            "right_after": at_once, "in_the_end": account(plant.database.fetch("bench_cases")),
            "receipts_right_after": filed, "receipts_in_the_end": plant.database.fetch("bench_receipts"), "deepest": deepest,
            "peak_mb": plant.watching.peak_mb, "cpu_s": plant.watching.cpu_s, "marks_s": marks,
            "phases": {name: {key: said[key] for key in ("sent", "seconds", "late_s")} for name, said in phases.items()},
            "drained_s": round(drained_s, 1), "filed_heard_s": round(heard_s, 1), "rate": args.rate, "times": args.times,
            "source": plant.settings.source.kind, "machine": machine(),
        }  # fmt: skip


def show(found: Row) -> None:
    end = found["in_the_end"]
    say(f"immediate lane, anomaly to ruling p95: {found['immediate_p95_s']} s under {found['times']:g} times the load")
    became = ", ".join(f"{end[name]:,} {name.replace('_', ' ')}" for name in ("ruled", "still_filed", "dead", "lost"))
    say(f"of {end['cases']:,} cases: {became}")
    for name, peak in sorted(found["peak_mb"].items()):
        say(f"  peak memory of {name:<28} {peak:>8,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser, 5_000, 50_000)
    parser.set_defaults(hot_every=200, large_every=10)
    parser.add_argument("--times", type=float, default=10, help="the overload is so many times the rate (default 10)")
    parser.add_argument("--seconds", type=float, default=60, help="how long the overload lasts (default 60)")
    parser.add_argument("--before", type=float, default=20, help="seconds at the usual rate before and after it (default 20)")
    parser.add_argument("--max-depth", type=int, default=500, help="cases that may wait in the batch lane (default 500)")
    args = parser.parse_args()
    found = run(args)
    show(found)
    print(json.dumps(found, default=str) if args.json else json.dumps(found, indent=2, default=str))


if __name__ == "__main__":
    main()
