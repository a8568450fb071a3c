"""A batch in one transaction of a real database: written once, added up over batches, and nothing of it when anything fails."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from streams import START, Point, S, columns, even, joined

from jobs.errors import BatchConflict
from jobs.findings import from_payloads, to_payload
from jobs.fold import observe
from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, Points
from jobs.policy import Policy
from jobs.sink import Batch, Events, commit, moment
from jobs.state import State
from store import embedded, migrations
from store.database import Database, connect, wait_for
from store.sections.core import Council
from store.settings import Settings

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
POLICY = Policy(detectors=("amount_z", "error_rate", "latency", "value_z"), thresholds={"amount_z": 4.0})
SETTINGS = Settings(council=Council(triage_bar=0.6, immediate_bar=0.85))
TABLES = (
    "entities", "batches", "metrics_hour", "metrics_minute", "anomalies", "episodes", "cases", "docket", "quarantined",
)  # fmt: skip
KIND = {ACCOUNT: "transaction", COUNTERPARTY: "transaction", SERVICE: "request", SERIES: "measurement"}


def events_of(points: Points) -> Events:
    """The bronze rows that these points came from."""
    out: Events = {}
    for kind, entity, time, value, row in zip(points.kind, points.entity, points.time, points.value, points.row, strict=True):
        business = kind in (ACCOUNT, COUNTERPARTY)
        out[int(row)] = {
            "event_id": f"e{row}", "event_time": moment(int(time)), "kind": KIND[int(kind)], "tenant": "main",
            "account_id": f"A{entity}" if business else None, "amount": float(value) if business else None,
            "currency": "EUR" if business else None, "counterparty_id": f"T{entity}" if kind == COUNTERPARTY else None,
            "service": None if business else f"s{entity}", "status": 200 if kind == SERVICE else None,
            "latency_ms": float(value) if kind == SERVICE else None, "metric": "cpu" if kind == SERIES else None,
            "value": float(value) if kind == SERIES else None, "message": "it's \"quoted\" \\ \t" + "x" * 600,
            "attributes": [("city", "Bern")], "source": "events/0", "position": int(row), "ingest_time": NOW,
        }  # fmt: skip
    return out


class Stream:
    """A shard's state and its batches on their way into the database."""

    def __init__(self, database: Database) -> None:
        self.database, self.state, self.events, self.number = database, State.empty(POLICY), Events(), -1

    def batch(self, points: Points) -> Batch:
        self.number += 1
        self.events |= events_of(points)
        self.state, found = observe(self.state, points, POLICY)
        tables = {kind: from_payloads([to_payload(table)]) for kind, table in found.items()}
        return Batch("query-1", self.number, tables, NOW, [{"version": self.number}])

    def write(self, points: Points) -> Batch:
        batch = self.batch(points)
        assert commit(self.database, batch, self.events, POLICY, SETTINGS)
        return batch


@pytest.fixture
def stream(database: Database) -> Stream:
    return Stream(database)


def rows(database: Database, table: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        columns = "case_id, tenant, lane, priority, revision, state, reason, enqueued_at" if table == "docket" else "*"
        return connection.execute(f"select {columns} from {table} order by 1, 2".encode()).fetchall()


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(database, table) for table in TABLES}


def calm(entity: int = 1, n: int = 60, kind: int = ACCOUNT, start: int = START, first: int = 1) -> Points:
    return even([40.0 + i % 5 for i in range(n)], gap_s=60, kind=kind, entity=entity, start=start, first=first)


def odd(values: list[float], start_min: int, first: int, kind: int = ACCOUNT, entity: int = 1) -> Points:
    return even(values, gap_s=60, kind=kind, entity=entity, start=START + start_min * 60 * S, first=first)


def test_a_batch_is_written_to_every_table(stream):
    first = joined([calm(), odd([9000.0, 12_000.0], 61, 200), calm(2, kind=SERVICE, first=300), calm(3, kind=SERIES, first=400)])
    stream.write(first)
    found = everything(stream.database)
    assert [(e["entity"], e["kind"], e["subject"], e["qualifier"]) for e in found["entities"]] == [
        ("account:A1/EUR", "account", "A1", "EUR"), ("service:s2", "service", "s2", ""), ("series:s3/cpu", "series", "s3", "cpu"),
    ]  # fmt: skip
    [ledger] = found["batches"]
    assert (ledger["events"], ledger["points"], ledger["anomalies"], ledger["episodes"], ledger["entities"]) == (
        182,
        182,
        2,
        1,
        3,
    )
    assert (ledger["settings_hash"], ledger["offsets"], ledger["newest_event"]) == (
        POLICY.hash, {"ends": [{"version": 0}]}, moment(START + 62 * 60 * S),
    )  # fmt: skip
    assert [len(row["histogram"]) for row in found["metrics_minute"] if row["entity_hash"] == 2] == [64] * 60
    assert [row["histogram"] for row in found["metrics_minute"] if row["entity_hash"] == 3] == [[]] * 60
    assert sum(row["count"] for row in found["metrics_hour"]) == 62


