"""Replays data sets as a stream: merged by event time, at a rate or a speed, to a folder or to Kafka."""

import gzip
import heapq
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol, cast

EVENT_TIME = re.compile(rb'"event_time"\s*:\s*"([^"]{1,40})"')
KEY = re.compile(rb'"(?:account_id|service)"\s*:\s*"([^"]{1,200})"')
OLDEST = datetime.min.replace(tzinfo=UTC)
JUMP = timedelta(days=366)  # a time so far from the line before it is a fault and says nothing about the order
LEAST_WAIT_S = 0.002  # shorter waits cost more than they are worth; the pace is kept on average
PAUSE_S = 0.2  # how often a waiting producer looks for `stop` and hands over what it holds


class Target(Protocol):
    """Where lines go. `write` may hold them back; `flush` hands over what is held; `close` returns when all has arrived."""

    def write(self, key: bytes | None, line: bytes) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Line:
    """A record's bytes; `at` is its event time, or its predecessor's where it has none that can be read."""

    raw: bytes
    at: datetime

    @property
    def key(self) -> bytes | None:
        """Account or service: one entity's events stay in order within a Kafka partition."""
        found = KEY.search(self.raw)
        return found.group(1) if found else None


@dataclass(frozen=True)
class Produced:
    """What was sent. `shift_s` was added to every event time; `seconds` is wall clock."""

    events: int
    seconds: float
    shift_s: float
    stopped: bool = False

    @property
    def per_second(self) -> float:
        return self.events / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Pace:
    """When the n-th line is due, in seconds after the first: by lines per second, by event time, or at once."""

    rate: float | None = None
    speed: float | None = None

    def due_s(self, sent: int, since_first: timedelta) -> float:
        by_rate = sent / self.rate if self.rate is not None else 0.0
        by_time = since_first.total_seconds() / self.speed if self.speed is not None else 0.0
        return max(by_rate, by_time)


def produce(
    paths: Iterable[Path], target: Target, *, rate: float | None = None, speed: float | None = None, shift_s: float | None = None,
    limit: int | None = None, on_progress: Callable[[int], None] | None = None, stop: threading.Event | None = None,
) -> Produced:  # fmt: skip
    """Sends the lines of all files, merged by event time, in constant memory.

    `rate` is lines per second, `speed` event seconds per second; without both as fast as the target takes them. `stop`
    ends it early. Lines are passed on byte by byte, broken ones too; only event times change, by `shift_s`.
    """
    pace, halt = Pace(rate, speed), stop or threading.Event()
    begun, first, sent = time.monotonic(), None, 0
    told = time.monotonic()
    for line in islice(merged(paths), limit):
        first = first if first is not None else line.at
        if not _wait(target, begun + pace.due_s(sent, line.at - first), halt):
            break
        target.write(line.key, shifted(line.raw, shift_s) if shift_s is not None else line.raw)
        sent += 1
        if on_progress is not None and (time.monotonic() - told > PAUSE_S):
            on_progress(sent)
            told = time.monotonic()
    target.close()
    if on_progress is not None:
        on_progress(sent)
    return Produced(sent, time.monotonic() - begun, shift_s or 0.0, halt.is_set())


def _wait(target: Target, until: float, halt: threading.Event) -> bool:
    """False when stopped. What the target holds is handed over before a wait, so that nothing lies while nothing comes."""
    wait_s = until - time.monotonic()
    if wait_s > PAUSE_S:
        target.flush()
    while wait_s > LEAST_WAIT_S and not halt.wait(min(wait_s, PAUSE_S)):
        wait_s = until - time.monotonic()
    return not halt.is_set()


def merged(paths: Iterable[Path]) -> Iterator[Line]:
    """All files' lines by event time; within a file the order is kept, so late and broken records stay where they arrived."""
    return heapq.merge(*(lines(path) for path in paths), key=lambda line: line.at)


def lines(path: Path) -> Iterator[Line]:
    """A JSON lines file's records, plain or gzip, with their times."""
    at = OLDEST
    with _opened(path) as file:
        for raw in file:
            at = _after(at, event_time(raw))
            if raw.strip():
                yield Line(raw.rstrip(b"\r\n"), at)


def _after(before: datetime, told: datetime | None) -> datetime:
    if told is None or (before > OLDEST and abs(told - before) > JUMP):
        return before
    return told


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def event_time(raw: bytes) -> datetime | None:
    """The record's event time, or None where it has none with a zone; records need not be valid JSON."""
    found = EVENT_TIME.search(raw)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found.group(1).decode())
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def shifted(raw: bytes, shift_s: float) -> bytes:
    """The record with its event time moved; a naive time moves too and stays naive."""
    found = EVENT_TIME.search(raw)
    if found is None:
        return raw
    try:
        moved = datetime.fromisoformat(found.group(1).decode()) + timedelta(seconds=shift_s)
    except (ValueError, OverflowError):
        return raw
    text = moved.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    return raw[: found.start(1)] + text + raw[found.end(1) :]


def shift_to(paths: Iterable[Path], now: datetime) -> float:
    """Seconds that move the newest event of all files to `now`."""
    newest = max((line.at for path in paths for line in lines(path)), default=OLDEST)
    return (now - newest).total_seconds() if newest > OLDEST else 0.0
