"""Events into Kafka, with every replica's word for it, and how far ingest is behind there."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.batch import Record
from gateway.errors import NotTaken
from gateway.lanes import Topic
from store.database import Database
from store.settings import Settings, read

Api = Callable[..., TestClient]
SERVERS = os.environ.get("CONCLAVE_TEST_KAFKA", "")
BODY = [{"event_id": f"k-{n}", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A", "amount": 1.0}
        for n in range(20)]  # fmt: skip


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    topic = f"events-{uuid.uuid4().hex[:8]}"
    source = {"kind": "kafka", "kafka_servers": SERVERS or "127.0.0.1:1", "kafka_topics": topic}
    return read(home=tmp_path, source=source, gateway={"max_lag_events": 30, "kafka_patience_s": 10})


@pytest.mark.kafka
@pytest.mark.skipif(not SERVERS, reason="CONCLAVE_TEST_KAFKA names no broker")
def test_events_arrive_and_count_as_lag_until_ingest_took_them(api: Api, gateway_settings: Settings, database: Database) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    topic = gateway_settings.source.kafka_topics
    admin = AdminClient({"bootstrap.servers": SERVERS})
    for made in admin.create_topics([NewTopic(topic, 2)]).values():
        made.result(20)
    client = api()
    assert client.post("/v1/events", json=BODY).json()["accepted"] == 20
    client.app.state.watch._fresh_until = 0.0  # type: ignore[attr-defined]
    more = [event | {"event_id": f"m-{n}"} for n, event in enumerate(BODY)]
    assert client.post("/v1/events", json=more).json()["accepted"] == 20
    client.app.state.watch._fresh_until = 0.0  # type: ignore[attr-defined]
    late = client.post("/v1/events", json=[BODY[0] | {"event_id": "late"}])
    assert (late.status_code, late.json()["detail"]) == (429, "Ingest is behind: 40 events wait for ingest.")
    with database.connection() as connection:
        connection.execute(
            "insert into batches (job, query_id, batch_id, offsets_hash, settings_hash, offsets, events, started_at)"
            " values ('ingest', 'q', 0, '', '', %s, 40, now())",
            [{"ends": [{topic: {"0": 40, "1": 40}}]}],
        )
    client.app.state.watch._fresh_until = 0.0  # type: ignore[attr-defined]
    assert client.post("/v1/events", json=[BODY[0] | {"event_id": "late"}]).json()["accepted"] == 1
    assert [one["state"] for one in client.get("/ready").json()["dependencies"] if one["name"] == "kafka"] == ["ok"]


def test_a_broker_that_is_away_takes_nothing() -> None:
    lane = Topic("127.0.0.1:1", "events", {}, 1.0)
    with pytest.raises(NotTaken):
        lane.send("n", [Record(0, "e", line=b"{}")])
    lane.close()
