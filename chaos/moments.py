"""When a fault strikes: each moment is armed before the input comes, and then waited for."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chaos.model import Mode
from chaos.proxy import When

if TYPE_CHECKING:
    from chaos.plant import Plant

LOOK_S = 0.001
Wait = Callable[[float], bool]  # seconds at most → whether the moment came; then `plant.caught` is the process that it is about


@dataclass(frozen=True)
class Commit:
    """A transaction of `job` (ingest's or detect's ledger entry, the council's rulings) is about to commit, or just has; the
    proxy holds it there until the fault has struck. `passed`: then it goes its way, should anyone be left to wait for it."""

    job: str
    when: When
    passed: bool = False

    @contextlib.contextmanager
    def armed(self, plant: "Plant") -> Iterator[Wait]:
        trap = plant.proxy.trap(self.job, self.when)

        def come(wait_s: float) -> bool:
            came = trap.caught.wait(wait_s)
            plant.caught = plant.owner(trap.port) if came else None
            return came

        try:
            yield come
        finally:
            plant.proxy.disarm(trap, passed=self.passed)


@dataclass(frozen=True)
class Appears:
    """A new file, or the beginning of one, appears in a folder below the home (or below its subfolders)."""

    folder: str
    deep: bool = False

    @contextlib.contextmanager
    def armed(self, plant: "Plant") -> Iterator[Wait]:
        folder = plant.home / self.folder
        before = names(folder, deep=self.deep)

        def come(wait_s: float) -> bool:
            deadline = time.monotonic() + wait_s
            while names(folder, deep=self.deep) <= before:
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_S)
            return True

        yield come


@dataclass(frozen=True)
class ModelCall:
    """The council is in the middle of a call to the model, which behaves in this way until the fault is over."""

    mode: Mode

    @contextlib.contextmanager
    def armed(self, plant: "Plant") -> Iterator[Wait]:
        plant.model.behave(self.mode)

        def come(wait_s: float) -> bool:
            came = plant.model.called.wait(wait_s)
            plant.caught = plant.owner(plant.model.caller) if came else None
            return came

        try:
            yield come
        finally:
            plant.model.behave("good")


@dataclass(frozen=True)
class Starting:
    """The process was killed, was started again, and asks for the lock of its checkpoint."""

    process: Literal["ingest", "detect"]

    @contextlib.contextmanager
    def armed(self, plant: "Plant") -> Iterator[Wait]:
        trap = plant.proxy.trap("fence", "asked")
        plant.kill(self.process)
        try:
            yield trap.caught.wait
        finally:
            plant.proxy.disarm(trap, passed=False)


Moment = Commit | Appears | ModelCall | Starting


def names(folder: Path, *, deep: bool) -> set[str]:
    """What is in a folder, hidden files (a file's beginning) too."""
    found = set[str]()
    with contextlib.suppress(FileNotFoundError):
        for entry in folder.iterdir():
            found |= {f"{entry.name}/{name}" for name in names(entry, deep=True)} if deep and entry.is_dir() else {entry.name}
    return found
