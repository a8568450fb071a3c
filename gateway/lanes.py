"""Where accepted events go: one file in the landing folder that appears whole, or Kafka with every replica's word for it."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from gateway.batch import Record
from gateway.errors import NotTaken
from jobs.targets import client_options
from store.settings import Settings


class Lane(Protocol):
    """`send` returns when the events are safe, under a `name` that a repeated request repeats. Raises NotTaken."""

    def send(self, name: str, events: Sequence[Record], topic: str | None = None) -> None: ...
    def close(self) -> None: ...


def open_lane(settings: Settings) -> Lane:
    """The lane of the settings' source."""
    if settings.source.kind == "files":
        return Landing(settings.dropping())
    options = client_options(settings.source.kafka_options)
    topic = settings.source.kafka_topics.split(",")[0].strip()
    return Topic(settings.source.kafka_servers, topic, options, settings.gateway.kafka_patience_s)


class Landing:
    """Files `gateway-NAME.jsonl`, or `TOPIC--gateway-NAME.jsonl`. Written beside their name with a dot
    in front, synced, then renamed.

    A name that is there already was written by a request whose answer was lost: it is left as it is, and ingest, which knows
    files by their names, takes it once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, name: str, events: Sequence[Record], topic: str | None = None) -> None:
        stem = f"gateway-{name}" if topic is None else f"{topic}--gateway-{name}"
        final, part = self.folder / f"{stem}.jsonl", self.folder / f".gateway-{name}-{os.getpid()}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not final.exists():
                write_synced(part, b"\n".join(event.line for event in events) + b"\n")
                part.rename(final)
                sync_folder(self.folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise NotTaken(f"({error.strerror})") from error

    def close(self) -> None:
        """Nothing is held."""


def write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


class Topic:
    """A Kafka topic by an idempotent producer with acks=all, shared by the requests of a process."""

    def __init__(self, servers: str, topic: str, options: dict[str, str], patience_s: float) -> None:
        self.servers, self.topic, self.options, self.patience_s = servers, topic, options, patience_s
        self._producer: Any = None
        self._lock = threading.Lock()

    def send(self, name: str, events: Sequence[Record], topic: str | None = None) -> None:
        producer, delivery = self._open(), Delivery(len(events))
        for event in events:
            self._produce(producer, topic or self.topic, event, delivery)
        producer.flush(self.patience_s)
        delivery.check(topic or self.topic)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(self.patience_s)

    def _open(self) -> Any:
        from confluent_kafka import Producer

        with self._lock:
            if self._producer is None:
                own: dict[str, Any] = {
                    "bootstrap.servers": self.servers, "enable.idempotence": True, "acks": "all", "linger.ms": 5,
                    "compression.type": "lz4", "message.timeout.ms": int(self.patience_s * 1000), "log_level": 0,
                }  # fmt: skip
                self._producer = Producer(own | self.options)
        return self._producer

    def _produce(self, producer: Any, topic: str, event: Record, delivery: "Delivery") -> None:
        while True:
            try:
                producer.produce(topic, event.line, event.key, on_delivery=delivery.told)
            except BufferError:  # the client's queue is full: let it send
                producer.poll(0.1)
                continue
            return


class Delivery:
    """What became of one request's events."""

    def __init__(self, events: int) -> None:
        self.open, self.failure = events, ""

    def told(self, error: Any, _message: Any) -> None:
        self.open -= 1
        if error is not None:
            self.failure = str(error)

    def check(self, topic: str) -> None:
        if self.failure or self.open:
            raise NotTaken(f"(topic {topic}: {self.failure or 'no answer in time'})")
