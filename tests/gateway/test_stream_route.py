"""The event stream over a real server: in order, resumed without loss, ended with its key."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from gateway_keys import key_of
from gateway_rows import found

from gateway.following import after, beginning, forgotten
from store.database import Database


@pytest.fixture
def address(gateway: FastAPI) -> Iterator[str]:
    """The gateway behind uvicorn on a free port."""
    server = uvicorn.Server(uvicorn.Config(gateway, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@contextmanager
def following(address: str, key: str, **asked: Any) -> Iterator[Iterator[dict[str, str]]]:
    headers = {"Authorization": f"Bearer {key}"} | asked.pop("headers", {})
    with httpx.stream("GET", f"{address}/v1/stream", headers=headers, params=asked, timeout=20) as answer:
        assert answer.status_code == 200, answer.read()
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(": ")
        if line and name:
            event[name] = text
        elif event.get("event"):
            yield event
            event = {}


def test_a_stream_is_resumed_where_it_broke_off(address: str, database: Database) -> None:
    key = key_of(database, "viewer")
    with following(address, key) as stream:
        assert next(stream)["event"] == "ready"
        found(database, 2)
        found(database, 1, tenant="other", prefix="o")
        seen = [next(stream) for _ in range(3)]
    found(database, 1, prefix="later")
    with following(address, key, headers={"Last-Event-ID": seen[-1]["id"]}) as stream:
        assert next(stream)["event"] == "ready"
        seen += [next(stream) for _ in range(3)]
    told = [(event["event"], json.loads(event["data"])["id"]) for event in seen]
    assert told == [
        ("anomaly", "a-0"), ("ruling", "r-case-e0"), ("anomaly", "a-1"), ("ruling", "r-case-e1"), ("anomaly", "latera-0"),
        ("ruling", "r-case-latere0"),
    ]  # fmt: skip
    assert json.loads(seen[1]["data"])["now"]["outcome"] == "confirmed"


def test_only_the_chosen_kinds(address: str, database: Database) -> None:
    with following(address, key_of(database, "viewer"), kinds="rulings") as stream:
        next(stream)
        found(database, 1)
        assert next(stream)["event"] == "ruling"


def test_a_late_commit_is_not_passed_over(database: Database) -> None:
    place, kinds = beginning(database), ("anomaly", "ruling", "case")
    with database.connection() as slow:
        slow.execute("insert into changes (tenant, kind, id) values ('main', 'anomaly', 'slow')")
        found(database, 1)  # commits first
        assert after(database, "main", place, kinds) == []
    assert [change.id for change in after(database, "main", place, kinds)] == ["slow", "a-0", "r-case-e0"]


def test_a_place_that_is_forgotten_is_a_gap(database: Database) -> None:
    from datetime import UTC, datetime, timedelta

    place, now = beginning(database), datetime.now(UTC)
    assert not forgotten(place, now, 60)
    assert forgotten(place, now + timedelta(seconds=100), 60)


def test_a_strange_place_is_refused(address: str, database: Database) -> None:
    headers = {"Authorization": f"Bearer {key_of(database, 'viewer')}", "Last-Event-ID": "what"}
    answer = httpx.get(f"{address}/v1/stream", headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")