def test_an_anomaly_carries_its_evidence_and_its_event(stream):
    stream.write(calm())
    stream.write(odd([9000.0], 61, 200))
    [one] = rows(stream.database, "anomalies")
    assert (one["entity"], one["detector"], one["unit"], one["value"]) == ("account:A1/EUR", "amount_z", "amount", 9000.0)
    assert one["low"] < one["expected"] < one["high"] < one["value"]
    assert one["expected"] == pytest.approx(42, rel=0.01)
    assert one["window_size"] == one["context"]["n"] == 60
    assert one["context"]["recent"] == pytest.approx([40.0 + i % 5 for i in range(50, 60)], rel=1e-3)
    assert one["scores"]["amount_z"] >= 1
    assert (one["event_id"], one["event_time"], one["arrived_at"]) == ("e200", moment(START + 61 * 60 * S), NOW)
    assert one["event"]["attributes"] == {"city": "Bern"}
    assert len(one["event"]["message"]) == 500
    [episode] = rows(stream.database, "episodes")
    assert episode["worst"]["anomaly_id"] == one["anomaly_id"]
    assert episode["worst"]["event"] == one["event"]
    assert episode["first_event_id"] == episode["last_event_id"] == "e200"


def test_a_retried_batch_changes_no_table(stream):
    stream.write(calm())
    batch = stream.write(joined([odd([9000.0], 61, 200), calm(2, kind=SERVICE, first=300)]))
    before = everything(stream.database)
    assert commit(stream.database, batch, stream.events, POLICY, SETTINGS) is False
    assert everything(stream.database) == before


def test_the_same_key_with_other_offsets_or_settings_stops_and_says_so(stream):
    batch = stream.write(calm())
    before = everything(stream.database)
    batch.offsets = [{"version": 99}]
    with pytest.raises(BatchConflict, match=r"batch 0 of query query-1"):
        commit(stream.database, batch, stream.events, POLICY, SETTINGS)
    batch.offsets = [{"version": 0}]
    with pytest.raises(BatchConflict):
        commit(stream.database, batch, stream.events, Policy(warm_up=5), SETTINGS)
    assert everything(stream.database) == before


def test_the_same_batch_number_of_another_checkpoint_is_another_batch(stream):
    batch = stream.write(calm())
    batch.query_id = "query-2"
    assert commit(stream.database, batch, stream.events, POLICY, SETTINGS) is True
    assert len(rows(stream.database, "batches")) == 2


@pytest.mark.parametrize("kind", [ACCOUNT, SERVICE, SERIES])
def test_a_bucket_over_two_batches_adds_up(stream, kind):
    minute = even([10.0, 20.0, 400.0, 7.0, 80.0], gap_s=5, kind=kind, errors=[True, False, True, False, False])
    late = columns([Point(START - 7200 * S, 5.0, kind, 1, id=77, row=77)])
    stream.write(minute.take(np.arange(3)))
    stream.write(joined([minute.take(np.arange(2, 5)), late]))
    table = "metrics_hour" if kind == ACCOUNT else "metrics_minute"
    found = {row["bucket"]: row for row in rows(stream.database, table)}
    one = found[moment(START)]
    assert (one["count"], one["sum"], one["min"], one["max"], one["duplicates"], one["late"]) == (5, 517.0, 7.0, 400.0, 1, 0)
    assert one["sum_squares"] == pytest.approx(100 + 400 + 160_000 + 49 + 6400)
    if kind != ACCOUNT:
        assert one["errors"] == 2
        assert sum(one["histogram"]) == (5 if kind == SERVICE else 0)
    assert [(row["count"], row["late"]) for bucket, row in found.items() if bucket < moment(START)] == [(0, 1)]


def test_an_episode_over_batches_counts_absolutely_and_keeps_its_worst(stream):
    stream.write(calm(n=100))
    stream.write(odd([9000.0], 101, 200))
    stream.write(odd([15_000.0, 10_000.0], 102, 201))
    stream.write(odd([9000.0], 104, 203))
    [episode] = rows(stream.database, "episodes")
    hits = rows(stream.database, "anomalies")
    assert episode["revision"] == len(hits) == 4
    assert sorted(hit["ordinal"] for hit in hits) == [1, 2, 3, 4]
    worst = max(hits, key=lambda hit: hit["severity"])
    assert episode["severity"] == worst["severity"]
    assert episode["worst"]["anomaly_id"] == worst["anomaly_id"]
    assert (episode["first_event_id"], episode["last_event_id"]) == ("e200", "e203")
    assert (episode["started_at"], episode["last_at"]) == (moment(START + 101 * 60 * S), moment(START + 104 * 60 * S))
    [case] = rows(stream.database, "cases")
    assert (case["case_id"], case["revision"]) == (f"case-{episode['episode_id']}", 4)
    assert case["severity"] == episode["severity"]


