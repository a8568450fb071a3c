"""One trace shows the way of a batch: taken in, folded, heard, ruled, carried out. A real OTLP receiver gets it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from desk import executing
from desk import loop as desk
from jobs.findings import from_payloads, to_payload
from jobs.fold import observe
from jobs.points import Points
from jobs.policy import Policy
from jobs.sink import Batch, commit, moment
from jobs.spans import in_span, spanned
from jobs.state import State
from observe.telemetry import catalogue, process, spans, work
from observe.telemetry.process import watched
from rag.worker import Worker
from store.carried import TRACEPARENT
from store.database import Database
from store.settings import Settings, read

sys.path.insert(0, str(Path(__file__).parents[1] / "jobs"))
from streams import START, S, even, joined

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
POLICY = Policy(detectors=("amount_z",), thresholds={"amount_z": 1.2})
BITS = 35


@pytest.fixture(autouse=True)
def unwatched() -> None:
    """A page of the dashboard that another test has opened lets this process be watched."""
    process.end()


@dataclass
class Receiver:
    """An OTLP/HTTP server that keeps the spans it gets."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def named(self, name: str) -> list[Any]:
        return [one for one in self.spans if one.name == name]

    def only(self, name: str) -> Any:
        [found] = self.named(name)
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    got = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            for one in ExportTraceServiceRequest.FromString(body).resource_spans:
                got.services |= {a.value.string_value for a in one.resource.attributes if a.key == "service.name"}
                got.spans += [span for scope in one.scope_spans for span in scope.spans]
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(database_url: str, ollama: Any) -> Settings:
    model = {"base_url": ollama.url, "name": "judge", "timeout_s": 10}
    return read(database_url=database_url, model=model, council={"triage_bar": 0.5}, telemetry={"metrics_port": 0})


def sending(settings: Settings, url: str, **more: Any) -> Settings:
    return settings.model_copy(update={"telemetry": settings.telemetry.model_copy(update={"otlp_endpoint": url, **more})})


