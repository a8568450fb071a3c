"""What the bench of ingest makes of Spark's progress and the ledger, and whether its events are events."""

from datetime import UTC, datetime
from typing import Any

from bench.ingest import by_kind, lines, rates
from bench.usage import Look, Watch
from jobs.events import Accepted, Rules, validate


def batch(ms: int, events: int) -> tuple[dict[str, Any], dict[str, Any]]:
    progress = {"durationMs": {"triggerExecution": ms, "addBatch": ms - 100}, "timestamp": "2026-03-01T00:00:00.000Z"}
    detail = {"begin_s": 0.1, "tasks_s": 0.5, "commit_s": 0.2, "quarantine_s": 0.0, "cpu_s": {"check": 1.0, "write": 0.25}}
    return progress, {"events": events, "detail": detail}


def test_warm_is_the_median_after_the_second_batch_and_stages_add_up() -> None:
    batches, ledger = zip(*[batch(ms, 1000) for ms in (10_000, 4000, 1000, 1250, 2000)], strict=True)
    found = rates(list(batches), list(ledger))
    assert (found["warm"], found["cold"], found["batches"]) == (800, 100, [100, 250, 1000, 800, 500])
    assert found["warm_from"] == 2
    assert found["stages"]["worker_cpu_s"] == {"check": 1.0, "write": 0.25}
    wall = found["stages"]["wall_s"]
    assert wall == {"begin": 0.1, "tasks": 0.5, "commit": 0.2, "quarantine": 0.0, "ledger": 0.35, "log": 0.1}
    assert sum(wall.values()) == 1.25


def test_one_batch_is_warm_and_cold() -> None:
    found = rates(*([part] for part in batch(2000, 1000)))
    assert (found["warm"], found["cold"], found["warm_from"]) == (500, 500, 0)


def test_cpu_is_counted_from_the_first_warm_batch() -> None:
    watch = Watch([])
    watch.looks = [Look(at, {"jvm": jvm, "python": 1.0}, {}) for at, jvm in ((10.0, 5.0), (20.0, 7.0), (30.0, 11.0))]
    assert by_kind(watch, 15.0, 2_000_000) == {"jvm": 2.0, "python": 0.0}


def test_every_line_is_an_event_with_its_share_of_texts() -> None:
    rules = Rules(datetime(2027, 1, 1, tzinfo=UTC))
    found = [validate(line, rules) for line in lines(200, 50, 0.5)]
    assert all(isinstance(one, Accepted) for one in found)
    told = sum(one.event.message is not None for one in found if isinstance(one, Accepted))
    assert 60 < told < 140
    assert len({one.event.event_id for one in found if isinstance(one, Accepted)}) == 200
