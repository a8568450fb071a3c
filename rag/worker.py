"""A council worker: takes cases from the docket, has them heard, records the rulings; any number may run beside each other."""

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

import structlog

from observe.telemetry import catalogue
from observe.telemetry import hearings as numbers
from observe.telemetry.process import watched
from rag import docket, filing, record
from rag.bench import Bench, Dealings
from rag.docket import Taken
from rag.embed import embed
from rag.gather import Gatherer
from rag.hearing import hear
from rag.triage import Lane
from store import retention
from store.database import Database, open_database, wait_for
from store.errors import DatabaseAway
from store.settings import Settings

LANES: tuple[Lane, ...] = ("immediate", "batch")
HEARTBEAT_S, IDLE_S, LOOK_S, DEPTH_S = 5.0, 1.0, 30.0, 2.0
RESERVED = 0.25  # of the model's calls a minute: for the immediate lane, where another lane is heard beside it
REHEAR_BATCHES = 3  # so many batches are put on an empty docket at a time, so that new cases never wait behind old ones
AWAY_S = 600.0  # how long a database that is away is waited for
Progress = Callable[["Summary", int], None]
log = structlog.get_logger(__name__)


@dataclass
class Summary:
    """What a run did: rulings by outcome and by council, hearings that failed, and seconds."""

    cases: int = 0
    batches: int = 0
    failed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    councils: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, other: "Summary") -> None:
        """Count another worker's run in; they ran side by side, so the longer time counts."""
        self.cases, self.batches, self.failed = self.cases + other.cases, self.batches + other.batches, self.failed + other.failed
        self.outcomes, self.councils = self.outcomes + other.outcomes, self.councils + other.councils
        self.seconds = max(self.seconds, other.seconds)


def run(settings: Settings, *, once: bool = False, stop: Event | None = None, on_progress: Progress | None = None) -> Summary:
    """Hear cases until `stop` is set, or with `once` until the docket is empty; `on_progress(summary, cases still open)`.

    Raises DatabaseAway when the database stays away for ten minutes.
    """
    with watched(settings, "council"), open_database(settings, wait_s=60) as database:
        worker = Worker(database, settings, stop or Event(), on_progress)
        return worker.run(once) if once else beside(worker, settings)


def beside(worker: "Worker", settings: Settings) -> Summary:
    """The worker, and in a thread beside it one for the immediate lane alone: no such case waits behind a batch of others.

    They share what they know of the model; of its calls a part is left to the immediate lane. The end of one ends the other.
    """
    embed(["a case"])  # loads the vectors now, and not while the first case waits
    with open_database(settings) as database, ThreadPoolExecutor(1, thread_name_prefix="immediate") as threads:
        quick = Worker(database, settings, worker.stop, lane="immediate", known=worker.bench.dealings)
        worker.bench.reserve = int(settings.model.calls_per_minute * RESERVED)
        running = threads.submit(_ending, worker.stop, quick)
        try:
            summary = worker.run(once=False)
        finally:
            worker.stop.set()
        summary.add(running.result())
        return summary


def _ending(stop: Event, worker: "Worker") -> Summary:
    try:
        return worker.run(once=False)
    finally:
        stop.set()


