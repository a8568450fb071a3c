"""How far the streams are behind, as true numbers: what waits at the source for ingest, and in bronze for detect."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import LagUnknown
from jobs.targets import client_options
from store.database import Database
from store.settings import Settings

LOOK_EVERY_S = 2.0
LOOK_SHARE = 0.05  # a slow look is taken less often, so that looking never takes more of the time than this
ANSWER_S = 5.0  # how long a broker is waited for


@dataclass(frozen=True)
class Lag:
    """`waiting` files, events or rows; the oldest since `oldest_s` seconds (0 when none waits or, for Kafka, nobody knows)."""

    waiting: int
    oldest_s: float
    unit: str

    def too_much(self, most_s: float, most_events: int) -> bool:
        return self.oldest_s > most_s if self.unit == "files" else self.waiting > most_events

    def words(self) -> str:
        age = f", the oldest for {self.oldest_s:,.0f} s" if self.unit == "files" and self.waiting else ""
        return f"{self.waiting:,} {self.unit} wait for ingest{age}"


class Watch:
    """Ingest's lag as of at most a few seconds ago; safe to share between threads."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._database = settings, database
        self._clock, self._lock = clock, threading.Lock()
        self._broker = Broker(settings)
        self._seen: Lag | None = None
        self._fresh_until = 0.0

    def _look(self) -> Lag:
        if self._settings.source.kind == "files":
            return waiting_files(self._settings, self._clock())
        return waiting_events(self._broker.ends(), self._database)

    def lag(self) -> Lag:
        """Raises LagUnknown when it cannot be told."""
        with self._lock:
            begun = time.monotonic()
            if self._seen is None or begun >= self._fresh_until:
                self._seen = self._look()
                ended = time.monotonic()
                self._fresh_until = ended + max(LOOK_EVERY_S, (ended - begun) / LOOK_SHARE)
            return self._seen

    def close(self) -> None:
        self._broker.close()


def waiting_files(settings: Settings, now: float) -> Lag:
    """Files newer than the newest that ingest has taken: Spark takes the oldest first."""
    if settings.storage.scheme:
        raise LagUnknown("(dropped files are counted on this machine's disk only and `storage` names another place: use Kafka)")
    taken = newest_taken(Path(settings.checkpoint("ingest")) / "sources" / "0")
    times = [time_ms for time_ms in landed(settings.landing) if taken is None or time_ms > taken]
    return Lag(len(times), max(0.0, now - min(times) / 1000) if times else 0.0, "files")


def landed(folder: Path) -> list[int]:
    """When each file in the folder was last written, in milliseconds; hidden ones are not ingest's."""
    try:
        with os.scandir(folder) as entries:
            return [entry.stat().st_mtime_ns // 1_000_000 for entry in entries if entry.name[:1] not in "._" and entry.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LagUnknown(f"({error.strerror})") from error


def newest_taken(log: Path) -> int | None:
    """The newest time (ms) of a file that is in the source's log; None before the first batch."""
    try:
        names = [name for name in os.listdir(log) if name.removesuffix(".compact").isdigit()]
    except FileNotFoundError:
        return None
    newest = max(names, key=lambda name: int(name.removesuffix(".compact")), default=None)
    if newest is None:
        return None
    lines = (log / newest).read_text(encoding="utf-8").splitlines()[1:]  # the first is the log's version
    return max((int(json.loads(line)["timestamp"]) for line in lines if line), default=None)


Ends = list[tuple[str, int, int, int]]


def waiting_events(now: Ends, database: Database) -> Lag:
    """The broker's ends less where ingest's newest batch ended; partitions it never read count from their beginning."""
    found = database.fetch("ingest_ends")
    ends = found[0]["offsets"].get("ends") if found else None
    done = ends[0] if isinstance(ends, list) and ends and isinstance(ends[0], dict) else {}
    return Lag(
        sum(max(0, end - int(done.get(topic, {}).get(str(part), begin))) for topic, part, begin, end in now), 0.0, "events"
    )


class Broker:
    """Asks the source's broker, by one client that is kept: making one takes threads and a connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None

    def ends(self) -> Ends:
        """(topic, partition, first offset, end offset) of each partition of the source. Raises LagUnknown."""
        from confluent_kafka import KafkaException, TopicPartition

        try:
            client = self._client()
            found = []
            for topic in (name.strip() for name in self._settings.source.kafka_topics.split(",")):
                for part in client.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions:
                    begin, end = client.get_watermark_offsets(TopicPartition(topic, part), timeout=ANSWER_S)
                    found.append((topic, part, begin, end))
            return found
        except KafkaException as error:
            self.close()
            raise LagUnknown(f"({error.args[0].str()})") from error

    def _client(self) -> Any:
        from confluent_kafka import Consumer

        if self._consumer is None:
            source = self._settings.source
            own = {"bootstrap.servers": source.kafka_servers, "group.id": "conclave-lag", "log_level": 0}
            self._consumer = Consumer(own | client_options(source.kafka_options))
        return self._consumer

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def broker_ends(settings: Settings) -> Ends:
    """As Broker.ends, once."""
    broker = Broker(settings)
    try:
        return broker.ends()
    finally:
        broker.close()


def waiting_rows(database: Database) -> Lag:
    """Rows that ingest has written to bronze and detect has not folded yet, by the ledger; the oldest by when it was ingested."""
    row = database.fetch("rows_not_folded")[0]
    return Lag(int(row["waiting"]), float(row["oldest_s"]), "rows")
