"""Running the streaming jobs: one or both in a session, their progress into the database, stopped in good order."""

import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Protocol

from jobs.errors import StreamFailed
from observe.telemetry import catalogue, stream
from observe.telemetry.process import watched
from store.database import Database, open_database, url
from store.errors import ConclaveError, DatabaseError
from store.settings import Settings, settings

LOOK_S = 0.5
Progress = Callable[[str, dict[str, Any]], None]


class Job(Protocol):
    """jobs.ingest or jobs.detect."""

    def start(self, spark: Any, settings: Settings, database: Database, *, once: bool) -> Any: ...


def run(
    name: str, settings: Settings, *, once: bool = False, stop: threading.Event | None = None, on_progress: Progress | None = None
) -> None:
    """Run the job `ingest` or `detect` until stopped, or with `once` until everything that is there now was taken.

    Raises StreamFailed, JobRunning, StateMismatch and what the database raises when it stays away.
    """
    with opened(settings, name) as (spark, database):
        follow(job_of(name).start(spark, settings, database, once=once), name, database, stop, on_progress)


def run_once(settings: Settings, on_progress: Progress | None = None) -> None:
    """Both jobs at the same time in one session, until everything that is there now was folded."""
    with opened(settings, "ingest", "detect") as (spark, database):
        folding = job_of("detect").start(spark, settings, database, once=False)
        try:
            taking = job_of("ingest").start(spark, settings, database, once=True)
            follow(taking, "ingest", database, None, on_progress, beside=(folding, "detect"))
            drain(folding, database, on_progress)
        finally:
            folding.stop()


def job_of(name: str) -> Job:
    return importlib.import_module(f"jobs.{name}")


def submitted(name: str) -> None:
    """`spark-submit jobs/detect.py [--once]`: run the job with the settings of the environment; Ctrl-C and SIGTERM stop it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(name, settings(), once="--once" in sys.argv[1:], stop=stop)
    except ConclaveError as error:
        sys.exit(f"conclave {name}: {error}")


@contextmanager
def opened(settings: Settings, *names: str) -> Iterator[tuple[Any, Database]]:
    """A session and the database, with the jobs' checkpoints fenced and a sign of life while they run."""
    from jobs.fence import fenced
    from jobs.session import session

    with ExitStack() as stack:
        stack.enter_context(watched(settings, names[0] if len(names) == 1 else "streams"))
        database = stack.enter_context(open_database(settings, wait_s=settings.detect.database_wait_s))
        for name in names:
            stack.enter_context(fenced(url(settings), settings.checkpoint(name)))
        spark = session(settings, f"conclave {' and '.join(names)}")
        stack.callback(spark.stop)
        yield spark, database


def follow(query: Any, name: str, database: Database, stop: threading.Event | None, on_progress: Progress | None,
           beside: tuple[Any, str] | None = None) -> None:  # fmt: skip
    """Wait for the query's end and write its progress; raises StreamFailed when it broke."""
    watched = [(query, name)] + ([beside] if beside is not None else [])
    seen: dict[str, str] = {}
    try:
        while not query.awaitTermination(LOOK_S):
            for one, label in watched:
                report(one, label, database, seen, on_progress)
            if stop is not None and stop.is_set():
                query.stop()
        for one, label in watched:
            report(one, label, database, seen, on_progress)
    except Exception as error:
        if type(error).__name__ != "StreamingQueryException":
            raise
        catalogue.failed(name, error)
        raise StreamFailed(f"{name}: {first_words(error)}") from error
    finally:
        for _, label in watched:
            quietly(database, "end_stream", worker_id=worker_id(label))


def drain(query: Any, database: Database, on_progress: Progress | None) -> None:
    """Let a running query take all that is there."""
    waiting = threading.Thread(target=query.processAllAvailable, daemon=True)
    waiting.start()
    seen: dict[str, str] = {}
    while waiting.is_alive():
        waiting.join(LOOK_S)
        report(query, "detect", database, seen, on_progress)
    if query.exception() is not None:
        raise StreamFailed(f"detect: {first_words(query.exception())}")


def report(query: Any, name: str, database: Database, seen: dict[str, str], on_progress: Progress | None) -> None:
    """Write a sign of life and, once per batch, what Spark says of it."""
    quietly(database, "beat_stream", worker_id=worker_id(name), job=name, detail={"status": query.status["message"]})
    stream.begin(name, str(query.id), database)
    for progress in query.recentProgress:
        # An idle query reports its next batch as empty, under the number that the batch will have.
        if progress["timestamp"] <= seen.get(name, "") or not (progress["numInputRows"] or progress["batchId"] == 0):
            continue
        seen[name] = progress["timestamp"]
        row = progress_row(name, progress)
        quietly(database, "put_progress", **row)
        stream.look(name, row, database)
        if on_progress is not None:
            on_progress(name, row)


def progress_row(name: str, progress: dict[str, Any]) -> dict[str, Any]:
    """A row of `stream_progress`."""
    return {
        "job": name, "query_id": str(progress["id"]), "batch_id": progress["batchId"],
        "at": datetime.fromisoformat(progress["timestamp"]), "input_rows": progress["numInputRows"],
        "rows_per_s": progress.get("processedRowsPerSecond"), "duration_ms": dict(progress["durationMs"]),
        "lag": {source["description"]: dict(source.get("metrics") or {}) for source in progress["sources"]},
    }  # fmt: skip


def quietly(database: Database, name: str, **params: Any) -> None:
    """Progress is worth nothing to the stream: a database that is away is waited for by the sink, not here."""
    try:
        database.run(name, **params)
    except DatabaseError:
        return


def first_words(error: Any) -> str:
    """The innermost sentence of Spark's nested messages, without stack traces."""
    lines = [
        line.strip()
        for line in str(error).splitlines()
        if line.strip() and not line.strip().startswith(("at ", "File ", "Traceback"))
    ]
    ours = [line for line in lines if "jobs.errors." in line or "store.errors." in line]
    return (ours or lines or ["no message"])[-1 if ours else 0][:800]


def worker_id(name: str) -> str:
    return f"{name}@{socket.gethostname()}/{os.getpid()}"
