"""Tokenised ingest through Spark: nothing of a person in Delta or Postgres, the same findings, the same tokens when run again."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs import detect, ingest
from jobs import erase as forgetting
from jobs.errors import ErasureTooEarly
from jobs.retry import opened, raw_records
from store.database import Database
from store.settings import Settings
from trust import erase, loop, master
from trust.subject import Subject
from trust.vault import TOKEN, Vault

from .conftest import land, once, rows_of, settings_of, steady, transaction

CANARIES = (
    "ACC-CANARY-7781",
    "TERM-CANARY-31",
    "4111111111111111",
    "DE89370400440532013000",
    "ann.canary@example.org",
    "hunter2canary",
)
MESSAGE = "rent for Ann, card 4111111111111111, ann.canary@example.org"


@pytest.fixture
def private(tmp_path: Path, database_url: str) -> Settings:
    settings = settings_of(tmp_path, database_url, privacy={"identifiers": "tokenised"})
    master.create(master.place(settings))
    return settings


def planted() -> list[dict[str, Any]]:
    """An account that goes off, with every canary somewhere in its events."""
    events = steady("ACC-CANARY-7781", 40)
    for event in events:
        event["counterparty_id"] = "TERM-CANARY-31"
    events[3] |= {"message": MESSAGE, "attributes": {"iban": "DE89370400440532013000", "channel": "web"}}
    events[4]["unheard"] = "of ann.canary@example.org"
    return [*events, transaction(99, "ACC-CANARY-7781", 9000, 60 * 40) | {"message": MESSAGE}]


REFUSED = {
    "event_id": "bad",
    "event_time": "2026-03-01T00:00:00Z",
    "kind": "transaction",
    "account_id": "ACC-CANARY-7781",
    "amount": "much",
}
LOG_LINE = {
    "event_id": "r1", "event_time": "2026-03-01T00:00:00Z", "kind": "request", "service": "shop", "status": 500,
    "message": "mail to ann.canary@example.org bounced, password=hunter2canary",
}  # fmt: skip


def written(settings: Settings) -> Iterator[str]:
    """Everything that Delta and the checkpoints hold, decoded."""
    for file in settings.home.rglob("*"):
        if file.is_file() and "landing" not in file.parts and "keys" not in file.parts:
            yield str(pq.read_table(file).to_pylist()) if file.suffix == ".parquet" else file.read_bytes().decode("latin-1")


def everything(database: Database) -> str:
    tables = rows_of(
        database,
        "select table_name as t from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
    )
    return "\n".join(str(row) for table in tables for row in rows_of(database, f'select t::text as row from "{table["t"]}" t'))


def test_canaries_stay_out_of_delta_and_database_and_findings_stay(
    take: Callable[[Settings], None], spark: SparkSession, private: Settings, database: Database
) -> None:
    land(private, [*planted(), REFUSED, LOG_LINE])
    take(private)
    texts = list(written(private))
    assert len(texts) > 10
    held = everything(database)
    for canary in CANARIES:
        assert not any(canary in text for text in texts), canary
        assert canary not in held, canary

    vault = Vault.of(private)
    flagged = rows_of(database, "select distinct entity from anomalies where entity like 'account:%'")
    assert list(vault.real(database, [row["entity"] for row in flagged]).values()) == ["account:ACC-CANARY-7781/EUR"]
    rows = spark.read.format("delta").load(private.bronze).where("message is not null").collect()
    by_kind = {row.kind: row for row in rows}
    sealed = by_kind["transaction"].message
    assert TOKEN.search(sealed)
    assert vault.open(database, [sealed])[sealed] == MESSAGE
    assert by_kind["request"].message == "mail to [email] bounced, password=[secret]"
    first = next(row for row in rows if row.attributes)
    assert first.attributes["channel"] == "web"
    assert list(vault.open(database, [first.attributes["iban"]]).values()) == ["DE89370400440532013000"]
    raw = [row.raw.decode() for row in spark.read.format("delta").load(private.bronze).where("raw is not null").collect()]
    assert len(raw) == 1
    assert "ann.canary@example.org" in vault.open(database, raw)[raw[0]]


def test_a_refused_record_comes_back_as_it_was(spark: SparkSession, private: Settings, database: Database) -> None:
    land(private, [REFUSED, {"nobody": "here", "event_id": "ann.canary@example.org"}])
    once(spark, private, database, ingest)
    notes = rows_of(database, "select record_id, excerpt from quarantined")
    vault = Vault.of(private)
    found = dict(raw_records(spark, private, {row["record_id"] for row in notes}, lambda raw: opened(vault, database, raw)))
    assert {json.loads(raw)["event_id"] for raw in found.values()} == {"bad", "ann.canary@example.org"}
    assert not any(canary in row["excerpt"] for row in notes for canary in CANARIES[:1] + CANARIES[4:5])


def test_a_batch_run_again_has_the_same_tokens(spark: SparkSession, private: Settings, database: Database) -> None:
    land(private, planted())
    once(spark, private, database, ingest)
    first = tokens_of(spark, private)
    for place in ("delta", "checkpoints"):
        shutil.rmtree(private.home / place)
    once(spark, private, database, ingest)
    assert tokens_of(spark, private) == first
    land(private, steady("ACC-CANARY-7781", 5, first=500), "b.jsonl")
    once(spark, private, database, ingest)
    assert tokens_of(spark, private) == first


def tokens_of(spark: SparkSession, settings: Settings) -> set[Any]:
    return {tuple(row) for row in spark.read.format("delta").load(settings.bronze).select("account_id").distinct().collect()}


def test_plain_and_tokenised_find_the_same(spark: SparkSession, private: Settings, database: Database, tmp_path: Path) -> None:
    land(private, planted())
    once(spark, private, database, ingest)
    once(spark, private, database, detect)
    query = "select event_id, detector, value, expected, low, high, scores, context from anomalies order by 1, 2"
    tokenised = rows_of(database, query)
    plain = private.model_copy(update={"home": tmp_path / "plain", "privacy": Settings().privacy})
    with database.connection() as connection:
        connection.execute("truncate anomalies, episodes, cases, docket, batches, entities, metrics_hour cascade")
    land(plain, planted())
    once(spark, plain, database, ingest)
    once(spark, plain, database, detect)
    assert rows_of(database, query) == tokenised
    assert tokenised


def folded(database: Database, *accounts: str) -> list[dict[str, Any]]:
    """What detect made of these accounts, read from the tables."""
    query = """select event_id, detector, value, expected, low, high, scores, context from anomalies
        where entity = any(%(e)s) order by 1, 2"""
    with database.connection() as connection:
        return connection.execute(query.encode(), {"e": [f"account:{account}/EUR" for account in accounts]}).fetchall()


def fold_again(spark: SparkSession, settings: Settings, database: Database) -> None:
    """Everything found is forgotten and found again from bronze as it is now."""
    with database.connection() as connection:
        connection.execute("truncate anomalies, episodes, cases, docket, entities, metrics_hour cascade")
        connection.execute("delete from batches where job = 'detect'")
    shutil.rmtree(settings.checkpoint("detect"))
    once(spark, settings, database, detect)


def two_accounts(first: str, second: str) -> list[dict[str, Any]]:
    events = [
        *steady(first, 30),
        transaction(77, first, 9000, 60 * 31),
        *steady(second, 30, first=200),
        transaction(300, second, 8000, 60 * 31),
    ]
    for event in events:
        event["counterparty_id"] = "T" + event["account_id"][-1]
    events[0]["message"] = f"transfer to {second}"
    return [*events, {"event_id": "bad", "account_id": first}, {"event_id": "worse", "account_id": second}]


def test_erasing_a_tokenised_account_leaves_the_others_replay_byte_equal(
    take: Callable[[Settings], None], spark: SparkSession, private: Settings, database: Database
) -> None:
    land(private, two_accounts("ACC-GONE-1", "ACC-STAYS-2"))
    take(private)
    vault = Vault.of(private)
    gone, stays = (vault.find(database, name) or "" for name in ("ACC-GONE-1", "ACC-STAYS-2"))
    sealed = spark.read.format("delta").load(private.bronze).where("message is not null").collect()[0].message
    assert vault.open(database, [sealed])[sealed] == "transfer to ACC-STAYS-2"
    before = folded(database, stays)
    with database.connection() as connection:
        asked = erase.ask(connection, "main", "key:x", "account:ACC-GONE-1", vault)
    while loop.step(database, private):
        pass
    row = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]
    assert (row["state"], row["error"]) == ("done", "")
    assert Vault.of(private).open(database, [sealed])[sealed] == "[erased]"
    held = [*written(private), everything(database), *(file.read_text() for file in private.landing.iterdir())]
    assert not any("ACC-GONE-1" in text for text in held)
    assert rows_of(database, f"select sealed, wrapped, lookup from vault_subjects where token = '{gone}'") == [
        {"sealed": None, "wrapped": None, "lookup": None}
    ]
    assert everything(database).count(gone) == 2, "there, and in the erasure's own row"
    assert folded(database, gone) == []
    fold_again(spark, private, database)
    assert folded(database, stays) == before
    assert before


def test_erasing_a_plain_account_takes_its_rows_and_every_older_version(
    take: Callable[[Settings], None], spark: SparkSession, settings: Settings, database: Database
) -> None:
    land(settings, two_accounts("ACC-GONE-1", "ACC-STAYS-2")[:-1])
    take(settings)
    before = folded(database, "ACC-STAYS-2")
    (settings.home / "logs").mkdir()
    (settings.home / "logs" / "ingest.log").write_text("took ACC-GONE-1\n")
    with database.connection() as connection:
        asked = erase.ask(connection, "main", "key:x", "account:ACC-GONE-1", None)
    assert loop.step(database, settings) == 1
    assert loop.step(database, settings) == 0, "Delta's rows wait for somebody who has Spark"
    with database.connection() as connection:
        taken = erase.take(connection, ["files"], asked.erasure_id)
    assert taken is not None
    delta = forgetting.forget(settings, taken[1], spark)
    assert [(line.store, line.removed, line.unlinked) for line in delta if line.removed or line.unlinked] == [
        ("Delta bronze", 31, 0), ("Delta quarantine", 0, 1),
    ]  # fmt: skip
    assert loop.finish(database, settings, delta, asked.erasure_id) is not None
    row = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]
    assert (row["state"], row["error"]) == ("done", "")
    held = [*written(settings), everything(database), *(file.read_text() for file in settings.landing.iterdir())]
    assert not any("ACC-GONE-1" in text for text in held)
    assert (settings.home / "logs" / "ingest.log").read_text() == "took **********\n"
    with pytest.raises(Exception, match=r"DELTA|FileNotFound|FAILED_READ"):
        spark.read.format("delta").option("versionAsOf", 1).load(settings.bronze).collect()
    land(settings, steady("ACC-STAYS-2", 3, first=900), "later.jsonl")
    take(settings)
    assert folded(database, "ACC-STAYS-2") == before, "detect goes on over the erasure"
    assert before


def test_plain_erasure_waits_for_detect(spark: SparkSession, settings: Settings, database: Database) -> None:
    land(settings, steady("ACC-GONE-1", 3))
    once(spark, settings, database, ingest)
    with pytest.raises(ErasureTooEarly):
        forgetting.forget(settings, Subject("main", "account", "ACC-GONE-1", "erased-1"), spark)


def test_a_log_line_that_names_a_tokenised_account_is_found_and_mended(
    take: Callable[[Settings], None], spark: SparkSession, private: Settings, database: Database
) -> None:
    land(private, [*steady("ACC-GONE-1", 3), LOG_LINE | {"message": "user ACC-GONE-1 timed out"}])
    take(private)
    with database.connection() as connection:
        asked = erase.ask(connection, "main", "key:x", "account:ACC-GONE-1", Vault.of(private))
    while loop.step(database, private):
        pass
    first = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]
    assert first["state"] == "failed"
    assert any("bronze" in line["store"] and line["kept"] for line in first["report"])
    with database.connection() as connection:
        taken = erase.take(connection, ["failed"], asked.erasure_id)
    assert taken is not None
    loop.finish(database, private, forgetting.forget(private, taken[1], spark), asked.erasure_id)
    row = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]
    assert (row["state"], row["error"]) == ("done", "")
    left = spark.read.format("delta").load(private.bronze).where("kind = 'request'").collect()
    assert [one.message for one in left] == [f"user {taken[1].mark} timed out"]
