"""Bronze through the fold into the tables: retries, changed settings, rebuilds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.errors.exceptions.base import StreamingQueryException
from pyspark.sql import SparkSession

from jobs import detect, ingest, run
from jobs.errors import StateMismatch
from store.database import Database
from store.settings import Settings

from .conftest import contents, land, once, rows_of, settings_of, steady, transaction

SPREE = [transaction(900 + i, "A1", 900.0 + i, 60 * 40 + i) for i in range(6)]


def requests(count: int, failing: int) -> list[dict]:
    events = []
    for i in range(count):
        time = f"2026-03-01T{i // 360:02d}:{i // 6 % 60:02d}:{i % 6 * 10:02d}Z"
        bad = i >= count - failing
        one = {"event_id": f"r{i}", "event_time": time, "kind": "request", "service": "pay", "status": 503 if bad else 200}
        events.append(one | {"latency_ms": 900.0 if bad else 20.0 + i % 7, "message": "pool exhausted"})
    return events


def measurements(count: int, spike: float) -> list[dict]:
    return [
        {"event_id": f"m{i}", "event_time": f"2026-03-01T{i // 60:02d}:{i % 60:02d}:00Z", "kind": "measurement", "service": "db",
         "metric": "cpu", "value": 40.0 + i % 5 if i < count - 1 else spike}
        for i in range(count)
    ]  # fmt: skip


def everything() -> list[dict]:
    return [*steady("A1", 40), *steady("A2", 40, first=100), *SPREE, *requests(600, 60), *measurements(200, 400.0)]


def test_the_whole_way_into_the_tables(settings: Settings, database: Database, take: Callable[[Settings], None]) -> None:
    land(settings, everything())
    take(settings)
    flagged = rows_of(database, "select entity, min(detector) as d, count(*)::int as n from anomalies group by 1 order by 1")
    by_entity = {row["entity"]: row for row in flagged}
    assert {"account:A1/EUR", "service:pay", "series:db/cpu"} <= set(by_entity)
    assert "account:A2/EUR" not in by_entity
    names = {row["entity"]: row["kind"] for row in rows_of(database, "select entity, kind from entities")}
    assert names == {
        "account:A1/EUR": "account", "account:A2/EUR": "account", "counterparty:T0/EUR": "counterparty",
        "counterparty:T1/EUR": "counterparty", "counterparty:T2/EUR": "counterparty", "service:pay": "service",
        "series:db/cpu": "series",
    }  # fmt: skip
    worst = rows_of(database, "select worst from episodes where entity = 'account:A1/EUR'")[0]["worst"]
    assert worst["event"]["account_id"] == "A1"
    assert worst["value"] == worst["event"]["amount"] > worst["high"] > worst["expected"]
    minutes = rows_of(
        database,
        "select sum(count)::int as n, sum(errors)::int as e, max(p95) as p from metric_minutes where entity = 'service:pay'",
    )
    assert (minutes[0]["n"], minutes[0]["e"]) == (600, 60)
    assert minutes[0]["p"] == pytest.approx(900, rel=0.1)
    hours = rows_of(database, "select sum(count)::int as n, sum(sum) as s from metric_hours where entity = 'account:A1/EUR'")
    assert hours == [{"n": 46, "s": pytest.approx(sum(e["amount"] for e in [*steady("A1", 40), *SPREE]))}]
    assert rows_of(database, "select count(*)::int as n from docket")[0]["n"] == rows_of(
        database, "select count(*)::int as n from cases where lane <> 'filed'")[0]["n"] > 0  # fmt: skip


def forget_commit(settings: Settings, batch: int) -> None:
    """As if the process had died between the sink's commit and Spark's: the batch is done again."""
    for file in (Path(settings.checkpoint("detect")) / "commits").glob(f"*{batch}*"):
        file.unlink()


def test_a_retried_batch_changes_no_table(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, everything())
    take(settings)
    before = contents(database)
    batch = max(row["batch_id"] for row in before["batches"])
    forget_commit(settings, batch)
    once(spark, settings, database, detect)
    assert contents(database) == before


def test_a_retried_batch_under_other_settings_stops_and_says_so(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, everything())
    take(settings)
    batch = rows_of(database, "select max(batch_id)::int as n from batches where job = 'detect'")[0]["n"]
    forget_commit(settings, batch)
    other = settings_of(settings.home, settings.database_url.get_secret_value(), detect={"thresholds": {"amount_z": 9.0}})  # type: ignore[union-attr]
    with pytest.raises(StreamingQueryException) as error:
        once(spark, other, database, detect)
    assert "was committed before with other offsets or settings" in run.first_words(error.value)


def test_what_is_fixed_under_a_checkpoint_is_refused(spark: SparkSession, settings: Settings, database: Database) -> None:
    once(spark, settings, database, detect)
    other = settings_of(settings.home, settings.database_url.get_secret_value(), detect={"shards": 8})  # type: ignore[union-attr]
    with pytest.raises(StateMismatch, match=r"conclave detect --rebuild.*detect\.shards was 4, is now 8"):
        detect.start(spark, other, database, once=True)


def test_a_window_may_change_under_a_checkpoint(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, steady("A1", 40))
    take(settings)
    for number, layout in enumerate(({"window": 30, "recent_ids": 0}, {"window": 120, "recent_ids": 40})):
        odd = [transaction(700 + 10 * number + i, "A1", 9000.0, 60 * (41 + number) + i) for i in range(1 + number)]
        land(settings, odd, f"{number}.jsonl")
        take(settings_of(settings.home, settings.database_url.get_secret_value(), detect=layout))  # type: ignore[union-attr]
    sizes = rows_of(database, "select window_size from anomalies where entity = 'account:A1/EUR' order by event_time")
    assert [row["window_size"] for row in sizes] == [30, 30, 31]


def test_late_repeated_and_conflicting_events_are_counted_not_scored(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, steady("A1", 40))
    take(settings)
    late = transaction(500, "A1", 9999.0, 60)
    repeated = steady("A1", 40)[-1]
    conflict = {**steady("A1", 40)[-2], "amount": 9999.0}
    land(settings, [late, repeated, conflict], "b.jsonl")
    take(settings)
    row = rows_of(
        database, "select late, duplicates, conflicts, points, anomalies from batches where job = 'detect' order by batch_id desc"
    )[0]
    assert row == {"late": 1, "duplicates": 1, "conflicts": 1, "points": 0, "anomalies": 0}
    assert spark.read.format("delta").load(settings.bronze).count() == 43
    refused = spark.read.format("delta").load(settings.quarantine).collect()
    assert [json.loads(r.raw)["amount"] for r in refused] == [9999.0]
    assert rows_of(database, "select reason from quarantined")[0]["reason"].startswith(
        "an event with this id and another content"
    )


def test_a_rebuild_into_other_shards_finds_the_same_and_adds_nothing(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import rebuild

    land(settings, everything())
    take(settings)
    before = contents(database, without=("batches",))
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)  # the session is the tests' own
    aside = rebuild.set_aside(settings, days=1)
    assert aside is not None
    assert Path(aside, "metadata").exists()
    begun = rebuild.begun(settings)
    assert begun is not None
    assert begun.rows == len(everything())
    other = settings_of(settings.home, settings.database_url.get_secret_value(), detect={"shards": 7, "recent_ids": 16})  # type: ignore[union-attr]
    once(spark, other, database, detect)
    assert contents(database, without=("batches",)) == before
    land(settings, [transaction(990, "A2", 9000.0, 60 * 41)], "b.jsonl")
    once(spark, other, database, ingest)
    once(spark, other, database, detect)
    counted = rows_of(database, "select sum(count)::int as n from metric_hours where entity = 'account:A2/EUR'")
    assert counted == [{"n": 41}]
    flagged = rows_of(
        database, "select window_size, ordinal from anomalies where event_id = 't990' and entity = 'account:A2/EUR'"
    )
    assert flagged == [{"window_size": 40, "ordinal": 1}], "the window was not rebuilt whole"


def test_quarantined_records_go_round_again(
    spark: SparkSession, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import retry

    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    strict = settings_of(settings.home, settings.database_url.get_secret_value(), ingest={"max_record_bytes": 150})  # type: ignore[union-attr]
    land(strict, [*steady("A1", 2), transaction(7, "A1", 1.0, 5, message="x" * 100)])
    once(spark, strict, database, ingest)
    assert retry.send_again(settings, None) == 3
    assert retry.send_again(settings, None) == 0
    once(spark, settings, database, ingest)
    assert spark.read.format("delta").load(settings.bronze).count() == 3
    assert {row["state"] for row in rows_of(database, "select state from quarantined")} == {"retried"}
