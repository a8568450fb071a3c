"""The numbers that operate reads from the database when it is scraped."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from observe.telemetry import gauges
from observe.telemetry.gauges import Audit, Gauges
from store.database import Database
from store.sections.telemetry import Telemetry
from trust import audit


def value(collector: Any, name: str, /, **labels: str) -> float | None:
    alone = CollectorRegistry()
    alone.register(collector)
    return alone.get_sample_value(name, labels)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def looking(database: Database) -> Iterator[Callable[..., tuple[Gauges, Clock]]]:
    made: list[Gauges] = []

    def make(over: Any = None) -> tuple[Gauges, Clock]:
        clock = Clock()
        made.append(Gauges(over or database, Telemetry(fresh_s=5), clock))
        return made[-1], clock

    yield make
    for one in made:
        one.close()


def put_case(database: Database, name: str, lane: str, state: str) -> None:
    with database.connection() as connection:
        connection.execute(
            b"insert into episodes (episode_id, tenant, entity_hash, entity, kind, revision, started_at, last_at, "
            b"first_event_id, last_event_id, worst, severity, detectors, settings_hash, arrived_at, detected_at) values "
            b"(%(n)s, 'main', 1, 'account:A', 'account', 1, now(), now(), 'a', 'a', '{}', 0.9, '{}', 's', now(), now())",
            {"n": name},
        )
        connection.execute(
            b"insert into cases (case_id, tenant, episode_id, entity, kind, revision, severity, lane, started_at, last_at) "
            b"values (%(n)s, 'main', %(n)s, 'account:A', 'account', 1, 0.9, %(lane)s, now(), now())", {"n": name, "lane": lane},
        )  # fmt: skip
        connection.execute(
            b"insert into docket (case_id, tenant, lane, priority, revision, state, enqueued_at) values "
            b"(%(n)s, 'main', %(lane)s, 0.9, 1, %(state)s, now() - interval '90 seconds')",
            {"n": name, "lane": lane, "state": state},
        )


def test_the_docket_is_told_by_lane(database: Database, looking: Callable[..., tuple[Gauges, Clock]]) -> None:
    shown, clock = looking()
    assert value(shown, "conclave_docket_depth", lane="immediate") == 0  # an autoscaler needs a number
    for name, lane, state in (
        ("1", "immediate", "waiting"),
        ("2", "immediate", "leased"),
        ("3", "batch", "dead"),
        ("4", "batch", "done"),
    ):
        put_case(database, name, lane, state)
    assert value(shown, "conclave_docket_depth", lane="immediate") == 0  # fresh enough
    clock.now = 6
    assert value(shown, "conclave_docket_depth", lane="immediate") == 2
    assert value(shown, "conclave_docket_depth", lane="batch") == 0
    assert value(shown, "conclave_docket_dead") == 1
    assert (value(shown, "conclave_docket_oldest_seconds", lane="immediate") or 0) >= 90
    assert value(shown, "conclave_docket_oldest_seconds", lane="batch") == 0
    assert value(shown, "conclave_up", dependency="database") == 1
    assert value(shown, "conclave_workers", kind="council") == 0
    assert (value(shown, "conclave_database_bytes") or 0) > 1e6


def test_a_scrape_says_that_the_database_is_away(database_url: str, looking: Callable[..., tuple[Gauges, Clock]]) -> None:
    gone = Database(database_url)
    shown, clock = looking(gone)
    assert value(shown, "conclave_up", dependency="database") == 1
    gone.close()
    clock.now = 60
    assert value(shown, "conclave_up", dependency="database") == 0
    assert value(shown, "conclave_docket_depth", lane="batch") is None


def test_a_scrape_waits_for_no_database_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "WAIT_S", 0.05)
    let_go, looks = threading.Event(), list[str]()

    class Hanging:
        def fetch(self, name: str, **params: Any) -> list[dict[str, Any]]:
            looks.append(name)
            let_go.wait(30)
            return []

    hanging: Any = Hanging()
    shown = Gauges(hanging, Telemetry())
    try:
        for _ in range(3):
            assert value(shown, "conclave_up", dependency="database") == 0
        assert looks.count("telemetry_docket") == 1
    finally:
        let_go.set()
        shown.close()


def test_a_broken_audit_log_is_told(database: Database) -> None:
    for number in range(3):
        with database.connection() as connection:
            audit.record(connection, "main", "tester", "look", f"case {number}")
    watch = Audit(database, 3600, Clock())
    watch.look()
    found = {family.name: family.samples[0].value for family in watch.collect()}
    assert (found["conclave_audit_entries"], found["conclave_audit_broken"]) == (3, 0)
    with database.connection() as connection:
        connection.execute(b"alter table audit_log disable trigger user")
        connection.execute(b"update audit_log set actor = 'somebody else' where seq = 2")
        connection.execute(b"alter table audit_log enable trigger user")
    watch.look()
    found = {family.name: family.samples[0].value for family in watch.collect()}
    assert (found["conclave_audit_entries"], found["conclave_audit_broken"]) == (1, 1)
