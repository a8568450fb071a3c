"""Old rows go, young rows stay, whatever the events' own times say."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import retention
from store.database import Database
from store.named import queries
from store.sections.core import Retention

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = Retention(metrics_days=30, anomalies_days=90, rulings_days=365)
OLD_EVENT = datetime(2014, 4, 1, tzinfo=UTC)

MINUTE = """insert into metrics_minute (bucket, entity_hash, count, errors, sum, sum_squares, min, max, histogram, anomalies,
  late, duplicates, arrived_at) values (%s, 1, 1, 0, 1, 1, 1, 1, '{}', 0, 0, 0, %s)"""
ANOMALY = """insert into anomalies (anomaly_id, episode_id, ordinal, entity_hash, entity, detector, event_id, event_time, value,
  expected, low, high, unit, window_size, severity, scores, context, event, arrived_at, detected_at, query_id, batch_id)
  values (%s, 'e', 1, 1, 'service:a', 'latency', 'x', %s, 1, 1, 0, 2, 'ms', 10, .5, '{}', '{}', '{}', %s, %s, 'q', 0)"""


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture(params=["plain", "hypertables"])
def any_database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue("database" if request.param == "plain" else "timescale_database")
    return found


def add_metrics(database: Database, *arrivals: datetime) -> None:
    with database.connection() as connection:
        for minute, arrived in enumerate(arrivals):
            connection.execute(MINUTE, [OLD_EVENT + timedelta(minutes=minute), arrived])
        connection.execute("select pg_stat_force_next_flush()")  # else row counts lag a second behind


def count(database: Database, table: str) -> int:
    with database.connection() as connection:
        return int(connection.execute(f"select count(*) as n from {table}".encode()).fetchall()[0]["n"])


def test_rows_of_old_events_stay_until_their_arrival_is_old(database: Database) -> None:
    add_metrics(database, ago(29), ago(31), ago(400))
    removed = retention.run(database, DAYS, NOW)
    assert removed is not None
    assert removed["metrics_minute"] == 2
    assert count(database, "metrics_minute") == 1


def test_a_chunk_with_one_young_row_loses_only_its_old_rows(timescale_database: Database) -> None:
    add_metrics(timescale_database, ago(29), ago(31), ago(400))
    removed = retention.run(timescale_database, DAYS, NOW)
    assert removed is not None
    assert removed["metrics_minute"] == 2
    assert count(timescale_database, "metrics_minute") == 1


def test_a_chunk_of_old_rows_is_dropped_whole(timescale_database: Database) -> None:
    add_metrics(timescale_database, ago(31), ago(400))
    later = datetime.now(UTC) + timedelta(days=40)  # chunks are aged by the server's clock
    removed = retention.run(timescale_database, DAYS, later)
    assert removed is not None
    assert removed["metrics_minute"] == 2
    with timescale_database.connection() as connection:
        chunks = connection.execute(
            "select * from timescaledb_information.chunks where hypertable_name = 'metrics_minute'"
        ).fetchall()
    assert chunks == []


def test_anomalies_have_a_time_of_their_own(database: Database) -> None:
    with database.connection() as connection:
        for name, days in (("young", 89), ("old", 91)):
            connection.execute(ANOMALY, [name, OLD_EVENT, ago(days), ago(days)])
    retention.run(database, DAYS, NOW)
    with database.connection() as connection:
        assert [row["anomaly_id"] for row in connection.execute("select anomaly_id from anomalies")] == ["young"]


def add_case(database: Database, name: str, days: float, state: str) -> None:
    with database.connection() as connection:
        connection.execute(
            """insert into episodes (episode_id, entity_hash, entity, kind, revision, started_at, last_at, first_event_id,
            last_event_id, worst, severity, detectors, settings_hash, arrived_at, detected_at)
            values (%s, 1, 'service:a', 'service', 1, %s, %s, 'a', 'a', '{}', .9, '{}', 's', %s, %s)""",
            [name, OLD_EVENT, OLD_EVENT, ago(days), ago(days)],
        )
        connection.execute(
            """insert into cases (case_id, episode_id, entity, kind, revision, severity, lane, started_at, last_at,
            created_at, updated_at)
            values (%s, %s, 'service:a', 'service', 1, .9, 'batch', %s, %s, %s, %s)""",
            [f"case-{name}", name, OLD_EVENT, OLD_EVENT, ago(days), ago(days)],
        )
        connection.execute(
            "insert into docket (case_id, lane, priority, revision, state) values (%s, 'batch', 1, 1, %s)",
            [f"case-{name}", state],
        )


def test_a_case_goes_with_all_that_hangs_on_it_but_not_while_it_waits(database: Database) -> None:
    add_case(database, "ruled", 400, "done")
    add_case(database, "waiting", 400, "waiting")
    add_case(database, "shed", 400, "shed")
    add_case(database, "young", 100, "done")
    removed = retention.run(database, DAYS, NOW)
    assert removed is not None
    assert (removed["cases"], removed["episodes"]) == (1, 1)
    assert count(database, "docket") == count(database, "episodes") == 3


def test_the_newest_batch_of_a_stream_stays_in_the_ledger(database: Database) -> None:
    with database.connection() as connection:
        for batch in (1, 2, 3):
            connection.execute(
                """insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events,
                started_at, committed_at)
                values ('detect', 'q', %s, 'o', 's', '{}', 1, %s, %s)""",
                [batch, ago(500), ago(500)],
            )
    retention.run(database, DAYS, NOW)
    with database.connection() as connection:
        assert [row["batch_id"] for row in connection.execute("select batch_id from batches")] == [3]


def test_it_is_due_at_first_then_not_until_its_time_has_come(database: Database) -> None:
    assert retention.due(database, DAYS, NOW)
    retention.run(database, DAYS, NOW)
    assert not retention.due(database, DAYS, NOW + timedelta(seconds=DAYS.every_s - 1))
    assert retention.due(database, DAYS, NOW + timedelta(seconds=DAYS.every_s))


def test_only_one_process_does_it_and_the_lock_is_let_go(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("select pg_advisory_lock(%s)", [retention.LOCK])
        assert retention.run(database, DAYS, NOW) is None
        connection.execute("select pg_advisory_unlock(%s)", [retention.LOCK])
    assert retention.run(database, DAYS, NOW) is not None
    assert retention.run(database, DAYS, NOW) is not None


SWEPT = {  # by the part that fills them, after a time of its own settings
    "gateway": {"answers", "changes", "passed_events"},
    "pipelines": {
        "lists",
        "processor_pins",
        "rule_counts",
        "rule_hits",
        "rule_totals",
        "rule_work",
        "suppressions",
        "raised_lanes",
    },
    "notify": {"alarms", "alert_messages", "bundles", "messages", "notices", "rate_limits"},
    "assistant": {"answer_cache", "conversations", "section_versions"},
    "observe": {"dropped_traces", "llm_firings", "trace_hours", "trace_shapes", "traces"},
    "schedule": {"schedule_runs"},
}
# by what people make of them, not by time
BOUNDED = {
    "entities",
    "documents",
    "sections",
    "service_edges",
    "workers",
    "schema_migrations",
    "api_keys",
    "vault_keys",
    "vault_subjects",
    "channels",
    "routes",
    "alert_topics",
    "subscriptions",
    "topics",
    "segments",
    "processors",
    "processor_versions",
    "processor_changes",
    "processor_sets",
    "worker_pools",
    "maintenance_windows",
    "trace_projects",
    "llm_rules",
    "price_versions",
    "schedules",
    "saved_filters",
    "reader_preferences",
    "section_proposals",
    "document_versions",
}
# with the row they belong to
CASCADING = {
    "docket",
    "docket_receipts",
    "commands",
    "alerts",
    "memories",
    "case_files",
    "case_entries",
    "case_links",
    "feedback",
    "command_runs",
    "conversation_messages",
    "deliveries",
    "delivery_attempts",
    "list_versions",
    "list_items",
    "llm_firing_traces",
    "llm_firing_log",
    "spans",
    "trace_scores",
}
KEPT = {"audit_log", "erasures"}  # evidence


def test_every_table_that_grows_has_a_rule(database: Database) -> None:
    """A new table must be given a rule, or named above with why it needs none."""
    swept = {table for tables in SWEPT.values() for table in tables}
    tables = {row["name"] for row in retention.sizes(database)}
    assert tables - BOUNDED - CASCADING - KEPT - swept == {rule.table for rule in retention.RULES}
    assert [table for table in sorted(swept) if not any(f"delete from {table}" in text for text in queries().values())] == []


def test_what_goes_with_its_row_is_bound_to_it(database: Database) -> None:
    with database.connection() as connection:
        rows = connection.execute(
            "select conrelid::regclass::text as name from pg_constraint where contype = 'f' and confdeltype = 'c'"
        )
        assert CASCADING - {row["name"] for row in rows} == set()


def test_sizes_count_the_rows_of_hypertables(any_database: Database) -> None:
    add_metrics(any_database, ago(1))
    size = next(row for row in retention.sizes(any_database) if row["name"] == "metrics_minute")
    assert size["rows"] == 1
    assert size["bytes"] > 0


@given(st.floats(0.001, 5000))
def test_steps_end_at_the_moment_and_never_pass_it(days: float) -> None:
    found = list(retention.steps(ago(days), NOW))
    assert found[-1] == NOW
    assert found == sorted(found)
    assert len(found) <= math.ceil(days) + 1
