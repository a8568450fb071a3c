"""Finished spans on their way out: a bounded queue that a background thread empties. It never blocks or raises into its host."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Record = dict[str, Any]
RETRIES, FIRST_WAIT_S, LONGEST_WAIT_S = 3, 0.2, 5.0
REPORT_EVERY_S = 60.0
log = logging.getLogger("conclave.observe")


class Exporter(Protocol):
    """Where spans go."""

    def export(self, batch: list[Record], dropped: int) -> None:
        """Send the batch; `dropped`: spans lost since the last one that arrived. Raises when it did not arrive."""


@dataclass(frozen=True)
class Stats:
    """Spans since the start: `recorded` = sent + dropped + failed + waiting. `faults`: our own errors, kept from the host."""

    recorded: int
    sent: int
    dropped: int  # no room
    failed: int  # could not be sent
    waiting: int
    faults: int


class Queue:
    """At most `capacity` spans and `max_bytes` of text wait; what comes beyond is dropped and counted."""

    def __init__(
        self, exporter: Exporter, *, capacity: int = 2048, max_bytes: int = 16_000_000, batch: int = 100, every_s: float = 1.0,
        close_s: float = 3.0, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._exporter, self._capacity, self._max_bytes, self._batch = exporter, capacity, max_bytes, batch
        self._every_s, self._close_s, self._clock = every_s, close_s, clock
        self._sent = self._dropped = self._failed = self._recorded = self._faults = self._unreported = 0
        self._reported_at = float("-inf")
        self._begin()
        atexit.register(_close, weakref.ref(self))
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_restart(weakref.ref(self)))

    def _begin(self) -> None:
        """An empty queue without a thread, also in a forked child: what waits is its parent's to send."""
        self._waiting: deque[tuple[Record, int]] = deque()
        self._bytes = self._in_hand = 0
        self._lock = threading.Lock()
        self._wake, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, record: Record, size: int) -> bool:
        """Take a finished span; False when there was no room. A few microseconds."""
        with self._lock:
            self._recorded += 1
            full = len(self._waiting) + self._in_hand >= self._capacity or self._bytes + size > self._max_bytes
            if full or self._closed:
                self._dropped += 1
                self._unreported += 1
                return False
            self._waiting.append((record, size))
            self._bytes += size
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="conclave-observe", daemon=True)
                self._thread.start()
            due = len(self._waiting) >= self._batch
        if due:
            self._wake.set()
        return True

    def fault(self) -> None:
        """Count an error of our own."""
        with self._lock:
            self._faults += 1

    @property
    def stats(self) -> Stats:
        with self._lock:
            waiting = len(self._waiting) + self._in_hand
            return Stats(self._recorded, self._sent, self._dropped, self._failed, waiting, self._faults)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send what waits; whether all of it was done with in time."""
        self._wake.set()
        return self._idle.wait(self._close_s if timeout_s is None else timeout_s)

    def close(self) -> bool:
        """Send what waits, for at most `close_s` seconds; what comes later is dropped."""
        done = self.flush()
        with self._lock:
            self._closed = True
        self._wake.set()
        return done

    def _run(self) -> None:
        while True:
            self._wake.wait(self._every_s)
            self._wake.clear()
            while batch := self._take():
                self._deliver([record for record, _ in batch], sum(size for _, size in batch))
            if self._closed:
                return

    def _take(self) -> list[tuple[Record, int]]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._in_hand = len(batch)
            if not batch:
                self._idle.set()
            return batch

    def _deliver(self, batch: list[Record], size: int) -> None:
        arrived, lost, wait_s = False, self._unreported, FIRST_WAIT_S
        for attempt in range(RETRIES):
            try:
                self._exporter.export(batch, lost)
                arrived = True
                break
            except Exception as error:
                log.debug("traces were not sent: %s", error)
                if attempt + 1 < RETRIES and not self._closed:
                    self._wake.wait(wait_s)
                    wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        with self._lock:
            self._bytes -= size
            self._in_hand = 0
            self._sent += len(batch) if arrived else 0
            self._failed += 0 if arrived else len(batch)
            self._unreported += -lost if arrived else len(batch)
        self._report()

    def _report(self) -> None:
        """Say in the log, at most once a minute, that spans are being lost."""
        if self._unreported and self._clock() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = self._clock()
            log.warning("traces are being lost: %d without room, %d not sent", self._dropped, self._failed)


def _close(queue: "weakref.ref[Queue]") -> None:
    if (alive := queue()) is not None:
        alive.close()


def _restart(queue: "weakref.ref[Queue]") -> Callable[[], None]:
    def restart() -> None:
        if (alive := queue()) is not None:
            alive._begin()

    return restart
