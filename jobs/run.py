"""Running the streaming jobs: one or both in a session, their progress into the database, stopped in good order."""

import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from jobs.errors import LagUnknown, StreamFailed
from jobs.lag import Watch
from observe.telemetry import catalogue, stream
from observe.telemetry.process import watched
from store.database import Database, open_database, url
from store.errors import ConclaveError, DatabaseError
from store.settings import Settings, settings

LOOK_S = 0.5
UNANSWERED_S = 30.0
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
        follow(job_of(name).start(spark, settings, database, once=once), name, database, stop, on_progress, settings=settings)
        asked_for(once or stop is None or stop.is_set(), name)


def run_both(settings: Settings, *, stop: threading.Event | None = None, on_progress: Progress | None = None) -> None:
    """Ingest and detect in one session until stopped: one JVM instead of two, and detect sees a commit as soon as it is made.

    Raises what `run` raises; when one of the two breaks the other is stopped.
    """
    with opened(settings, "ingest", "detect") as (spark, database):
        taking, folding = (job_of(name).start(spark, settings, database, once=False) for name in ("ingest", "detect"))
        follow(taking, "ingest", database, stop, on_progress, beside=(folding, "detect"), settings=settings)
        asked_for(stop is None or stop.is_set(), "ingest and detect")


def asked_for(ended_as_asked: bool, name: str) -> None:
    """A stream that ends by itself has broken, also when Spark has nothing to say of it."""
    if not ended_as_asked:
        raise StreamFailed(f"{name}: it ended by itself; see above.")


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
    """A session and the database, with the jobs' checkpoints fenced and a sign of life while they run.

    Raises NotReady before Spark starts when it could not run here.
    """
    from jobs import startup
    from jobs.fence import fenced
    from jobs.session import session

    startup.require(settings, *names)
    with ExitStack() as stack:
        stack.enter_context(watched(settings, names[0] if len(names) == 1 else "streams"))
        database = stack.enter_context(open_database(settings, wait_s=settings.detect.database_wait_s))
        for name in names:
            stack.enter_context(fenced(url(settings), settings.checkpoint(name)))
        spark = session(settings, f"conclave {' and '.join(names)}")
        stack.callback(stopped, spark)
        yield spark, database


def stopped(spark: Any) -> None:
    """End the session; one whose Java process is gone has ended."""
    try:
        spark.stop()
    except Exception as error:
        if not java_gone(error):
            raise


def java_gone(error: BaseException) -> bool:
    """Whether the error says that Spark's Java process does not answer any more."""
    return isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError"


def follow(query: Any, name: str, database: Database, stop: threading.Event | None, on_progress: Progress | None,
           beside: tuple[Any, str] | None = None, settings: Settings | None = None) -> None:  # fmt: skip
    """Wait for the query's end and write its progress and, with `settings`, how far the source is ahead of it.

    Raises StreamFailed when it, or the one beside it, broke.
    """
    watched = [(query, name)] + ([beside] if beside is not None else [])
    seen: dict[str, str] = {}
    behind = Behind(settings, database) if settings is not None and "ingest" in (label for _, label in watched) else None
    try:
        while not query.awaitTermination(LOOK_S):
            for one, label in watched:
                report(one, label, database, seen, on_progress, behind)
            if stop is not None and stop.is_set():
                for one, _ in watched:
                    one.stop()
            elif beside is not None and not beside[0].isActive:
                query.stop()
                name = beside[1]
                beside[0].awaitTermination()
        for one, label in watched:
            report(one, label, database, seen, on_progress, behind)
    except Exception as error:
        if java_gone(error):
            raise StreamFailed(f"{name}: Spark's Java process ended; see above, or the system's log if it was killed.") from None
        if type(error).__name__ != "StreamingQueryException":
            raise
        catalogue.failed(name, error)
        raise StreamFailed(f"{name}: {first_words(error)}") from error
    finally:
        if behind is not None:
            behind.close()
        for _, label in watched:
            quietly(database, "end_stream", worker_id=worker_id(label))


class Behind:
    """What waits at the source, asked now and then; a source that does not answer is left alone for a while."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._watch = Watch(settings, database)
        self._said: dict[str, Any] = {}
        self._not_before = 0.0

    def said(self) -> dict[str, Any]:
        """`{"lag": {"waiting", "unit", "oldest_s"}}`, or nothing while it cannot be told."""
        if time.monotonic() >= self._not_before:
            try:
                self._said = {"lag": asdict(self._watch.lag())}
            except (LagUnknown, DatabaseError):
                self._said, self._not_before = {}, time.monotonic() + UNANSWERED_S
        return self._said

    def close(self) -> None:
        self._watch.close()


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


def report(
    query: Any, name: str, database: Database, seen: dict[str, str], on_progress: Progress | None, behind: Behind | None = None
) -> None:
    """Write a sign of life and, once per batch, what Spark says of it."""
    said = behind.said() if behind is not None and name == "ingest" else {}
    quietly(database, "beat_stream", worker_id=worker_id(name), job=name, detail={"status": query.status["message"], **said})
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
