"""The peers after the product, in the same run and on the same files; what each flagged must be what the plain loop flagged."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers import group_per_account
from bench.peers.group_per_account import added
from bench.peers.running import COLD_BATCHES, ROOT, Figures, free_ports, programs
from bench.peers.task import Task
from bench.usage import Watch

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
NAMES = ("plain_loop", "group_per_account", "bytewax_2p", "bytewax_2p_recovery", "quix", "pyflink", "pyflink_sql")
NEEDS = {"bytewax_2p": "bytewax", "bytewax_2p_recovery": "bytewax", "quix": "quixstreams", "pyflink": "pyflink",
         "pyflink_sql": "pyflink"}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """Where the race is held: bronze's files by part and batch, and room to write in."""

    spark: Any
    bronze: Path
    parts: list[list[str]]
    events: int
    folder: Path
    group_batches: int

    @classmethod
    def of(cls, spark: Any, bronze: Path, events: int, folder: Path, group_batches: int) -> "Field":
        logs = sorted((bronze / "_delta_log").glob("*.json"))
        commits = [files for log in logs if (files := added(log.read_text()))]
        parts = [[str(bronze / file) for file in files] for files in zip(*commits, strict=True)]
        return cls(spark, bronze, parts, events, folder, min(group_batches, len(commits)))

    def task(self, name: str, **options: str) -> Path:
        place = self.folder / f"{name}.task.json"
        Task(self.parts, str(self.folder / f"{name}.out"), options).write(place)
        return place


def race(field: Field, names: tuple[str, ...], flagged: list[int], python: Path = PYTHON) -> dict[str, Figures]:
    """Figures of each named peer, or why there are none; under `product`, whether it flagged what the plain loop flagged."""
    loop = [sys.executable, "-m", "bench.peers.plain_loop", str(field.task("plain_loop"))]
    reference = programs(field.folder, "plain_loop", [loop])
    expected: list[int] = reference.pop("flagged")
    outcome: dict[str, Figures] = {"product": judged({}, flagged, expected)}
    for name in names:
        say(f"{name} …")
        outcome[name] = held(field, name, expected, python) if name != "plain_loop" else judged(reference, expected, expected)
        say(f"{name}: {outcome[name]}")
    return outcome


def held(field: Field, name: str, expected: list[int], python: Path) -> Figures:
    """One peer's figures; a peer that is not there or breaks says why, and the others go on."""
    why = missing(name, python)
    if why:
        return {"unavailable": why}
    try:
        figures = RUN[name](field, name, str(python))
    except subprocess.SubprocessError as error:
        return {"unavailable": str(error)[:600]}
    flagged: list[int] = figures.pop("flagged")
    first = [row for row in expected if row < figures["events"]]
    return judged(figures, flagged, first)


def judged(figures: Figures, flagged: list[int], expected: list[int]) -> Figures:
    return {**figures, "anomalies": len(flagged), "equal": sorted(flagged) == sorted(expected)}


def missing(name: str, python: Path) -> str:
    """Why the peer cannot run, "" when it can."""
    if name not in NEEDS:
        return ""
    if not python.exists():
        said = ROOT / ".setup" / "bench.log"
        return said.read_text().strip()[-600:] if said.exists() else "there is no .venv-bench; scripts/bench throughput makes it"
    script = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({NEEDS[name]!r}) is None)"
    found = subprocess.run([str(python), "-c", script], check=False).returncode == 0
    return "" if found else f"{NEEDS[name]} is not in .venv-bench"


def bytewax(field: Field, name: str, python: str) -> Figures:
    options = {"addresses": ";".join(f"127.0.0.1:{port}" for port in free_ports(len(field.parts)))}
    if name.endswith("recovery"):
        options["recovery"] = str(field.folder / "recovery")
        prepare = [python, "-m", "bench.peers.bytewax_flow", "--prepare", options["recovery"], str(len(field.parts))]
        subprocess.run(prepare, cwd=ROOT, check=True)
    return in_parts(field, name, "bytewax_flow", python, options)


def quix(field: Field, name: str, python: str) -> Figures:
    return in_parts(field, name, "quix_flow", python, {}) | {"note": "StreamingDataFrame and State in memory, no broker"}


def in_parts(field: Field, name: str, module: str, python: str, options: dict[str, str]) -> Figures:
    """A process for each part of the accounts."""
    task, numbers = str(field.task(name, **options)), range(len(field.parts))
    commands = [[python, "-W", "ignore", "-m", f"bench.peers.{module}", task, str(number)] for number in numbers]
    return programs(field.folder, name, commands, [field.folder / f"{name}.out.{number}" for number in numbers])


def flink(field: Field, name: str, python: str) -> Figures:
    way = {"way": "sql"} if name.endswith("sql") else {"way": "python", "mode": "thread"}
    task = str(field.task(name, events=str(field.events), **way))
    module = [python, "-W", "ignore", "-m", "bench.peers.flink_flow"]
    subprocess.run([*module, "--prepare", task], cwd=ROOT, check=True)
    where = [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    packages = subprocess.run(where, capture_output=True, check=True, text=True).stdout.strip()
    return programs(field.folder, name, [[*module, task]], PYTHONPATH=packages)  # its embedded Python asks for it


def grouped(field: Field, name: str, python: str) -> Figures:
    """In the product's session, so its own processes are watched."""
    with tempfile.TemporaryDirectory(dir=field.folder) as folder, Watch([os.getpid()]) as watch:
        batches, flagged = group_per_account.run(field.spark, field.bronze, Path(folder), field.group_batches)
    events = sum(one["numInputRows"] for one in batches)
    rates = [one["numInputRows"] / (one["durationMs"]["triggerExecution"] / 1000) for one in batches]
    return {
        "warm_events_per_s": round(statistics.median(rates[COLD_BATCHES:] or rates[-1:])), "cold_events_per_s": round(rates[0]),
        "events": events, "cpu_s_per_million": round(watch.cpu_s() / events * 1e6, 2), "flagged": flagged,
        "note": f"the first {len(batches)} of {len(field.parts[0])} batches",
    }  # fmt: skip


RUN: dict[str, Callable[[Field, str, str], Figures]] = {
    "group_per_account": grouped, "bytewax_2p": bytewax, "bytewax_2p_recovery": bytewax, "quix": quix, "pyflink": flink,
    "pyflink_sql": flink,
}  # fmt: skip


def summary(warm_events_per_s: float, outcome: dict[str, Figures]) -> Figures:
    """The race for the last line: of each peer its warm events a second (or why there are none), and the product's over it."""
    peers = {name: figures for name, figures in outcome.items() if name != "product"}
    rates = {name: figures.get("warm_events_per_s") for name, figures in peers.items()}
    return {
        "peers": {name: rate if rate is not None else peers[name] for name, rate in rates.items()},
        "ratios": {name: round(warm_events_per_s / rate, 2) for name, rate in rates.items() if rate},
        "same_anomalies": all(figures.get("equal", True) for figures in outcome.values()),
        "peer_details": outcome,
    }


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
