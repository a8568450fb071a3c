"""What a run looks like from outside, second by second: what waits where, and the memory and processor time of every process."""

import contextlib
import csv
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cli.children import Children, members
from jobs.errors import LagUnknown
from jobs.lag import Watch
from store import embedded
from store.database import Database
from store.errors import ConclaveError
from store.settings import settings

EVERY_S, SAID_EVERY_S = 1.0, 10.0
MB = 1 << 20


@dataclass
class Sample:
    """One look: `source` waits for ingest (events or files), `rows` for detect; cases on the docket by lane."""

    at_s: float
    source: int | None
    rows: int | None
    folded: int
    immediate: int
    batch: int
    shed: int
    ruled: int

    @property
    def lag(self) -> int:
        """Everything that waits between the source and the fold; of files nobody knows how many events they hold."""
        return (self.source or 0) + (self.rows or 0)


@dataclass
class Watching:
    """Looks once a second in a thread of its own until the block ends. Peaks are MB: resident, or the share of what is common."""

    database: Database
    children: Children
    home: Path
    samples: list[Sample] = field(default_factory=list)
    peak_mb: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> "Watching":
        self._begun, self._stop = time.monotonic(), threading.Event()
        self._source = Watch(settings(), self.database)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._source.close()

    def now(self) -> float:
        return time.monotonic() - self._begun

    def since(self, at_s: float) -> list[Sample]:
        return [sample for sample in self.samples if sample.at_s >= at_s]

    def _watch(self) -> None:
        said = 0.0
        while not self._stop.wait(EVERY_S):
            with contextlib.suppress(ConclaveError):
                self.samples.append(self._look())
            self._weigh()
            if self.samples and self.now() - said >= SAID_EVERY_S:
                said = self.now()
                print(f"  {told(self.samples[-1])}", file=sys.stderr, flush=True)

    def _look(self) -> Sample:
        try:
            waiting: int | None = self._source.lag().waiting
        except LagUnknown:
            waiting = None
        row = self.database.fetch("bench_lag")[0]
        return Sample(
            round(self.now(), 2),
            waiting,
            row["rows"],
            row["folded"] or 0,
            row["immediate"],
            row["batch"],
            row["shed"],
            row["ruled"],
        )

    def _weigh(self) -> None:
        for name, found in self._processes().items():
            memory = [weight(process, name) for process in found]
            self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), round(sum(memory) / MB, 1))
            self.cpu_s[name] = round(max(self.cpu_s.get(name, 0.0), sum(map(busy, found))), 2)

    def _processes(self) -> dict[str, list[psutil.Process]]:
        """The living processes by what they are: Spark's JVM and its Python apart."""
        found: dict[str, list[psutil.Process]] = {}
        for name, pid in self.children.pids().items():
            for process in members(pid):
                with contextlib.suppress(psutil.Error):
                    java = process.name() == "java"
                    worker = "pyspark.daemon" in " ".join(process.cmdline())
                    found.setdefault(f"{name} (JVM)" if java else f"{name} (Python workers)" if worker else name, []).append(
                        process
                    )
        with contextlib.suppress(psutil.Error, FileNotFoundError):
            number = embedded.pid(Path((self.home / "postgres" / "place").read_text().strip()))
            if number is not None:
                server = psutil.Process(number)
                found["postgres"] = [server, *server.children(recursive=True)]
        return found


def weight(process: psutil.Process, name: str) -> float:
    """Bytes: what is resident; of Postgres and forked workers their share of it, since they have most of it in common."""
    with contextlib.suppress(psutil.Error):
        if name == "postgres" or name.endswith("workers)"):
            return float(process.memory_full_info().pss)
        return float(process.memory_info().rss)
    return 0.0


def busy(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def told(sample: Sample) -> str:
    source = "?" if sample.source is None else f"{sample.source:,}"
    rows = "?" if sample.rows is None else f"{sample.rows:,}"
    return (
        f"{sample.at_s:6.0f} s  wait for ingest {source:>9}  for detect {rows:>9}  folded {sample.folded:>11,}  "
        f"docket {sample.immediate:>4} + {sample.batch:>5}  filed {sample.shed:>6,}  ruled {sample.ruled:>6,}"
    )


def written(samples: list[Sample], path: Path) -> None:
    """The samples as CSV."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["at_s", "source", "rows", "folded", "immediate", "batch", "shed", "ruled"])
        out.writerows([list(vars(sample).values()) for sample in samples])


def machine() -> dict[str, Any]:
    """What else the machine was doing, without which no figure means anything."""
    return {"cores": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