def test_a_severe_case_is_put_on_the_docket_and_the_council_is_woken(stream):
    stream.write(calm())
    assert stream.database.listen("docket", 0)  # the first call says: look
    stream.write(odd([9000.0], 61, 200))
    [entry] = rows(stream.database, "docket")
    [case] = rows(stream.database, "cases")
    assert (entry["case_id"], entry["lane"], entry["revision"], entry["state"]) == (case["case_id"], case["lane"], 1, "waiting")
    assert entry["priority"] == case["severity"]
    assert stream.database.listen("docket", 5)


def test_a_mild_case_is_filed_and_not_on_the_docket(stream):
    stream.write(calm())
    stream.write(odd([56.0], 61, 200))
    [case] = rows(stream.database, "cases")
    assert case["severity"] < SETTINGS.council.triage_bar
    assert case["lane"] == "filed"
    assert rows(stream.database, "docket") == []


def test_a_conflict_is_quarantined_where_it_is_seen(stream):
    stream.write(calm())
    last = calm().take(np.array([59]))
    twin = columns([Point(int(last.time[0]), 1.0, id=int(last.id[0]), content=9, row=500)])
    stream.write(twin)
    [note] = rows(stream.database, "quarantined")
    assert (note["position"], note["field"]) == ("events/0@500", "event_id")
    assert note["reason"] == "an event with this id and another content was seen before"
    assert note["excerpt"].startswith('{"event_id": "e500"')
    assert rows(stream.database, "batches")[1]["conflicts"] == 1


@pytest.mark.parametrize("missing", ["entity", "anomaly", "conflict"])
def test_nothing_is_written_when_anything_fails_in_the_middle(stream, missing):
    stream.write(calm())
    before = everything(stream.database)
    last = calm().take(np.array([59]))
    twin = columns([Point(int(last.time[0]), 1.0, id=int(last.id[0]), content=9, row=500)])
    points = joined([odd([9000.0], 61, 200), calm(2, kind=SERVICE, first=300), twin])
    batch = stream.batch(points)
    kept = dict(stream.events)
    del kept[{"entity": 300, "anomaly": 200, "conflict": 500}[missing]]
    with pytest.raises(KeyError):
        commit(stream.database, batch, kept, POLICY, SETTINGS)
    assert everything(stream.database) == before
    assert commit(stream.database, batch, stream.events, POLICY, SETTINGS) is True
    assert len(rows(stream.database, "anomalies")) == 1


def test_a_batch_asks_for_every_name_it_needs(stream):
    stream.write(calm())
    batch = stream.batch(joined([odd([9000.0, 41.0, 9500.0], 61, 200), calm(2, kind=SERVICE, first=300)]))
    assert batch.wanted_rows() == [200, 202, 300]
    wanted = {row: stream.events[row] for row in batch.wanted_rows()}
    assert commit(stream.database, batch, wanted, POLICY, SETTINGS) is True


def test_a_batch_of_only_late_points_is_in_the_ledger(stream):
    stream.write(calm())
    stream.write(columns([Point(START - 7200 * S, 5.0, id=77, row=77)]))
    ledger = rows(stream.database, "batches")[1]
    assert (ledger["events"], ledger["points"], ledger["late"], ledger["anomalies"]) == (1, 0, 1, 0)
    assert ledger["detail"]["newest_row"] == 77


def test_shards_are_added_up(stream):
    """Two shards' findings in one batch."""
    one, two = (observe(State.empty(POLICY), calm(entity, 5, first=entity * 100), POLICY)[1] for entity in (1, 2))
    tables = {kind: from_payloads([to_payload(one[kind]), to_payload(two[kind])]) for kind in one}
    points = joined([calm(1, 5, first=100), calm(2, 5, first=200)])
    assert commit(stream.database, Batch("q", 0, tables, NOW, []), events_of(points), POLICY, SETTINGS)
    [ledger] = rows(stream.database, "batches")
    assert (ledger["events"], ledger["entities"], ledger["detail"]["newest_row"]) == (10, 2, 204)


@pytest.mark.database
def test_a_database_that_is_away_is_waited_for_and_nothing_is_lost(tmp_path):
    address = embedded.start(tmp_path)
    waits = []

    def back(*_: object) -> None:
        waits.append(True)
        if len(waits) == 2:
            embedded.start(tmp_path)

    try:
        with connect(address) as connection:
            migrations.migrate(connection)
        with Database(address) as database:
            stream = Stream(database)
            batch = stream.batch(joined([calm(), odd([9000.0], 61, 100)]))
            embedded.stop(tmp_path)
            assert wait_for(lambda: commit(database, batch, stream.events, POLICY, SETTINGS), 60, back)
            assert len(waits) >= 2
            assert len(rows(database, "batches")) == len(rows(database, "episodes")) == 1
    finally:
        embedded.remove(tmp_path)
