"""The whole product under attack: its processes, the proxy before its database, a model to ask, and what it is fed from."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

from chaos.model import NAME, StandIn
from chaos.processes import Process, Watchdog
from chaos.proxy import Proxy
from chaos.schedule import Part
from chaos.servers import Broker, Disk, Postgres
from store.database import Database, open_database
from store.settings import read

JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"  # starts cost more than steady work here
COMMON = {
    "CONCLAVE_DETECT__SHARDS": "4", "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": "2", "CONCLAVE_SPARK__DRIVER_MEMORY": "1g",
    "CONCLAVE_SOURCE__MAX_FILES_PER_TRIGGER": "1", "CONCLAVE_SOURCE__MAX_OFFSETS_PER_TRIGGER": "1000",
    "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "2", "CONCLAVE_INGEST__TRIGGER_S": "0.1", "CONCLAVE_DETECT__TRIGGER_S": "0.1",
    "CONCLAVE_DETECT__DATABASE_WAIT_S": "120", "CONCLAVE_MIN_FREE_MB": "20",
}  # fmt: skip
COUNCIL = {
    "CONCLAVE_COUNCIL__LEASE_S": "4", "CONCLAVE_COUNCIL__BACKOFF_S": "0.2", "CONCLAVE_COUNCIL__REHEAR_AFTER_S": "3",
    "CONCLAVE_COUNCIL__MAX_ATTEMPTS": "50", "CONCLAVE_MODEL__NAME": NAME, "CONCLAVE_MODEL__TIMEOUT_S": "2",
    "CONCLAVE_MODEL__BREAKER_OPEN_S": "1", "CONCLAVE_MODEL__CALLS_PER_MINUTE": "10000",
}  # fmt: skip
LAST_S = 120.0
PROCESSES = {"ingest": "ingest", "detect": "detect", "council": "council", "council-2": "council"}  # name → command


class Plant:
    """Everything that a fault may touch, below `folder`. A context manager: on leaving, all that was started ends."""

    def __init__(
        self, folder: Path, *, kafka: bool, mounts: bool, pause_s: float, names: Sequence[str] = tuple(PROCESSES)
    ) -> None:
        self.folder, self.home, self.pause_s = folder, folder / "home", pause_s
        self._kafka, self._mounts, self._names = kafka, mounts, names
        self._stack = ExitStack()
        self.disks: dict[str, Disk] = {}
        self.broker: Broker | None = None
        self.caught: str | None = None

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _enter(self) -> None:
        for folder in (self.folder, self.home, self.folder / "logs", self.folder / "landing"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)  # the database's account passes through
        if self._mounts:
            self.disks["streams"] = self._stack.enter_context(Disk(self.home, 1024))
            self.disks["database"] = self._stack.enter_context(Disk(self.home / "postgres", 768))
        self.postgres = Postgres(self.home)
        self._stack.callback(self.postgres.stop)
        if self._kafka:
            self.broker = Broker(self.folder / "kafka")
            self._stack.callback(self.broker.stop)
            self.broker.start()
            self.broker.make_topic()
        self.proxy = self._stack.enter_context(Proxy(self.postgres.port))
        self.model = self._stack.enter_context(StandIn())
        open_database(read(home=self.home, database_url=self.postgres.url)).close()  # migrates it
        self.database = self._stack.enter_context(Database(lambda: self.postgres.url))
        self.processes = {name: self._process(name) for name in self._names}
        self.watchdog = self._stack.enter_context(Watchdog(self.processes))

    def _process(self, name: str) -> Process:
        environment = self.environment(self.home, self.postgres.through(self.proxy.port)) | COUNCIL
        environment["CONCLAVE_MODEL__BASE_URL"] = self.model.url
        return Process(
            name, [sys.executable, "-m", "cli.app", PROCESSES[name]], environment, self.folder / "logs" / f"{name}.log"
        )

    def environment(self, home: Path, database_url: str) -> dict[str, str]:
        """Variables of a process that reads what this plant is fed, with a home and a database of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG"))}
        jars = {name: os.environ[name] for name in ("CONCLAVE_JARS",) if name in os.environ}
        own = {"CONCLAVE_HOME": str(home), "CONCLAVE_DATABASE_URL": database_url, "JAVA_TOOL_OPTIONS": JVM}
        return kept | jars | COMMON | self.source() | own

    def source(self) -> dict[str, str]:
        if self.broker is None:
            return {"CONCLAVE_SOURCE__KIND": "files", "CONCLAVE_SOURCE__FOLDER": str(self.landing)}
        return {"CONCLAVE_SOURCE__KIND": "kafka", "CONCLAVE_SOURCE__KAFKA_SERVERS": self.broker.address,
                "CONCLAVE_SOURCE__KAFKA_TOPICS": self.broker.topic}  # fmt: skip

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def settle(self) -> None:
        """End all processes; cases that were just put back to be heard again are heard by one last worker."""
        self.watchdog.stop()
        if self.database.fetch("chaos_progress")[0]["open"]:
            last = self._process("council")
            last.command.append("--once")
            last.start()
            last.wait(LAST_S)
            last.stop()

    def owner(self, port: int) -> str | None:
        """The process of ours that has this end of a connection."""
        pids = {one.pid for one in psutil.net_connections("tcp4") if one.laddr and one.laddr.port == port and one.pid}
        for name, process in self.processes.items():
            if pids & {one.pid for one in process.members()}:
                return name
        return None

    def victim(self, command: str) -> Process:
        """The process that the moment was about when it is of this kind, else the first of the kind."""
        if self.caught is not None and PROCESSES[self.caught] == command:
            return self.processes[self.caught]
        return self.processes[command]

    def kill(self, command: str, part: Part = "whole") -> None:
        self.victim(command).signal(signal.SIGKILL, part)
