"""`scripts/chaos`: faults on a seeded schedule, then a comparison with an undisturbed run."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from chaos import report
from chaos.kinds import KINDS
from chaos.run import Result, cleared, planned, run
from chaos.schedule import Fault, chosen


def main() -> None:
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave in good order: what was started ends, what was mounted goes
    faults = wanted(options)
    say(f"seed {options.seed}: " + ", ".join(f"{fault.number} {fault.kind}" for fault in faults))
    if options.plan:
        return explain(faults)
    folder = Path(tempfile.gettempdir()) / f"conclave-chaos-{os.getpid()}"
    result = run(options.seed, faults, folder, kafka=options.source == "kafka", pause_s=options.pause, say=timed())
    tell(result, options, folder)
    if result.passed and not options.keep:
        cleared(folder)
    sys.exit(0 if result.passed else 1)


def wanted(options: argparse.Namespace) -> tuple[Fault, ...]:
    """The schedule, a part of it, or one fault of each of the kinds named."""
    kinds = [kind.strip() for kind in options.kinds.split(",") if kind.strip()]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        sys.exit(f"unknown kind of fault: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    if kinds:
        return tuple(Fault(number, kind, "whole") for number, kind in enumerate(kinds, 1))
    return chosen(planned(options.seed, options.kills), options.only, options.first)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    made.add_argument("--seed", type=int, default=1, help="of schedule and input")
    made.add_argument("--kills", type=int, default=20, help="how many faults")
    made.add_argument("--only", type=int, metavar="I", help="only the I-th fault of the schedule")
    made.add_argument("--from", type=int, metavar="I", default=1, dest="first", help="the schedule from its I-th fault")
    made.add_argument("--kinds", metavar="A,B", default="", help="one fault of each of these kinds instead of the schedule")
    made.add_argument("--source", choices=("kafka", "files"), default="kafka", help="kafka when a broker can be started")
    made.add_argument("--pause", type=float, metavar="S", default=30.0, help="seconds that a paused process stands still")
    made.add_argument("--plan", action="store_true", help="only print the schedule")
    made.add_argument("--keep", action="store_true", help="keep the folder with logs, tables and database files")
    made.add_argument("--json", action="store_true", help="end with one object")
    return made


def explain(faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        print(f"{fault.number:>4} {fault.kind:<28} {KINDS[fault.kind].says}")


def tell(result: Result, options: argparse.Namespace, folder: Path) -> None:
    say(report.table(report.recovery(result.outcomes)))
    for wrong in result.wrong[:20]:
        say(f"wrong: {wrong}")
    for difference in result.differences:
        say(report.said(difference))
    if result.passed:
        say(f"{len(result.outcomes)} faults, {sum(result.rows.values()):,} rows equal, {result.rulings:,} rulings re-executed")
    else:
        again = f"--only {result.outcomes[-1].number}" if result.wrong and result.outcomes else f"--from {options.first}"
        say(f"again: scripts/chaos --seed {options.seed} --kills {options.kills} --source {options.source} {again}")
        say(f"logs: {folder / 'logs'}")
    if options.json:
        print(json.dumps(result.as_json()))


def timed() -> Callable[[str], None]:
    """Says each line with the seconds since the start."""
    started = time.monotonic()
    return lambda text: say(f"{time.monotonic() - started:7.1f} s  {text}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
