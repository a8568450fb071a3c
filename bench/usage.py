"""What a tree of processes uses: CPU seconds and resident memory by kind of process, looked at while it works."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import psutil

EVERY_S = 0.25
KINDS = {"java": "jvm", "postgres": "postgres"}  # every other process is Python


@dataclass(frozen=True)
class Look:
    """One look: seconds of CPU since each process began, bytes of memory now; both by kind."""

    at: float
    cpu_s: dict[str, float]
    rss: dict[str, int]


@dataclass
class Watch:
    """Looks at the processes `roots` and all below them until left. CPU of a process that ended stays counted.

    Memory is resident memory added up: what forked workers share is counted once for each.
    """

    roots: list[int]
    looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._spent: dict[tuple[int, float], tuple[str, float]] = {}
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Watch":
        self.looks.append(self.look())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.looks.append(self.look())

    def _work(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.looks.append(self.look())

    def look(self) -> Look:
        rss: dict[str, int] = {}
        for process in self._processes():
            try:
                with process.oneshot():
                    kind = KINDS.get(process.name(), "python")
                    times, began = process.cpu_times(), process.create_time()
                    rss[kind] = rss.get(kind, 0) + process.memory_info().rss
            except psutil.Error:
                continue
            self._spent[process.pid, began] = kind, times.user + times.system
        return Look(time.time(), self._by_kind(), rss)

    def _processes(self) -> list[psutil.Process]:
        found = []
        for pid in self.roots:
            try:
                root = psutil.Process(pid)
                found += [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
        return found

    def _by_kind(self) -> dict[str, float]:
        spent: dict[str, float] = {}
        for kind, seconds in self._spent.values():
            spent[kind] = spent.get(kind, 0.0) + seconds
        return spent

    def cpu_s(self, since: float = 0.0, until: float = float("inf")) -> float:
        """CPU seconds of all kinds between the looks next to two moments (of time.time)."""
        first = next((look for look in self.looks if look.at >= since), self.looks[-1])
        last = next((look for look in reversed(self.looks) if look.at <= until), self.looks[0])
        return max(sum(last.cpu_s.values()) - sum(first.cpu_s.values()), 0.0)

    def peak_rss(self) -> dict[str, int]:
        """The most bytes that each kind held at one look."""
        peak: dict[str, int] = {}
        for look in self.looks:
            for kind, size in look.rss.items():
                peak[kind] = max(peak.get(kind, 0), size)
        return peak
