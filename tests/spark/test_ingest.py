"""Files in, bronze or quarantine out: every record accounted for, once."""

import gzip
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from jobs import ingest
from store.database import Database
from store.settings import Settings

from .conftest import land, once, rows_of, settings_of, steady, transaction

EVENT = b'{"event_id": "%s", "event_time": "2026-03-01T00:00:00%s", "kind": "transaction", "account_id": "A", "amount": %s}'
BROKEN = {
    b'{"event_id": "x1"': "not valid JSON",
    EVENT % (b"x2", b"", b"1"): "no time zone",
    EVENT % (b"x3", b"Z", b"NaN"): "NaN",
    (EVENT % (b"x4", b"Z", b"1")).replace(b'"amount"', b'"latency_ms": -1, "amount"'): "negative",
    (EVENT % (b"x5", b"Z", b"1")).replace(b"2026", b"2999"): "in the future",
    EVENT % (rb"x6\u0000", b"Z", b"1"): "zero byte",
    EVENT % (rb"x7\ud800", b"Z", b"1"): "surrogate",
    b'{"event_id": "x8\xff"}': "UTF-8",
    b'{"event_id": "x9", "message": "' + b"a" * 70_000 + b'"}': "bytes",
}


def test_every_record_is_in_bronze_or_in_quarantine_with_its_reason(
    spark: SparkSession, settings: Settings, database: Database
) -> None:
    land(settings, steady("A1", 30))
    (settings.landing / "broken.jsonl").write_bytes(b"\n".join(BROKEN) + b"\n")
    (settings.landing / "empty.jsonl").write_bytes(b"")
    whole = gzip.compress(b"".join(json.dumps(event).encode() + b"\n" for event in steady("A2", 2000, first=1000)))
    (settings.landing / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    once(spark, settings, database, ingest)

    bronze = spark.read.format("delta").load(settings.bronze)
    quarantine = spark.read.format("delta").load(settings.quarantine)
    broken = quarantine.where("source = 'broken.jsonl'").collect()
    reasons = {bytes(row.raw): row.reason for row in broken}
    assert set(reasons) == set(BROKEN)
    assert all(words in reasons[raw] for raw, words in BROKEN.items())
    assert [row.reason for row in quarantine.where("source = 'empty.jsonl'").collect()] == ["the file is empty"]
    cut = quarantine.where("source = 'cut.jsonl.gz'").collect()
    kept = bronze.where("source = 'cut.jsonl.gz'").count()
    assert [row.reason for row in cut] == ["the gzip file ends too early; what came before was kept"]
    assert 0 < kept < 2000
    assert bronze.where("source = 'a.jsonl'").count() == 30
    assert bronze.select("source", "position").distinct().count() == bronze.count() == bronze.select("row_id").distinct().count()
    noted = rows_of(database, "select count(*) as n from quarantined")
    assert noted == [{"n": len(BROKEN) + 2}]
    ledger = rows_of(database, "select sum(events)::int as e, sum(accepted)::int as a, sum(quarantined)::int as q from batches")
    assert ledger == [{"e": 30 + kept + len(BROKEN) + 2, "a": 30 + kept, "q": len(BROKEN) + 2}]


def test_a_second_start_takes_only_what_is_new(spark: SparkSession, settings: Settings, database: Database) -> None:
    land(settings, steady("A1", 10), "a.jsonl")
    once(spark, settings, database, ingest)
    land(settings, steady("A2", 10, first=100), "b.jsonl.gz")
    once(spark, settings, database, ingest)
    once(spark, settings, database, ingest)
    assert spark.read.format("delta").load(settings.bronze).count() == 20


def test_csv_with_a_column_mapping_and_parquet(spark: SparkSession, settings: Settings, database: Database) -> None:
    settings = settings_of(
        settings.home, settings.database_url.get_secret_value(),  # type: ignore[union-attr]
        source={"csv_columns": {"id": "event_id", "when": "event_time", "card": "account_id"}},
    )  # fmt: skip
    settings.landing.mkdir(parents=True)
    (settings.landing / "a.csv").write_text(
        "id,when,kind,card,amount,attributes.channel\nc1,2026-03-01T00:00:00Z,transaction,A,12.5,web\nc2,x,transaction,A,1,\n"
    )
    table = pa.Table.from_pylist([transaction(1, "P", 9.5, 0)])
    pq.write_table(table, settings.landing / "b.parquet")
    once(spark, settings, database, ingest)
    bronze = spark.read.format("delta").load(settings.bronze)
    found = {(row.event_id, row.account_id, row.amount, (row.attributes or {}).get("channel")) for row in bronze.collect()}
    assert found == {("c1", "A", 12.5, "web"), ("t1", "P", 9.5, None)}
    assert [row["position"] for row in rows_of(database, "select position from quarantined")] == ["a.csv:3"]


def test_an_unknown_kind_and_unknown_fields_are_kept_whole(
    spark: SparkSession, settings: Settings, database: Database, take: Callable[[Settings], None]
) -> None:
    odd = {"event_id": "o1", "event_time": "2026-03-01T00:00:00Z", "kind": "login", "device": {"os": "x"}}
    land(settings, [odd, transaction(1, "A", 5, 0, extra=1)])
    take(settings)
    rows = {row.event_id: row.raw for row in spark.read.format("delta").load(settings.bronze).collect()}
    assert json.loads(rows["o1"]) == odd
    assert json.loads(rows["t1"])["extra"] == 1
    assert rows_of(database, "select events, unwatched, points from batches where job = 'detect'") == [
        {"events": 2, "unwatched": 1, "points": 2}
    ]
