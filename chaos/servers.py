"""What the product stands on: the embedded Postgres, a Kafka broker when one can be started, and disks of limited size."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

from store import embedded

KAFKA = Path(__file__).resolve().parents[2] / "shared" / "servers" / "kafka.sh"
BALLAST = "ballast"
ANSWERS_S = 150.0


class Postgres:
    """The embedded server of a home. It is told to keep little WAL, since its disk may be small."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = self.start()

    def start(self) -> str:
        """Start it unless it runs; its URL, on the port that it had before while that is free."""
        self.url = embedded.start(self.home, max_wal_size="128MB", shared_buffers="64MB")
        return self.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def through(self, port: int) -> str:
        """The URL of the same database by way of a proxy; without encryption, so that it can read what passes."""
        return self.url.replace(f":{self.port}/", f":{port}/") + "?sslmode=disable&gssencmode=disable"

    def signal(self, number: int) -> None:
        """Send a signal to the postmaster and to all of its backends."""
        data = Path((self.home / "postgres" / "place").read_text().strip())
        leader = embedded.pid(data)
        if leader is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [psutil.Process(leader), *psutil.Process(leader).children(recursive=True)]
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
            if number == signal.SIGKILL:
                psutil.wait_procs(family, timeout=10)

    def stop(self) -> None:
        embedded.stop(self.home)


class Broker:
    """A Kafka broker of our own with one topic of one partition, so that its order is the order of arrival."""

    def __init__(self, folder: Path, script: Path = KAFKA) -> None:
        self.folder, self.script, self.topic = folder, script, "events"
        self.port = two_free_ports()
        self.address = f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers: after a kill it reads its log first, which takes a busy machine a while."""
        deadline = time.monotonic() + ANSWERS_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the broker does not answer; see {self.folder / 'broker.log'}")
            self._say("start", str(self.port), str(self.folder))
            time.sleep(0.2)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        self._say("kill", str(self.folder))

    def stop(self) -> None:
        self._say("stop", str(self.folder))

    def make_topic(self) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

        client = AdminClient({"bootstrap.servers": self.address})  # must live until the answer is there
        for done in client.create_topics([NewTopic(self.topic, 1, 1)]).values():
            done.result(60)

    def length(self) -> int:
        """How many records the topic holds."""
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "chaos"})
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(self.topic, 0), timeout=30)
        finally:
            consumer.close()
        return int(high) - int(low)

    def _say(self, *words: str) -> None:
        subprocess.run([str(self.script), *words], capture_output=True, check=False)


class Disk:
    """A folder of limited size: a tmpfs of its own, so that filling it fills nothing else."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder, self.megabytes = folder, megabytes
        self.mounted = False

    def __enter__(self) -> "Disk":
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=755", "tmpfs", str(self.folder)]
        self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)

    def fill(self) -> None:
        """Take every byte that is left."""
        with (self.folder / BALLAST).open("wb") as file:
            size, piece = 0, 1 << 24
            while piece >= 512:
                try:
                    os.posix_fallocate(file.fileno(), size, piece)
                    size += piece
                except OSError:
                    piece >>= 1

    def free(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)


def two_free_ports() -> int:
    """A free port whose next one is free as well; the broker's controller takes that."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


def kafka_missing(script: Path = KAFKA) -> str:
    """Why no broker can be started here; empty when one can."""
    return "" if os.access(script, os.X_OK) else "there is no shared/servers/kafka.sh beside the checkout"


def mounts_missing(folder: Path) -> str:
    """Why no disk of limited size can be had; empty when it can."""
    with Disk(folder / "probe", 1) as disk:
        return "" if disk.mounted else "this user may not mount a file system of limited size"
