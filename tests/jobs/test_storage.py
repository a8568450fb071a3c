"""Object stores: settings that are refused, what Spark is told, what stays secret, and turns in writing."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from jobs import cloud_jars, jars, storage
from jobs.erase import forget
from jobs.errors import ErasureElsewhere, LagUnknown
from jobs.lag import waiting_files
from jobs.turn import turn
from store.database import Database
from store.errors import BadSettings
from store.settings import Settings, read
from trust.subject import Subject

SECRET = "wJalrXUtnFEMI"
AZURE = "abfss://conclave@account.dfs.core.windows.net/main"
S3 = {"root": "s3a://bucket/main", "access_key": "AKIA", "secret_key": SECRET}


def of(**given: Any) -> Settings:
    return read(home=Path("/nowhere"), storage=given)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"root": "s3://bucket/main"}, "storage"),
        ({"root": "s3a://bucket/main/"}, "without a slash"),
        ({"root": "/var/lib"}, "root is s3a://"),
        ({"root": "abfss://conclave/main"}, "abfss://CONTAINER@ACCOUNT"),
        ({"root": "gs://bucket", "landing": "s3a://bucket"}, "one kind of store"),
        ({"root": "s3a://bucket", "endpoint": "127.0.0.1:9000"}, "endpoint begins with"),
        ({"root": "s3a://bucket", "access_key": "AKIA"}, "together"),
        ({"root": AZURE, "access_key": "AKIA"}, "access_key is for S3"),
        ({"rooot": "s3a://bucket"}, "rooot"),
    ],
)
def test_bad_places_are_refused_by_key(given: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSettings, match="storage") as refused:
        of(**given)
    assert named in str(refused.value)


def test_without_a_store_everything_is_as_it_was() -> None:
    settings = of()
    assert settings.bronze == "/nowhere/delta/bronze"
    assert settings.checkpoint("detect") == "/nowhere/checkpoints/detect"
    assert settings.watched == "/nowhere/landing"
    assert storage.options(settings.storage) == {}
    assert jars.wanted([settings.storage.scheme]) == jars.PINNED


@pytest.mark.parametrize("root", ["s3a://bucket/main", AZURE, "gs://bucket/main"])
def test_tables_and_checkpoints_lie_below_the_root(root: str) -> None:
    settings = of(root=root)
    assert {settings.bronze, settings.quarantine, settings.checkpoint("ingest")} == {
        f"{root}/delta/bronze", f"{root}/delta/quarantine", f"{root}/checkpoints/ingest",
    }  # fmt: skip
    assert storage.options(settings.storage)
    assert len(jars.wanted([settings.storage.scheme])) > len(jars.PINNED)


def test_keys_reach_hadoop_and_nothing_else() -> None:
    settings = of(**S3, endpoint="http://127.0.0.1:9000", path_style=True)
    told = storage.options(settings.storage)
    assert told["spark.hadoop.fs.s3a.secret.key"] == SECRET
    assert told["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert told["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


@pytest.mark.parametrize("given", [S3, {"root": AZURE, "secret_key": SECRET}])
def test_spark_blots_every_option_that_holds_a_secret(given: dict[str, Any]) -> None:
    told = storage.options(of(**given).storage)
    pattern = re.compile(told["spark.redaction.regex"])
    holding = [name for name, value in told.items() if SECRET in value]
    assert holding
    assert all(pattern.search(name) for name in holding)


def test_without_keys_the_surroundings_are_asked() -> None:
    assert "WebIdentity" in storage.options(of(root="s3a://bucket").storage)["spark.hadoop.fs.s3a.aws.credentials.provider"]
    assert "WorkloadIdentity" in str(storage.options(of(root=AZURE).storage))
    assert storage.options(of(root="gs://bucket").storage)["spark.hadoop.fs.gs.auth.type"] == "APPLICATION_DEFAULT"


def test_every_jar_is_pinned_once() -> None:
    everything = [coordinate for held in (jars.PINNED, *cloud_jars.OF_SCHEME.values()) for coordinate in held]
    assert len(everything) == len(set(everything))
    assert all(re.fullmatch(r"[\w.]+:[\w.-]+:[\w.-]+", coordinate) for coordinate in everything)
    files = [jars.file_of(coordinate).name for coordinate in everything]
    assert len(files) == len(set(files)), "one would overwrite the other"


def test_dropped_files_elsewhere_are_not_written_or_counted_here() -> None:
    settings = of(landing="s3a://bucket/dropped")
    assert settings.watched == "s3a://bucket/dropped"
    with pytest.raises(BadSettings, match="s3a://bucket/dropped"):
        settings.dropping()
    with pytest.raises(LagUnknown):
        waiting_files(settings, now=0.0)


def test_plain_identifiers_elsewhere_are_not_said_to_be_erased() -> None:
    with pytest.raises(ErasureElsewhere, match="s3a://bucket"):
        forget(of(root="s3a://bucket"), Subject("main", "account", "A1", "erased-1"))


@pytest.mark.parametrize(("table", "one_at_a_time"), [("s3a://bucket/delta/bronze", True), ("/disk/delta/bronze", False)])
def test_writers_take_turns_on_s3_only(database: Database, table: str, one_at_a_time: bool) -> None:
    settings, inside, second_in = of(), threading.Event(), threading.Event()
    leave = threading.Event()

    def first() -> None:
        with turn(settings, database, table):
            inside.set()
            leave.wait(20)

    def second() -> None:
        with turn(settings, database, table):
            second_in.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(20)
    threads[1].start()
    waits = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted"
    if one_at_a_time:
        while not _count(database, waits):
            assert not second_in.is_set()
        assert not second_in.is_set()
    else:
        assert second_in.wait(20)
    leave.set()
    for thread in threads:
        thread.join(20)
    assert second_in.is_set()


def _count(database: Database, query: str) -> int:
    with database.connection() as connection:
        return int(connection.execute(query.encode()).fetchall()[0]["n"])