class Streams:
    """Ingest and detect as far as the database sees them; the fold and the sink are the real ones."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings, self.state = database, settings, State.empty(POLICY)

    def ingest(self, number: int) -> None:
        entry = {
            "query_id": "taking", "batch_id": number, "offsets_hash": "o", "settings_hash": "s", "offsets": {}, "events": 61,
            "accepted": 61, "quarantined": 0, "newest_event": NOW, "detail": {}, "started_at": datetime.now(UTC),
        }  # fmt: skip
        write = spanned("ingest", self.database, lambda: "taking", lambda _, __: self.database.run("put_ingest_batch", **entry))
        write(None, number)

    def detect(self, number: int, points: Points) -> None:
        hook = spanned("detect", self.database, lambda: "folding", lambda _, batch: self._fold(batch, points))
        hook(None, number)

    def _fold(self, number: int, points: Points) -> None:
        began = datetime.now(UTC)
        self.state, found = observe(self.state, points, POLICY)
        tables = {kind: from_payloads([to_payload(table)]) for kind, table in found.items()}
        batch = Batch("folding", number, tables, began, [{"version": number}], {"fold_s": 0.25, "names_s": 0.01})
        assert commit(self.database, batch, events_of(points), POLICY, self.settings)


def events_of(points: Points) -> dict[int, dict[str, Any]]:
    return {
        int(row): {
            "event_id": f"e{row}", "event_time": moment(int(time)), "kind": "transaction", "tenant": "main",
            "account_id": f"A{entity}", "amount": float(value), "currency": "EUR", "counterparty_id": None, "service": None,
            "status": None, "latency_ms": None, "metric": None, "value": None, "message": None, "attributes": [],
            "source": "events/0", "position": int(row), "ingest_time": datetime.now(UTC),
        }
        for entity, time, value, row in zip(points.entity, points.time, points.value, points.row, strict=True)
    }  # fmt: skip


def strange(batch: int, entity: int) -> Points:
    """Sixty ordinary payments and one that is none, all of one ingest batch."""
    usual = even([40.0 + i % 5 for i in range(60)], gap_s=60, entity=entity, first=entity * 1000)
    odd = even([90_000.0], gap_s=60, entity=entity, start=START + 61 * 60 * S, first=entity * 1000 + 500)
    points = joined([usual, odd])
    rows = (batch << BITS) + points.row
    return Points(*(rows if name == "row" else getattr(points, name) for name in Points.__dataclass_fields__))


def council(database: Database, settings: Settings) -> None:
    Worker(database, settings, Event()).run(once=True)


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_one_trace_shows_the_way_of_a_batch_to_its_ruling(database: Database, settings: Settings, receiver: Receiver) -> None:
    with watched(sending(settings, receiver.url), "test"):
        streams = Streams(database, settings)
        streams.ingest(0)
        streams.ingest(1)
        streams.detect(0, joined([strange(0, 1), strange(1, 2)]))
        council(database, settings)
        assert TRACEPARENT.get() is None
    first, second = receiver.named("ingest.batch")
    detect, hearing = receiver.only("detect.batch"), receiver.only("council.hearing")
    put, rulings = receiver.only("docket.put"), receiver.named("case.ruling")
    assert detect.parent_span_id == first.span_id
    assert [link.span_id for link in detect.links] == [second.span_id]
    assert (put.parent_span_id, hearing.parent_span_id) == (detect.span_id, detect.span_id)
    assert {one.parent_span_id for one in rulings} == {hearing.span_id}
    assert {one.parent_span_id for one in receiver.named("model.call")} == {hearing.span_id}
    assert len(receiver.named("model.call")) == 3
    whole = {detect.trace_id, put.trace_id, hearing.trace_id, *(one.trace_id for one in rulings)}
    assert whole == {first.trace_id} != {second.trace_id}
    assert len(rulings) == attributes(put)["conclave.cases_immediate"] == attributes(hearing)["conclave.cases"] == 2
    assert [receiver.only(f"detect.{stage}").parent_span_id for stage in ("fold", "names", "sink")] == [detect.span_id] * 3
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in receiver.spans)
    assert receiver.services == {"conclave-test"}


def test_cases_of_another_batch_are_told_in_its_trace(database: Database, settings: Settings, receiver: Receiver) -> None:
    with watched(sending(settings, receiver.url), "test"):
        streams = Streams(database, settings)
        for number in (0, 1, 2):
            streams.ingest(number)
        for number in (0, 1, 2):
            streams.detect(number, strange(number, number + 1))
        council(database, settings)
    batches, taken = receiver.named("detect.batch"), receiver.named("ingest.batch")
    assert [(one.parent_span_id, len(one.links)) for one in batches] == [(one.span_id, 0) for one in taken]
    hearing = receiver.only("council.hearing")
    rulings = {one.trace_id: one for one in receiver.named("case.ruling")}
    assert set(rulings) == {one.trace_id for one in batches} == {one.trace_id for one in taken}
    apart = set(rulings) - {hearing.trace_id}
    assert len(apart) == len(hearing.links) == 2
    for trace in apart:
        assert [link.span_id for link in rulings[trace].links] == [hearing.span_id]
        assert rulings[trace].parent_span_id in {one.span_id for one in batches}


def test_a_command_is_carried_out_below_its_ruling(database: Database, settings: Settings, receiver: Receiver) -> None:
    chosen = sending(settings, receiver.url)
    with watched(chosen, "test"):
        streams = Streams(database, settings)
        streams.ingest(0)
        streams.detect(0, strange(0, 1))
        council(database, settings)
        with database.connection() as connection:
            ruling = connection.execute(b"select ruling_id, case_id, traceparent from rulings").fetchone()
            assert ruling is not None
            connection.execute(
                b"insert into commands (command_id, case_id, ruling_id, action, target, state, reason) "
                b"values ('c', %(case_id)s, %(ruling_id)s, 'watch', 'A1', 'approved', '') on conflict do nothing", ruling,
            )  # fmt: skip
            connection.execute(
                b"insert into command_runs (run_id, tenant, command_id, purpose, body, not_before, give_up_at, created_at) "
                b"values ('r', 'main', 'c', 'do', '{}', now(), now() + interval '1 hour', now())"
            )
        assert executing.execute(database, settings.desk) == 1
    command, ruled = receiver.only("command"), receiver.only("case.ruling")
    assert (command.parent_span_id, command.trace_id) == (ruled.span_id, ruled.trace_id)
    assert spans.read(ruling["traceparent"])[1] == int.from_bytes(ruled.span_id)  # type: ignore[index]


def test_a_delivery_belongs_to_the_rulings_that_it_tells_of(database: Database, settings: Settings, receiver: Receiver) -> None:
    row = {"tenant": "main", "bundle_id": "b", "kind": "webhook", "attempts": 1}
    with watched(sending(settings, receiver.url), "test"):
        streams = Streams(database, settings)
        streams.detect(0, joined([strange(0, 1), strange(0, 2)]))
        council(database, settings)
        desk.step(database, settings)
        with database.connection() as connection:
            taken = connection.execute(
                b"insert into notices (tenant, route_id, message_id, group_key, due_at, bundle_id, created_at) "
                b"select tenant, 'r', message_id, '', now(), 'b', now() from messages where topic in ('rulings', 'cases')"
            )
            assert taken.rowcount > 1
        with work.delivery(database, row):
            pass
    delivery, ruled = receiver.only("delivery"), {one.span_id for one in receiver.named("case.ruling")}
    assert delivery.parent_span_id in ruled
    assert {delivery.parent_span_id, *(link.span_id for link in delivery.links)} == ruled
    assert len(ruled) == 2


def test_a_batch_that_fails_is_told_and_raises_on(database: Database, settings: Settings, receiver: Receiver) -> None:
    def broken(frame: Any, batch: int) -> None:
        raise ValueError("account A12 is in here")

    with watched(sending(settings, receiver.url), "test"), pytest.raises(ValueError, match="A12"):
        in_span("detect", database, lambda: "folding", broken)(None, 0)
    span = receiver.only("detect.batch")
    assert span.status.code == 2
    assert "A12" not in str(span)


def test_a_receiver_that_is_away_costs_spans_and_nothing_else(database: Database, settings: Settings) -> None:
    lost = catalogue.SPANS.labels("dropped")._value.get()
    with watched(sending(settings, "http://127.0.0.1:9", otlp_timeout_s=0.5), "test"):
        streams = Streams(database, settings)
        streams.ingest(0)
        streams.detect(0, strange(0, 1))
        council(database, settings)
    assert catalogue.SPANS.labels("dropped")._value.get() > lost
    assert len(database.fetch("status_rulings")) == 1


def test_a_hearing_is_counted_with_its_calls(database: Database, settings: Settings) -> None:
    def counts() -> list[float]:
        named = {
            "conclave_rulings_total": {"council": "model", "outcome": "confirmed"},
            "conclave_model_calls_total": {"asked_by": "council", "outcome": "ok"},
            "conclave_hearing_seconds_count": {"lane": "immediate"},
        }
        return [catalogue.REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in named.items()]

    before, streams = counts(), Streams(database, settings)
    streams.detect(0, joined([strange(0, 1), strange(0, 2)]))
    council(database, settings)
    assert [new - old for new, old in zip(counts(), before, strict=True)] == [2, 3, 1]
    assert catalogue.REGISTRY.get_sample_value("conclave_breaker_state", {"state": "closed"}) == 1


def test_without_a_receiver_nothing_is_wrapped_or_written(database: Database, settings: Settings) -> None:
    def write(frame: Any, batch: int) -> None: ...

    assert spanned("detect", database, lambda: "folding", write) is write
    streams = Streams(database, settings)
    streams.ingest(0)
    streams.detect(0, strange(0, 1))
    council(database, settings)
    with database.connection() as connection:
        for table in (b"batches", b"docket", b"rulings"):
            held = connection.execute(b"select count(*) as rows, count(traceparent) as traced from " + table).fetchone()
            assert held is not None
            assert held["rows"] > 0
            assert held["traced"] == 0
