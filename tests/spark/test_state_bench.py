"""The state bench on a few accounts: it grows one stream and reads its figures off the ledger and the checkpoint."""

import doctest
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bench import state
from bench.crowd import Crowd
from bench.state import Plan, groups, most_per_core, step
from store.database import Database
from store.settings import Settings

from .conftest import rows_of, settings_of


@pytest.fixture
def paced(tmp_path: Path, database_url: str) -> Settings:
    """A batch for each commit of two files, as the bench has it."""
    return settings_of(tmp_path, database_url, detect={"max_files_per_trigger": 2})


def test_a_stream_grows_and_each_step_is_measured(spark: SparkSession, paced: Settings, database: Database) -> None:
    plan = Plan(accounts=(60, 200), shards=4, points=(110, 2), batches=1, events=50, prefill=4_000, memory="", cores=2)
    crowd = Crowd(spark, paced)
    few, many = (step(crowd, plan, accounts) for accounts in plan.accounts)
    assert (few["entities"], many["entities"]) == (60, 200)
    assert (few["per_core"], many["per_core"]) == (30, 100)
    assert 400 < many["state_bytes_per_entity"] <= few["state_bytes_per_entity"] < 600  # a shard's header weighs more on few
    assert many["changelog_mb_per_batch"] >= 0
    assert min(few["batch_s"], few["fold_s"], few["cpu_s"]) > 0
    assert few["batch_s"] <= few["slowest_s"]
    assert set(few["peak_rss_mb"]) >= {"jvm", "python"}
    counted = rows_of(database, "select sum(count)::int as n from metric_hours where entity like 'account:%'")
    assert counted == [{"n": (state.COLD_BATCHES + 1) * plan.events * 2}], "what only fills is folded, but not counted"


def test_the_examples_hold() -> None:
    assert doctest.testmod(state).failed == 0


def test_most_per_core_is_read_off_between_two_steps_and_never_beyond_the_last() -> None:
    steps = [{"per_core": 100, "batch_s": 1.0}, {"per_core": 200, "batch_s": 4.0}, {"per_core": 300, "batch_s": 6.0}]
    assert most_per_core(steps) == 250
    assert most_per_core(steps[:2]) == 200
    assert most_per_core([{"per_core": 100, "batch_s": 10.0}]) == 50


@pytest.mark.parametrize(("shards", "events", "touched"), [(1, 10, 1), (4, 100_000, 4), (1_000_000, 10, 10)])
def test_random_accounts_touch_so_many_shards(shards: int, events: int, touched: int) -> None:
    plan = Plan((1,), shards, (1, 1), 1, events, 1, "", 1)
    assert groups(1, plan) == touched