class Worker:
    """One worker and what it holds between batches; for one `lane` alone it leaves the house to the worker that it is beside."""

    def __init__(
        self, database: Database, settings: Settings, stop: Event, on_progress: Progress | None = None, *,
        lane: Lane | None = None, known: Dealings | None = None,
    ) -> None:  # fmt: skip
        self.database, self.settings, self.stop, self.on_progress = database, settings, stop, on_progress
        self.lanes, self.keeps_house = (LANES, True) if lane is None else ((lane,), False)
        self.name = f"council@{socket.gethostname()}/{os.getpid()}" + (f"/{lane}" if lane is not None else "")
        self.bench = Bench(settings.model, before_call=self._renew, known=known)
        self.gatherer = Gatherer(database, settings.council)
        self.summary = Summary()
        self._due: dict[str, float] = {}
        self._unsettled = self._once = False

    def run(self, once: bool) -> Summary:
        started, self._once = time.monotonic(), once
        try:
            while not self.stop.is_set() and wait_for(lambda: self._turn(once), AWAY_S):
                pass
        finally:
            self._leave()
        self.summary.seconds = time.monotonic() - started
        return self.summary

    def _turn(self, once: bool) -> bool:
        """One look at the docket; False when there is nothing left to do for a run `once`."""
        if self._unsettled:  # the database went away in the middle: what was leased then is still ours, and unheard
            self.database.run("release_cases", worker=self.name)
        self._unsettled = True
        going_on = self._step(once)
        self._unsettled = False
        return going_on

    def _step(self, once: bool) -> bool:
        self._look_after()
        for lane in self.lanes:
            if taken := self._collect(lane, once):
                self._hear(taken)
                self._tell()
                return True
        return self._wait(once)

    def _collect(self, lane: Lane, once: bool) -> list[Taken]:
        """A lane's batch: full, or what has come within the lane's wait of the first case."""
        council = self.settings.council
        limit, wait_ms = {
            "immediate": (council.immediate_batch, council.immediate_wait_ms),
            "batch": (council.batch_batch, council.batch_wait_ms),
        }[lane]
        taken = docket.take(self.database, lane, limit, self.name, council)
        deadline = time.monotonic() + wait_ms / 1000
        while taken and len(taken) < limit and not once and (left := deadline - time.monotonic()) > 0:
            self.database.listen(docket.CHANNEL, left)
            taken += docket.take(self.database, lane, limit - len(taken), self.name, council)
        return taken

    def _hear(self, taken: list[Taken]) -> None:
        """Hear a batch; when that fails each case alone, so that one bad case does not take the others with it."""
        try:
            self._judge(taken)
        except DatabaseAway:
            raise
        except Exception as error:
            if len(taken) > 1:
                for case in taken:
                    self._hear([case])
                return
            log.warning("a hearing failed", case=taken[0].case_id, attempt=taken[0].attempts, error=repr(error))
            catalogue.failed("council", error)
            said = f"{type(error).__name__}: {error}".replace("\0", "")
            docket.fail(self.database, taken, self.name, said, self.settings.council)
            self.summary.failed += 1

    def _judge(self, taken: list[Taken]) -> None:
        started = time.monotonic()
        hearings = hear([case.case_id for case in taken], self.gatherer, self.bench, self.settings.council)
        latency_ms = (time.monotonic() - started) * 1000
        rulings = record.write(self.database, taken, hearings, self.name, self._now(), latency_ms, self.settings)
        self.summary.batches += 1
        self.summary.cases += len(rulings)
        self.summary.outcomes.update(ruling.outcome for ruling in rulings)
        self.summary.councils.update(ruling.council for ruling in rulings)

    def _renew(self) -> None:
        """Before each model call: a batch may take several, and its leases must outlast the next one."""
        lease_s = max(self.settings.council.lease_s, 2 * self.settings.model.timeout_s)
        self.database.run("renew_leases", worker=self.name, lease_s=lease_s)
        self._look_after()

    def _wait(self, once: bool) -> bool:
        """Nothing can be taken: end when all is done, else sleep until something comes or becomes due."""
        waiting = self.database.fetch("docket_open", now=None, lanes=list(self.lanes))[0]
        if self.keeps_house and waiting["open"] == 0 and self._put_back():
            return True
        if once and waiting["open"] == 0:
            return False
        if self.keeps_house and not once and waiting["open"] == 0 and self._rehear():
            return True
        pause = IDLE_S if waiting["next_in_s"] is None else min(max(waiting["next_in_s"], 0.02), IDLE_S)
        self.database.listen(docket.CHANNEL, pause)
        return True

    def _put_back(self) -> bool:
        """With an empty docket: some of the cases that had to be filed for want of room, those with the most to lose first."""
        return filing.put_back(self.database, REHEAR_BATCHES * self.settings.council.batch_batch) > 0

    def _rehear(self) -> bool:
        """With an empty docket and a model at hand, put back some cases that rules had to judge."""
        council = self.settings.council
        if not self._is_due("rehear", council.rehear_after_s) or self.bench.absence():
            return False
        return self.database.run("enqueue_rehear", now=None, limit=REHEAR_BATCHES * council.batch_batch) > 0

    def _look_after(self) -> None:
        """Heartbeat, dead letters of killed workers, a docket that is too deep, and old rows, each in its own time."""
        if not self.keeps_house:
            return
        if not self._once and self._is_due("depth", DEPTH_S):
            filing.file_overflow(self.database, self.settings)
        if self._is_due("heartbeat", HEARTBEAT_S):
            self.database.run("put_worker", worker=self.name, detail=json.dumps(self._state()))
            self.database.run("bury_cases", max_attempts=self.settings.council.max_attempts, now=None)
        if self._is_due("maintenance", LOOK_S) and retention.due(self.database, self.settings.retention, self._now()):
            retention.run(self.database, self.settings.retention, self._now())

    def _state(self) -> dict[str, str]:
        absence = self.bench.absence()
        breaker = self.bench.breaker.state(self.bench.clock())
        numbers.breaker(breaker)
        return {
            "council": "rules" if absence else "model",
            "breaker": breaker,
            "model": self.bench.presence().name,
            "why": absence,
        }

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, now):
            return False
        self._due[what] = now + every_s
        return True

    def _tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.summary, self._open())

    def _open(self) -> int:
        return int(self.database.fetch("docket_open", now=None, lanes=list(self.lanes))[0]["open"])

    def _now(self) -> datetime:
        now: datetime = self.database.fetch("database_now")[0]["now"]
        return now

    def _leave(self) -> None:
        """Give back what is held; a database that is away will let the leases run out instead."""
        try:
            self.database.run("release_cases", worker=self.name)
            self.database.run("drop_worker", worker=self.name)
        except DatabaseAway as error:
            log.warning("left without giving back its cases", error=str(error))
