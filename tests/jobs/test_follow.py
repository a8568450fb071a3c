"""Two streams in one session: the end of one is the end of both, and whoever broke is named."""

from threading import Event
from typing import Any

import pytest

from jobs.errors import StreamFailed
from jobs.run import follow
from store.database import Database


class StreamingQueryException(Exception):
    """Spark's, by its name."""


class Query:
    """What Spark's StreamingQuery does as far as we look at it; it ends after so many looks, by itself or by breaking."""

    def __init__(self, looks: int, error: str | None = None) -> None:
        self.id, self.looks, self.error, self.stopped = "q", looks, error, False
        self.status = {"message": "Processing new data"}
        self.recentProgress: list[dict[str, Any]] = []

    @property
    def isActive(self) -> bool:
        return not self.stopped and self.looks > 0

    def awaitTermination(self, timeout: float | None = None) -> bool:
        self.looks -= 1
        if self.isActive:
            return False
        if self.error is not None and not self.stopped:
            raise StreamingQueryException(self.error)
        return True

    def stop(self) -> None:
        self.stopped = True


def test_when_the_one_beside_breaks_the_first_is_stopped_and_the_broken_one_is_named(database: Database) -> None:
    first, broken = Query(looks=1_000), Query(looks=0, error="jobs.errors.BatchConflict: no")
    with pytest.raises(StreamFailed, match=r"detect: .*BatchConflict"):
        follow(first, "ingest", database, None, None, beside=(broken, "detect"))
    assert first.stopped


def test_when_the_first_breaks_it_is_named(database: Database) -> None:
    with pytest.raises(StreamFailed, match="ingest: "):
        follow(Query(looks=2, error="it broke"), "ingest", database, None, None, beside=(Query(looks=1_000), "detect"))


def test_both_stop_when_asked_and_their_signs_of_life_go(database: Database) -> None:
    stop, queries = Event(), (Query(looks=1_000), Query(looks=1_000))
    stop.set()
    follow(queries[0], "ingest", database, stop, None, beside=(queries[1], "detect"))
    assert [query.stopped for query in queries] == [True, True]
    assert database.fetch("status_workers") == []


def test_the_first_may_end_while_the_one_beside_goes_on(database: Database) -> None:
    beside = Query(looks=1_000)
    follow(Query(looks=3), "ingest", database, None, None, beside=(beside, "detect"))
    assert beside.isActive
