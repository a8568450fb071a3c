"""What a process does at its begin to be watched: /metrics, and spans where an OTLP receiver is named."""

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from prometheus_client import ProcessCollector

from observe.telemetry import catalogue, spans
from observe.telemetry.serving import Served
from store.settings import Settings

_LOCK = threading.Lock()
_STATE: dict[str, Served] = {}  # at most one: a process has one registry, so one /metrics


@contextmanager
def watched(settings: Settings, process: str) -> Iterator[None]:
    """Serve this process's numbers and send its spans until the end. Inside another one it does nothing."""
    mine = begin(settings, process)
    try:
        yield
    finally:
        if mine:
            end()


def begin(settings: Settings, process: str) -> bool:
    """The same for a process without an end of its own; False when it had begun already. Never raises for want of a port."""
    with _LOCK:
        if _STATE:
            return False
        catalogue.begin(process, version("conclave"), settings.telemetry.planned_entities)
        _STATE["served"] = Served(settings, process)
        _own_process()
        spans.begin(settings.telemetry, process)
        atexit.register(end)
        return True


def end() -> None:
    with _LOCK:
        atexit.unregister(end)
        if (served := _STATE.pop("served", None)) is not None:
            spans.end()
            served.close()


def _own_process() -> None:
    """Memory, processor time and open files of this process, once."""
    if "process" not in catalogue.OWN:
        catalogue.OWN["process"] = ProcessCollector(**catalogue.HERE)
