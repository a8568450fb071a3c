"""A whole run: the schedule, the faults, and the comparison with an undisturbed run."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos import calm, coverage, oracle, report
from chaos.campaign import Campaign, Outcome
from chaos.kinds import ESSENTIAL, KINDS
from chaos.oracle import Difference
from chaos.plant import Plant
from chaos.schedule import Fault, schedule
from chaos.servers import kafka_missing, mounts_missing

Say = Callable[[str], None]


@dataclass
class Result:
    """What a run came to; it passed when nothing is wrong and nothing differs."""

    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    rulings: int = 0
    leftovers: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.wrong and not self.differences

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed, "seed": self.seed, "faults": len(self.outcomes), "skipped": self.skipped, "wrong": self.wrong,
            "differing_rows": {one.table: len(one.only_after_faults) + len(one.only_undisturbed) for one in self.differences},
            "recovery": report.recovery(self.outcomes), "rows": self.rows, "rulings_reexecuted": self.rulings,
            "outlived_their_leader": self.leftovers,
            "seconds": round(self.seconds, 1), "outcomes": [asdict(one) for one in self.outcomes],
        }  # fmt: skip


def planned(seed: int, kills: int) -> tuple[Fault, ...]:
    return schedule(seed, kills, ESSENTIAL, tuple(KINDS))


def absent(folder: Path, *, kafka: bool) -> dict[str, str]:
    """What this machine or this run has not: need → why."""
    why = {"kafka": kafka_missing() if kafka else "events come from files (--source files)", "mounts": mounts_missing(folder)}
    return {need: reason for need, reason in why.items() if reason}


def run(seed: int, faults: Sequence[Fault], folder: Path, *, kafka: bool, pause_s: float, say: Say) -> Result:
    """Strike with the faults that this machine allows and compare; everything lies below `folder`."""
    started, result, lacking = time.monotonic(), Result(seed), absent(folder, kafka=kafka)
    result.skipped = {one.kind: lacking[KINDS[one.kind].needs] for one in faults if KINDS[one.kind].needs in lacking}
    for kind, reason in result.skipped.items():
        say(f"skipped: {kind}, since {reason}")
    wanted = [fault for fault in faults if fault.kind not in result.skipped]
    with Plant(folder, kafka="kafka" not in lacking, mounts="mounts" not in lacking, pause_s=pause_s) as plant:
        attack(plant, wanted, result, say)
        if not result.wrong:
            compare(plant, result, say)
    result.seconds = time.monotonic() - started
    return result


def attack(plant: Plant, faults: Sequence[Fault], result: Result, say: Say) -> None:
    campaign = Campaign(plant, result.seed, say)
    say(f"windows are warm after {campaign.warm():.0f} s")
    for outcome in campaign.strike_all(faults):
        result.outcomes.append(outcome)
        say(line(outcome))
        if outcome.wrong:
            result.wrong.append(f"fault {outcome.number}, {outcome.kind}: {outcome.wrong}")
            return
        campaign.note(outcome)
    plant.settle()
    result.leftovers = {name: process.leftovers for name, process in plant.processes.items() if process.leftovers}
    result.wrong += oracle.misplaced(plant.home, campaign.source.places())
    result.wrong += coverage.faults_of(plant.database, campaign.told)
    result.rulings = len(plant.database.fetch("chaos_rulings"))


def compare(plant: Plant, result: Result, say: Say) -> None:
    say("the same input once more, undisturbed")
    ours, theirs = oracle.contents(plant.database, plant.home), calm.contents(plant)
    result.rows = {table: len(rows) for table, rows in ours.items()}
    result.differences = oracle.differences(ours, theirs)


def line(outcome: Outcome) -> str:
    commit = "-" if outcome.next_commit_s is None else f"{outcome.next_commit_s:.1f} s"
    part = f" ({outcome.part})" if KINDS[outcome.kind].goes_on != "council" else ""
    return (
        f"{outcome.number:>4} {outcome.kind + part:<36} next commit {commit:>7}, all done {outcome.drained_s:5.1f} s, "
        f"{outcome.restarts} restarts{'; ' + outcome.wrong if outcome.wrong else ''}"
    )


def cleared(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
