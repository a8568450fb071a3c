"""The faults one after the other: feed, wait for the moment, strike, feed on, heal, and wait until all is done."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chaos import feed
from chaos.kinds import KINDS, Kind
from chaos.plant import Plant
from chaos.schedule import Fault
from chaos.source import Source
from store.database import fetch
from store.errors import DatabaseError
from trust import audit

COMES_S, DRAINS_S, LOOK_S = 120.0, 240.0, 0.1
MOST_RESTARTS = 8


@dataclass(frozen=True)
class Outcome:
    """What a fault came to. Seconds from the blow to the next commit of the job that it hit, and until nothing was left to do;
    `fault` says in words what went wrong, and is empty when nothing did."""

    number: int
    kind: str
    part: str
    next_commit_s: float | None
    drained_s: float
    restarts: int
    wrong: str = ""


@dataclass
class Campaign:
    """Strikes a plant fault by fault. `told` counts the entries that this run wrote to the audit log."""

    plant: Plant
    seed: int
    say: Callable[[str], None]
    source: Source = field(init=False)
    told: int = 0

    def __post_init__(self) -> None:
        self.source = Source(self.plant.landing, self.plant.broker)

    def warm(self) -> float:
        """Feed the windows until they can judge; seconds that took."""
        started = time.monotonic()
        first = feed.step(self.seed, 0)
        self.source.put(first.before + first.after)
        wrong = self.drain()
        if wrong:
            raise RuntimeError(f"before any fault: {wrong}; see {self.plant.folder / 'logs'}")
        return time.monotonic() - started

    def strike_all(self, faults: Sequence[Fault]) -> Iterator[Outcome]:
        """One outcome after the other; the first that went wrong is the last."""
        for fault in faults:
            outcome = self.strike(fault)
            yield outcome
            if outcome.wrong:
                return

    def strike(self, fault: Fault) -> Outcome:
        kind, step = KINDS[fault.kind], feed.step(self.seed, fault.number)
        restarts, self.plant.caught = self._restarts(), None
        with kind.moment.armed(self.plant) as come:
            self.source.put(step.before)
            if not come(COMES_S):
                return Outcome(fault.number, fault.kind, fault.part, None, 0.0, 0, "its moment did not come")
            at, struck = self._clock(), time.monotonic()
            kind.blow.strike(self.plant, fault)
        self._end(fault, kind, step)
        wrong = self.drain()
        drained_s = time.monotonic() - struck
        return Outcome(
            fault.number, fault.kind, fault.part, self._next_commit(kind, at), drained_s,
            self._restarts() - restarts, wrong,
        )  # fmt: skip

    def _end(self, fault: Fault, kind: Kind, step: feed.Step) -> None:
        """Input goes on while the fault lasts (with a broker that is dead, once it is back); then it is healed."""
        if kind.needs == "kafka":
            kind.blow.heal(self.plant, fault)
            self.source.put(step.after)
        else:
            self.source.put(step.after)
            kind.blow.heal(self.plant, fault)

    def drain(self) -> str:
        """Wait until every record was taken, folded and heard; in words what is wrong when that does not come about."""
        deadline, seen, restarts = time.monotonic() + DRAINS_S, "", self._restarts()
        while time.monotonic() < deadline:
            if self._restarts() - restarts > MOST_RESTARTS:
                return f"something ends again and again: {self.plant.watchdog.restarts}, {seen}"
            try:
                row = self.plant.database.fetch("chaos_progress")[0]
            except DatabaseError as error:
                seen = str(error)
                time.sleep(LOOK_S)
                continue
            seen = (
                f"{row['ingested']:,} of {self.source.records:,} taken, {row['folded']:,} of {row['accepted']:,} folded, "
                f"{row['open']:,} cases open"
            )
            taken = row["ingested"] == self.source.records  # until then detect may be ahead: it reads bronze, not the ledger
            if row["ingested"] > self.source.records or (taken and row["folded"] > row["accepted"]):
                return f"some came twice: {seen}"
            if taken and row["folded"] == row["accepted"] and row["open"] == 0:
                return ""
            time.sleep(LOOK_S)
        return f"not done within {DRAINS_S:g} s: {seen}"

    def note(self, outcome: Outcome) -> None:
        """An entry in the audit log for each fault that was survived: what was acknowledged must still be there at the end."""
        with self.plant.database.connection() as connection:
            audit.record(connection, "main", "system:chaos", "chaos.fault", f"fault:{outcome.number}", {"kind": outcome.kind})
        self.told += 1

    def _restarts(self) -> int:
        return sum(self.plant.watchdog.restarts.values())

    def _clock(self) -> datetime:
        return datetime.now().astimezone()

    def _next_commit(self, kind: Kind, at: datetime) -> float | None:
        with self.plant.database.connection() as connection:
            found = fetch(connection, "chaos_next_commit", job=kind.goes_on, after=at)[0]["at"]
        return None if found is None else (found - at).total_seconds()
