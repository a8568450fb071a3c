"""/metrics of a process, and what a stream counts."""

import json
import logging
import os
import socket
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from cli import logs
from gateway.metrics import Metrics
from observe.telemetry import catalogue, gauges, hearings, process, serving, spans, stream, work
from observe.telemetry.serving import Served, Target
from store.database import Database
from store.sections.telemetry import Telemetry
from store.settings import Settings, read

NOBODY = 4_194_304 + 1  # above the highest pid that Linux gives


@pytest.fixture(autouse=True)
def unwatched() -> None:
    """A page of the dashboard that another test has opened lets this process be watched."""
    process.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(home: Path, port: int) -> Settings:
    return read(home=home, telemetry={"metrics_port": port})


def scraped(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def counted(name: str, /, **labels: str) -> float:
    return catalogue.REGISTRY.get_sample_value(name, labels) or 0.0


def test_two_processes_take_neighbouring_ports_and_say_where_they_are(tmp_path: Path) -> None:
    chosen = settings(tmp_path, free_port())
    first, second = Served(chosen, "ingest"), Served(chosen, "detect")
    try:
        assert first.target is not None
        assert second.target is not None
        assert first.target.address != second.target.address
        assert {one.process: one.pid for one in serving.targets(tmp_path)} == {"ingest": os.getpid(), "detect": os.getpid()}
        assert "conclave_model_calls" in scraped(second.target.address)
        [entry] = json.loads(next(serving.folder(tmp_path).glob(f"*-{first.target.address.split(':')[1]}.json")).read_text())
        assert entry["targets"] == [first.target.address]
        assert {name for name in entry["labels"] if not name.startswith("__")} == {"process"}
    finally:
        first.close()
        second.close()
    assert list(serving.folder(tmp_path).iterdir()) == []


def test_a_killed_process_is_not_shown_and_its_file_goes(tmp_path: Path) -> None:
    here = serving.put(tmp_path, Target("detect", "127.0.0.1:1", socket.gethostname(), NOBODY), 1)
    there = serving.put(tmp_path, Target("detect", "far:1", "far", NOBODY), 1)
    assert here is not None
    assert there is not None
    assert [one.host for one in serving.targets(tmp_path)] == ["far"]
    serving.sweep(tmp_path)
    assert (here.exists(), there.exists()) == (False, True)


def test_a_process_without_a_port_or_a_home_runs_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Served(settings(tmp_path, 0), "detect").target is None
    monkeypatch.setattr(serving, "PORTS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert Served(settings(tmp_path, taken.getsockname()[1]), "detect").target is None
    (tmp_path / "file").write_text("")
    served = Served(settings(tmp_path / "file", free_port()), "detect")
    try:
        assert served.target is not None
    finally:
        served.close()


def test_a_process_begins_once_and_known_counters_begin_at_zero(tmp_path: Path) -> None:
    with process.watched(settings(tmp_path, free_port()), "detect"):
        [target] = serving.targets(tmp_path)
        with process.watched(settings(tmp_path, free_port()), "council"):
            assert serving.targets(tmp_path) == [target]
        found = scraped(target.address)
    outcomes = {sample.labels["outcome"] for sample in found["conclave_events"].samples if sample.labels["stream"] == "detect"}
    assert outcomes >= {"folded", "late", "duplicate", "conflict", "unwatched"}
    assert found["conclave_state_planned_entities"].samples[0].value == 300_000
    assert "process_resident_memory_bytes" in found
    assert serving.targets(tmp_path) == []


def test_no_name_is_given_twice() -> None:
    alone = CollectorRegistry(auto_describe=True)
    for one in (*vars(catalogue).values(), *vars(Metrics()).values()):
        if hasattr(one, "_labelnames"):
            alone.register(one)
    names = {family.name for family in alone.collect()}
    assert not names & {family.name for family in gauges.families()}


def test_the_gateway_is_met_at_its_own_port_too(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.answered("GET", "/v1/cases", 200, 0.01)
    assert metrics.text().count(b"conclave_gateway_requests_total{") == 1
    metrics.share()
    try:
        assert metrics.text().count(b"conclave_gateway_requests_total{") == 1
        with process.watched(settings(tmp_path, free_port()), "gateway"):
            assert "conclave_gateway_requests" in scraped(serving.targets(tmp_path)[0].address)
    finally:
        catalogue.REGISTRY.unregister(metrics.collected)


def test_what_is_logged_as_a_warning_is_counted() -> None:
    before, errors = (
        counted("conclave_log_messages_total", level="warning"),
        counted("conclave_log_messages_total", level="error"),
    )
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        assert logs.counted(logging.LogRecord("x", level, "x", 1, "x", (), None))
    assert counted("conclave_log_messages_total", level="warning") == before + 1
    assert counted("conclave_log_messages_total", level="error") == errors + 1


def test_tokens_that_nobody_told_are_not_counted_as_none() -> None:
    call = SimpleNamespace(kind="model", outcome="ok", latency_ms=1500.0, tokens_in=None, tokens_out=7)
    skipped = SimpleNamespace(kind="model", outcome="skipped", latency_ms=0.0, tokens_in=None, tokens_out=None)
    tool = SimpleNamespace(kind="tool", outcome="ok", latency_ms=1.0, tokens_in=None, tokens_out=None)
    names = ("conclave_model_tokens_total", "conclave_model_calls_total")
    before = [counted(names[0], asked_by="ask", direction=way) for way in ("in", "out")] + [
        counted(names[1], asked_by="ask", outcome="ok")
    ]
    hearings.answered("ask", True, [call, skipped, tool], 2000)
    after = [counted(names[0], asked_by="ask", direction=way) for way in ("in", "out")] + [
        counted(names[1], asked_by="ask", outcome="ok")
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [0, 7, 1]


def test_the_breaker_is_in_one_state() -> None:
    hearings.breaker("half-open")
    assert [counted("conclave_breaker_state", state=state) for state in hearings.BREAKER] == [0, 1, 0]


def test_a_scheduled_run_that_breaks_is_a_failed_one() -> None:
    before = counted("conclave_schedule_runs_total", name="quality", state="failed")
    with work.ran("quality"):
        pass
    assert counted("conclave_schedule_runs_total", name="quality", state="failed") == before + 1


def test_without_a_receiver_no_sdk_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from observe.telemetry import process; from store.settings import read\n"
        f"process.begin(read(home={str(tmp_path)!r}, telemetry={{'metrics_port': 0}}), 'detect')\n"
        "from observe.telemetry import spans\n"
        "with spans.span('x') as one: assert one.traceparent is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    import subprocess
    import sys

    environment = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)


def test_where_spans_go_is_settings_first_then_the_standard_variables() -> None:
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:1/x"}
    assert spans.endpoint(Telemetry(otlp_endpoint="http://ours:1"), named) == "http://ours:1/v1/traces"
    assert spans.endpoint(Telemetry(), named) == "http://traces:1/x"
    assert spans.endpoint(Telemetry(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1"}) == "http://all:1/v1/traces"
    assert spans.endpoint(Telemetry(), {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


@pytest.mark.parametrize("text", ["", "00-0-0-0", f"00-{'0' * 32}-{'1' * 16}-01", f"01-{'1' * 32}-{'1' * 16}-01", "x" * 500])
def test_what_is_no_traceparent_is_no_parent(text: str) -> None:
    assert spans.read(text) is None


def ledger(database: Database, number: int, query_id: str = "q", **given: Any) -> None:
    row = {
        "query_id": query_id, "batch_id": number, "offsets_hash": "o", "settings_hash": "s", "offsets": {}, "events": 100,
        "points": 150, "late": 4, "duplicates": 3, "conflicts": 0, "unwatched": 1,
        "evicted_idle": 2, "evicted_cap": 0, "hits": 5, "episodes": 2,
        "entities": 10 * (9 - number), "state_bytes": 500, "newest_event": None, "detail": {"fold_s": 0.3, "processors": "x"},
        "started_at": datetime.now(UTC), **given,
    }  # fmt: skip
    database.run("put_detect_batch", **row)


def test_each_committed_batch_is_counted_once(database: Database) -> None:
    ledger(database, 0)
    name = "conclave_events_total"
    before = {outcome: counted(name, stream="detect", outcome=outcome) for outcome in ("folded", "late", "duplicate")}
    taken = counted("conclave_batch_seconds_count", stream="detect", stage="fold")
    one = stream.Counted("detect", "q")
    assert one.look(database) == 0  # what was there before this process is another one's to count
    ledger(database, 1)
    ledger(database, 1, query_id="another checkpoint's")
    ledger(database, 2)
    assert [one.look(database), one.look(database)] == [2, 0]
    grown = {outcome: counted(name, stream="detect", outcome=outcome) - old for outcome, old in before.items()}
    assert grown == {"folded": 200, "late": 8, "duplicate": 6}
    assert counted("conclave_batch_seconds_count", stream="detect", stage="fold") == taken + 2
    assert counted("conclave_state_entities", stream="detect") == 80  # of the larger of the two


def test_batches_that_a_lost_look_has_left_are_counted_later(database: Database, database_url: str) -> None:
    away = Database(database_url)
    away.close()
    one = stream.Counted("detect", "q")
    assert one.look(database) == 0
    ledger(database, 0)
    assert one.look(away) == 0
    assert one.look(database) == 1


def test_sparks_report_is_told_by_stage() -> None:
    stages = ("trigger", "plan", "write", "source", "log")
    before = [counted("conclave_batch_seconds_sum", stream="ingest", stage=stage) for stage in stages]
    duration = {"triggerExecution": 5000, "queryPlanning": 100, "addBatch": 4000, "latestOffset": 200, "getBatch": 50,
                "walCommit": 300, "commitOffsets": 350}  # fmt: skip
    stream.reported("ingest", duration, {"KafkaV2[…]": {"maxOffsetsBehindLatest": "1200"}, "other": {}})
    after = [counted("conclave_batch_seconds_sum", stream="ingest", stage=stage) for stage in stages]
    assert [round(new - old, 3) for new, old in zip(after, before, strict=True)] == [5.0, 0.1, 4.0, 0.25, 0.65]
    assert counted("conclave_lag_offsets", stream="ingest") == 1200
