"""Where produced lines go: files that appear whole in a folder, or Kafka topics."""

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jobs.errors import NotDelivered

SERIAL_DIGITS = 8


class Folder:
    """Files of at most `events_per_file` lines, each appearing whole under a name in order (`events-00000001.jsonl` …).

    A file is written beside its name (dot first, so that readers pass over it) and linked into place: a name that another
    producer has taken meanwhile is left alone and the next one tried. Lines are held for `max_age_s` at most.
    """

    def __init__(
        self, path: Path, events_per_file: int = 2000, max_age_s: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path, self.events_per_file, self.max_age_s, self.clock = path, events_per_file, max_age_s, clock
        path.mkdir(parents=True, exist_ok=True)
        self.serial = _newest_serial(path)
        self.held: list[bytes] = []
        self.held_since = 0.0

    def write(self, key: bytes | None, line: bytes) -> None:
        if not self.held:
            self.held_since = self.clock()
        self.held.append(line)
        if len(self.held) >= self.events_per_file or self.clock() - self.held_since > self.max_age_s:
            self.flush()

    def flush(self) -> None:
        if not self.held:
            return
        temporary = self.path / f".events-{os.getpid()}.part"
        with temporary.open("wb") as file:
            file.write(b"\n".join(self.held) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._link(temporary)
        temporary.unlink()
        self.held = []

    def close(self) -> None:
        self.flush()

    def _link(self, temporary: Path) -> None:
        while True:
            self.serial += 1
            try:
                os.link(temporary, self.path / f"events-{self.serial:0{SERIAL_DIGITS}d}.jsonl")
            except FileExistsError:
                continue
            return


def _newest_serial(path: Path) -> int:
    return max(
        (int(file.stem.rpartition("-")[2]) for file in path.glob("events-" + "[0-9]" * SERIAL_DIGITS + ".jsonl")), default=0
    )


class Topic:
    """A Kafka topic, by an idempotent producer: a line that is sent again after a lost answer still arrives once.

    `options` are the client's own (security.protocol, sasl.username …). Raises NotDelivered when a line
    was given up, or `close` found no taker for one in `patience_s`.
    """

    def __init__(self, servers: str, topic: str, options: Mapping[str, str] | None = None, patience_s: float = 60) -> None:
        from confluent_kafka import Producer

        own = {"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 20, "compression.type": "lz4"}
        self.producer = Producer({**own, **(options or {})})
        self.topic, self.patience_s = topic, patience_s
        self.failures: list[str] = []

    def write(self, key: bytes | None, line: bytes) -> None:
        while True:
            try:
                self.producer.produce(self.topic, line, key, on_delivery=self._delivered)
            except BufferError:  # the client's queue is full: let it send
                self.producer.poll(0.1)
                continue
            break
        self.producer.poll(0)
        self._check()

    def flush(self) -> None:
        self.producer.poll(0)

    def close(self) -> None:
        left = self.producer.flush(self.patience_s)
        self._check()
        if left:
            raise NotDelivered(f"{left} records were not taken within {self.patience_s:g} s by topic {self.topic}")

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self.failures.append(str(error))

    def _check(self) -> None:
        if self.failures:
            raise NotDelivered(f"{len(self.failures)} records, topic {self.topic}: {self.failures[0]}")


def client_options(options: Mapping[str, str]) -> dict[str, str]:
    """The settings of Spark's (Java) Kafka client in the words of librdkafka: a JAAS line becomes user name and password.

    >>> client_options({"sasl.jaas.config": 'org.x.PlainLoginModule required username="u" password="p";'})
    {'sasl.username': 'u', 'sasl.password': 'p'}
    """
    given = dict(options)
    jaas = given.pop("sasl.jaas.config", "")
    said = dict(re.findall(r'\b(username|password)="([^"]*)"', jaas))
    return given | {f"sasl.{name}": text for name, text in said.items()}
