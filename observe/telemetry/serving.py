"""/metrics of a process: its port, and a file that says where it is.

Several processes on one machine take neighbouring ports. Each writes `HOME/metrics/HOST-PORT.json`, in the form in which
Prometheus discovers targets from files; `conclave status` shows them. A killed process's file is removed by the next one's start.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import structlog
from prometheus_client import start_http_server

from observe.telemetry import catalogue
from store.settings import Settings

PORTS = 32
ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
log = structlog.get_logger("telemetry")


@dataclass(frozen=True)
class Target:
    """Where a process's /metrics is; `pid` is its number on `host`."""

    process: str
    address: str
    host: str
    pid: int


class Served:
    """A /metrics that answers until `close`. `target` is None where none is wanted or every port was taken."""

    def __init__(self, settings: Settings, process: str) -> None:
        self._server: Any = None
        self.target: Target | None = None
        self._file: Path | None = None
        wanted = settings.telemetry
        if wanted.metrics_port == 0:
            return
        for port in range(wanted.metrics_port, min(wanted.metrics_port + PORTS, 65_536)):
            try:
                self._server = start_http_server(port, wanted.metrics_host, catalogue.REGISTRY)[0]
            except OSError as error:
                fault = error
                continue
            host = socket.gethostname()
            shown = host if wanted.metrics_host in ANYWHERE else wanted.metrics_host
            self.target = Target(process, f"{shown}:{port}", host, os.getpid())
            self._file = put(settings.home, self.target, port)
            return
        log.warning("no /metrics for this process: no port could be had; set telemetry.metrics_port", error=str(fault))

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def folder(home: Path) -> Path:
    return home / "metrics"


def put(home: Path, target: Target, port: int) -> Path | None:
    """Write the target's file; None where the home cannot be written, which harms nobody but this."""
    file = folder(home) / f"{target.host}-{port}.json"
    labels = {"process": target.process, "__host": target.host, "__pid": str(target.pid)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        sweep(home)
        half = file.with_suffix(f".{target.pid}")
        half.write_text(json.dumps([{"targets": [target.address], "labels": labels}]))
        half.replace(file)
    except OSError as error:
        log.warning("where /metrics is could not be written down", file=str(file), error=str(error))
        return None
    return file


def sweep(home: Path) -> None:
    """Remove the files of this machine's processes that are gone."""
    for file, target in _read(home):
        if not _alive(target):
            file.unlink(missing_ok=True)


def targets(home: Path) -> list[Target]:
    """The processes with a /metrics; of this machine only those that live."""
    return [target for _, target in _read(home) if _alive(target)]


def _alive(target: Target) -> bool:
    return target.host != socket.gethostname() or psutil.pid_exists(target.pid)


def _read(home: Path) -> Iterator[tuple[Path, Target]]:
    for file in sorted(folder(home).glob("*.json")):
        with suppress(OSError, ValueError, LookupError, TypeError):
            entry = json.loads(file.read_text())[0]
            labels = entry["labels"]
            yield file, Target(labels["process"], entry["targets"][0], labels["__host"], int(labels["__pid"]))
