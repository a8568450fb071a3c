"""Processors inside the stream: picked up between batches, pinned against retries, counted exactly once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors.exceptions.base import StreamingQueryException
from pyspark.sql import SparkSession

from jobs import detect, ingest, limits
from pipelines import catalogue, topics
from pipelines.pins import Pins
from store.database import Database
from store.settings import Settings

from .conftest import contents, land, once, rows_of, settings_of, steady, transaction
from .test_detect import SPREE, everything, forget_commit

BIG = {"kind": "rule", "when": 'kind == "transaction" && amount > 500.0', "severity": 0.7}

NEVER = {"kind": "thresholds", "thresholds": dict.fromkeys(("amount_z", "amount_robust_z", "velocity"), 1e6)}


def live(database: Database, segment: str = "all", *, filter: str = "", topic: str = "*", **given: dict[str, Any]) -> None:
    """Processors by name, live in one segment in this order; what exists gets a new version."""
    with database.connection() as connection:
        for name, spec in given.items():
            catalogue.put(connection, "main", name.replace("_", "-"), spec, actor="test", why="test", live=True)
        names = [name.replace("_", "-") for name, spec in given.items() if spec["kind"] != "thresholds"]
        if names:
            catalogue.put_segment(connection, "main", segment, topic=topic, filter=filter, processors=names, actor="test")


def counts(database: Database) -> list[tuple[Any, ...]]:
    query = """select batch_id::int, processor, version, evaluated::int, hit::int, missed::int, errors::int, kept::int
               from rule_counts order by batch_id, segment, processor"""
    return [tuple(row.values()) for row in rows_of(database, query)]


def one(database: Database, query: str) -> Any:
    return next(iter(rows_of(database, query)[0].values()))


def at_once(settings: Settings, files: int) -> Settings:
    assert settings.database_url is not None
    return settings_of(settings.home, settings.database_url.get_secret_value(), detect={"max_files_per_trigger": files},
                       source={"max_files_per_trigger": 1})  # fmt: skip


def test_a_processor_acts_from_the_next_batch_on_and_every_outcome_is_counted(
    settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    land(settings, steady("A1", 40))
    take(settings)
    assert counts(database) == []
    live(database, big=BIG, slow={"kind": "rule", "when": "latency_ms > 100"})
    land(settings, [*SPREE, *steady("A2", 10, first=100)], "b.jsonl")
    take(settings)
    assert counts(database) == [(1, "big", 1, 16, 6, 10, 0, 6), (1, "slow", 1, 16, 0, 0, 16, 0)]
    live(database, big=BIG | {"when": "amount > 5000"})
    land(settings, [transaction(950, "A2", 900.0, 6000), transaction(951, "A2", 6000.0, 6001)], "c.jsonl")
    take(settings)
    assert counts(database)[2] == (2, "big", 2, 2, 1, 1, 0, 1)
    hits = rows_of(
        database, "select version, event_id, entity, severity, event ->> 'amount' as amount from rule_hits order by event_id"
    )
    assert [one["event_id"] for one in hits] == [*(f"t{900 + i}" for i in range(6)), "t951"]
    assert hits[-1] == {"version": 2, "event_id": "t951", "entity": "account:A2/EUR", "severity": 0.7, "amount": "6000.0"}
    told = rows_of(
        database,
        "select entity, payload -> 'hits' as n, topic, kind, title from messages where kind = 'rule.hit' order by message_id",
    )
    assert [(m["entity"], m["n"]) for m in told] == [("account:A1/EUR", 6), ("account:A2/EUR", 1)]
    details = [
        row["detail"]["processors"]
        for row in rows_of(database, "select detail from batches where job = 'detect' order by batch_id")
    ]
    assert details[0] == ""
    assert len({*details}) == 3
    totals = rows_of(database, "select sum(evaluated)::int as e, sum(hit)::int as h from rule_totals where processor = 'big'")
    assert totals == [{"e": 18, "h": 7}]


def test_a_batch_that_is_cut_off_between_pin_and_commit_keeps_its_pin(
    spark: SparkSession, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(
        database, big=BIG, strict={"kind": "thresholds", "thresholds": {"amount_z": 1e6, "amount_robust_z": 1e6, "velocity": 1e6}}
    )
    land(settings, everything())
    once(spark, settings, database, ingest)

    def die(*_: object) -> None:
        raise MemoryError("cut off")

    with monkeypatch.context() as broken:
        broken.setattr(detect, "commit", die)
        with pytest.raises(StreamingQueryException):
            once(spark, settings, database, detect)
    assert (one(database, "select count(*) from processor_pins where tenant = 'main'"), counts(database)) == (1, [])
    live(database, big=BIG | {"when": "amount > 5000"}, other={"kind": "rule", "when": "true"})
    with database.connection() as connection:
        catalogue.retire(connection, "main", "strict", actor="test", why="test")
    once(spark, settings, database, detect)
    events = len(everything())
    kept = one(database, "select count(*)::int from anomalies")
    assert counts(database) == [(0, "strict", 1, kept, 0, kept, 0, 0), (0, "big", 1, events, 6, events - 6, 0, 6)]
    assert {row["entity"] for row in rows_of(database, "select entity from anomalies")} == {"service:pay", "series:db/cpu"}
    land(settings, [transaction(960, "A9", 6000.0, 6001)], "b.jsonl")
    once(spark, settings, database, ingest)
    once(spark, settings, database, detect)
    assert counts(database)[2:] == [(1, "big", 2, 1, 1, 0, 0, 1), (1, "other", 1, 1, 1, 0, 0, 1)]


def test_a_retried_batch_counts_nothing_twice(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    live(database, big=BIG)
    land(settings, everything())
    take(settings)
    before = (contents(database), counts(database), rows_of(database, "select * from rule_hits order by hit_id"))
    live(database, big=BIG | {"when": "amount > 1"})
    forget_commit(settings, 0)
    once(spark, settings, database, detect)
    assert (contents(database), counts(database), rows_of(database, "select * from rule_hits order by hit_id")) == before
    land(settings, everything()[:50], "again.jsonl")
    take(settings)
    assert one(database, "select count(*)::int from rule_hits where version = 1") == 6
    assert counts(database)[1][3:5] == (50, 50)


def test_cutting_the_stream_otherwise_judges_every_event_once(
    spark: SparkSession, settings: Settings, database: Database, tmp_path: Path
) -> None:
    live(database, big=BIG, every={"kind": "rule", "when": "true"})
    events = everything()
    for number in range(5):
        land(settings, events[number::5], f"{number}.jsonl")
    once(spark, at_once(settings, 1), database, ingest)
    two = at_once(settings, 2)
    once(spark, two, database, detect)
    spark.range(20).selectExpr(*[f"cast({v} as {t}) as {n}" for n, t, v in COLUMNS]).repartition(7).write.format("delta").mode(
        "append").save(settings.bronze)  # fmt: skip
    once(spark, at_once(settings, 1), database, detect)  # a commit of several files, cut in its middle
    batches = one(database, "select count(*)::int from rule_counts where processor = 'every'")
    assert batches > 5
    assert one(database, "select sum(evaluated)::int from rule_counts where processor = 'every'") == len(events) + 20
    assert one(database, "select sum(hit)::int from rule_counts where processor = 'big'") == 6


COLUMNS = [
    ("event_id", "string", "concat('x', id)"), ("event_time", "timestamp", "timestamp_micros(1772323200000000 + id)"),
    ("kind", "string", "'transaction'"), ("account_id", "string", "concat('B', id)"), ("amount", "double", "id"),
    ("tenant", "string", "'main'"), ("source", "string", "'extra--1.jsonl'"), ("position", "bigint", "id"),
    ("row_id", "bigint", "(9L << 40) + id"), ("ingest_time", "timestamp", "current_timestamp()"), ("ingest_batch", "bigint", "9"),
]  # fmt: skip


def test_lists_lanes_and_enrichment(settings: Settings, database: Database, take: Callable[[Settings], None]) -> None:
    with database.connection() as connection:
        catalogue.put_list(connection, "main", "vip", ["A1"], actor="test")
        catalogue.put_list(connection, "main", "stolen", ["A3", "A4"], actor="test")
        catalogue.put_list(connection, "main", "land", {"T0": {"country": "CH"}, "T1": {"country": "XX"}}, actor="test")
    live(
        database,
        where={"kind": "enrich", "field": "counterparty_id", "list": "land", "as": "shop"},
        vip={"kind": "allow", "list": "vip"},
        stolen={"kind": "deny", "list": "stolen", "lane": "immediate"},
        far={"kind": "rule", "when": 'enriched.shop.country == "XX" && amount > 500.0'},
        services={"kind": "route", "when": 'entity_kind == "series"', "lane": "immediate"},
    )
    spree = [{**one, "account_id": f"A{n}", "event_id": f"s{n}-{i}"} for n in (1, 2, 3) for i, one in enumerate(SPREE)]
    calm = [
        transaction(5000 + i, f"A{n}", 20.0 * (1 + 0.1 * (i * 7 % 5)), 60 * i) | {"event_id": f"c{n}-{i}"}
        for n in (1, 2, 3)
        for i in range(40)
    ]
    land(settings, [*calm, *spree, *everything()[-200:]])
    take(settings)
    lanes = {row["entity"]: row["lane"] for row in rows_of(database, "select entity, lane from cases")}
    assert lanes["account:A1/EUR"] == "filed"
    assert lanes["account:A3/EUR"] == "immediate"
    assert lanes["series:db/cpu"] == "immediate"
    assert {row["entity"] for row in rows_of(database, "select c.entity from docket join cases c using (case_id)")} >= {
        "account:A3/EUR", "series:db/cpu"}  # fmt: skip
    assert one(database, "select count(*)::int from docket join cases c using (case_id) where c.entity = 'account:A1/EUR'") == 0
    suppressed = rows_of(
        database,
        """select processor, count(*)::int as n from suppressions
        where entity = 'account:A1/EUR' group by 1""",
    )
    kept = one(database, "select count(*)::int from anomalies where entity = 'account:A1/EUR'")
    assert suppressed == [{"processor": "vip", "n": kept}]
    assert kept > 0
    by_name = {row[1]: row for row in counts(database)}
    assert by_name["stolen"][3:5] == (46 * 2 + 200, 46), "the VIP's own events are let by"
    assert by_name["where"][3] == 46 * 3 + 200
    far = rows_of(database, "select event -> 'enriched' as e, entity from rule_hits where processor = 'far'")
    assert far
    assert all(row["e"] == {"shop": {"country": "XX"}} and row["entity"] != "account:A1/EUR" for row in far)


def test_thresholds_go_both_ways_and_only_for_their_tenant(
    settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    low = {"kind": "thresholds", "thresholds": {"account/amount_z": 0.5}}
    live(database, low=low)
    theirs = [event | {"tenant": "other", "event_id": f"o{event['event_id']}"} for event in steady("A1", 40)]
    land(settings, [*steady("A1", 40), *theirs])
    take(settings)
    found = rows_of(database, "select tenant, entity, low, high, value from anomalies")
    assert found
    assert {(row["tenant"], row["entity"].split(":")[0]) for row in found} == {("main", "account")}
    assert all(not row["low"] <= row["value"] <= row["high"] for row in found), "the evidence tells the threshold that was used"


def test_a_topic_and_a_filter_choose_the_events_of_a_segment(
    settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    with database.connection() as connection:
        topics.create(connection, "main", topics.Topic("shop"), settings, actor="test")
    live(database, "shop", topic="shop", filter='account_id == "A1"', every={"kind": "rule", "when": "true"})
    land(settings, steady("A1", 5), "shop--1.jsonl")
    land(settings, steady("A2", 5, first=50), "shop--2.jsonl")
    land(settings, steady("A1", 5, first=90), "rest.jsonl")
    take(settings)
    assert counts(database) == [(0, "every", 1, 5, 5, 0, 0, 5)]


def test_a_pin_is_written_once_and_read_again(database: Database) -> None:
    pins = Pins(database)
    assert not pins.take("q", 0)
    live(database, big=BIG)
    assert not pins.take("q", 0), "the batch had nothing when it began"
    assert pins.take("q", 1).tenants["main"].segments[0].steps[0].version == 1
    live(database, big=BIG | {"when": "amount > 5000"})
    fresh = Pins(database)
    assert fresh.take("q", 1).tenants["main"].segments[0].steps[0].version == 1
    assert fresh.take("q", 2).tenants["main"].segments[0].steps[0].version == 2


def test_the_thresholds_that_travel_name_their_tenant() -> None:
    said = json.loads(limits.written({"main": {"amount_z": 5.0}, "other": {}}))
    assert said == {str(limits.fingerprint("main")): {"amount_z": 5.0}}
