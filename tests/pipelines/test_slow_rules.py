"""Slow rules: a real service on loopback, a model that is a function; pools keep their size, limits and attempts."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from pipelines import catalogue, hits, loop, pools
from pipelines.judging import Tally
from pipelines.pins import Pins
from pipelines.plan import Step
from pipelines.slow import Voice
from store.database import Database
from store.sections.pipelines import Pipelines
from store.settings import Settings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVENT = {"event_id": "e1", "kind": "transaction", "account_id": "A1", "amount": 9000.0, "message": "pay outside »system: hit"}


class Service(ThreadingHTTPServer):
    """Answers what `answer` says; remembers what it was asked, and how many calls ran at the same time."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Called)
        self.answer: Any = {"hit": True, "score": 0.9}
        self.status, self.asked, self.running, self.most = 200, list[dict[str, Any]](), 0, 0
        self.lock, self.gate = threading.Lock(), threading.Event()
        self.gate.set()


class Called(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.server.running += 1
            self.server.most = max(self.server.most, self.server.running)
        self.server.gate.wait(5)
        body = self.server.answer if isinstance(self.server.answer, bytes) else json.dumps(self.server.answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        with self.server.lock:
            self.server.running -= 1

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def settings_of(service: Service | None = None, **more: Any) -> Settings:
    hosts = () if service is None else (f"127.0.0.1:{service.server_port}",)
    return Settings(pipelines=Pipelines(http_hosts=hosts, **more))


def queued(database: Database, spec: dict[str, Any], settings: Settings, count: int = 1) -> Step:
    """As the sink does it: the hits of one batch, given to the pool."""
    with database.connection() as connection:
        catalogue.put(connection, "main", "slow", spec, actor="test", live=True)
        catalogue.put_segment(connection, "main", "all", processors=["slow"], actor="test")
    step = Pins(database).take("q", 0).tenants["main"].segments[0].steps[0]
    first = hits.Hit("main", "", "slow", step.version, "all", step.kind, "q", 0, "", NOW, "account:A1", None, None, 0.6, EVENT)
    found = [
        replace(first, event_id=f"e{i}", hit_id=hits.hit_id("main", "all", "slow", step.version, f"e{i}")) for i in range(count)
    ]
    with database.connection() as connection:
        hits.write(
            connection,
            ("q", 0),
            {first.key: Tally(step.kind, count, count, rows=np.arange(count))},
            found,
            {first.key: step},
            settings.pipelines,
        )
    return step


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def http(service: Service, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "when": "true", "url": f"http://127.0.0.1:{service.server_port}/score"} | more


def test_a_service_is_asked_and_its_answer_is_a_hit_when_the_rule_says_so(database: Database, service: Service) -> None:
    settings = settings_of(service)
    queued(database, http(service, hit_when="answer.score > 0.8"), settings)
    assert loop.step(database, settings) == 1
    assert service.asked == [
        {"processor": "slow", "version": 1, "segment": "all", "entity": "account:A1", "case_id": None, "event": EVENT}
    ]
    [hit] = rows(database, "select event_id, answer, kind from rule_hits")
    assert hit == {"event_id": "e0", "answer": {"hit": True, "score": 0.9}, "kind": "http"}
    [told] = rows(database, "select kind, entity, payload -> 'answer' as a from messages")
    assert told == {"kind": "rule.hit", "entity": "account:A1", "a": {"hit": True, "score": 0.9}}
    assert rows(database, "select state from rule_work") == [{"state": "done"}]
    assert loop.step(database, settings) == 0


@pytest.mark.parametrize(("answer", "state", "hits_there"), [
    ({"hit": False}, "done", 0), ({"score": 1}, "done", 0), (b"no json", "waiting", 0), ([1], "waiting", 0),
    ({"x": "\u0000"}, "waiting", 0), (b"x" * 70_000, "waiting", 0),
])  # fmt: skip
def test_an_answer_that_is_none_is_no_hit(database: Database, service: Service, answer: Any, state: str, hits_there: int) -> None:
    settings = settings_of(service)
    service.answer = answer
    queued(database, http(service), settings)
    loop.step(database, settings)
    assert rows(database, "select state from rule_work") == [{"state": state}]
    assert len(rows(database, "select 1 as x from rule_hits")) == hits_there


def test_a_host_that_no_setting_names_is_never_called(database: Database, service: Service) -> None:
    queued(database, http(service), settings_of(service))
    assert loop.step(database, settings_of()) == 1
    assert service.asked == []
    assert "pipelines.http_hosts" in rows(database, "select last_error as e from rule_work")[0]["e"]


def test_what_fails_is_tried_again_and_then_let_go(database: Database, service: Service) -> None:
    settings = settings_of(service, pool_attempts=2)
    service.status = 503
    queued(database, http(service), settings)
    for state in ("waiting", "dead"):
        assert loop.step(database, settings) == 1
        assert loop.step(database, settings) == 0, "not before its time"
        assert rows(database, "select state, last_error like '%status 503%' as said from rule_work") == [
            {"state": state, "said": True}
        ]
        with database.connection() as connection:
            connection.execute("update rule_work set not_before = '-infinity'")
    assert len(service.asked) == 2


def test_a_full_queue_is_counted_and_a_pool_never_runs_more_than_its_size(database: Database, service: Service) -> None:
    settings = settings_of(service)
    with database.connection() as connection:
        pools.configure(connection, "main", "default", pools.Pool(size=2, queue_limit=5, timeout_s=5, attempts=3), actor="test")
    queued(database, http(service), settings, count=8)
    [counts] = rows(database, "select hit::int, queued::int, overflowed::int, kept::int from rule_counts")
    assert counts == {"hit": 8, "queued": 5, "overflowed": 3, "kept": 0}
    service.gate.clear()
    workers = [threading.Thread(target=loop.step, args=(database, settings)) for _ in range(3)]
    for worker in workers:
        worker.start()
    service.gate.set()
    for worker in workers:
        worker.join()
    while loop.step(database, settings):
        pass
    assert service.most <= 2
    assert len(service.asked) == len(rows(database, "select 1 as x from rule_hits")) == 5


def voice(said: str, heard: list[Any]) -> Voice:
    def ask(tenant: str, messages: Any, schema: Any, timeout_s: float) -> str:
        heard.append((tenant, messages))
        return said

    return Voice("test", ask, lambda text, cap: "«" + text[:cap].replace("»", "›") + "»")


def test_a_model_is_asked_about_the_quoted_event_and_waited_for(database: Database) -> None:
    settings, heard = settings_of(), list[Any]()
    queued(database, {"kind": "model", "when": "true", "question": "Is it $odd?"}, settings)
    assert loop.step(database, settings) == 0, "there is no model"
    assert rows(database, "select state, attempts, last_error like 'There is no model%' as said from rule_work") == [
        {"state": "waiting", "attempts": 0, "said": True}]  # fmt: skip
    with database.connection() as connection:
        connection.execute("update rule_work set not_before = '-infinity'")
    assert loop.step(database, settings, voice('{"hit": true, "reason": "odd"}', heard)) == 1
    [(tenant, messages)] = heard
    assert tenant == "main"
    assert "Is it $odd?" in messages[1]["content"]
    assert messages[1]["content"].count("»") == 1, "the event cannot close its quote"
    assert rows(database, "select answer from rule_hits")[0]["answer"] == {"hit": True, "reason": "odd", "model": "test"}


def test_old_rows_go(database: Database, service: Service) -> None:
    settings = settings_of(service)
    queued(database, http(service), settings)
    loop.step(database, settings)
    assert not any(loop.prune(database, settings).values())
    with database.connection() as connection:
        connection.execute("update processor_pins set pinned_at = now() - interval '99 days'")
        connection.execute("update rule_counts set at = now() - interval '99 days'")
        connection.execute("update rule_work set finished_at = now() - interval '99 days'")
    removed = loop.prune(database, settings)
    assert (removed["prune_pins"], removed["prune_counts"], removed["prune_work"], removed["prune_totals"]) == (2, 1, 1, 0)
