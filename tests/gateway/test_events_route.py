"""POST /v1/events, into the landing folder."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from jobs.events import Accepted, Rules, validate
from store.settings import Settings, read

Api = Callable[..., TestClient]
TIME = "2026-05-01T12:00:00Z"


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path, gateway={"max_upload_bytes": 200_000, "max_events": 50})


def transaction(number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"t-{number}", "event_time": TIME, "kind": "transaction", "account_id": f"A-{number % 7}",
        "amount": 10.0 + number, "currency": "EUR",
    } | more  # fmt: skip


def landed(settings: Settings) -> list[dict[str, Any]]:
    """Every event in the landing folder, as ingest would read it."""
    rules, found = Rules(datetime.now(UTC)), []
    for file in sorted(settings.landing.glob("[!.]*")):
        for line in file.read_bytes().splitlines():
            outcome = validate(line, rules)
            assert isinstance(outcome, Accepted)
            found.append({"event_id": outcome.event.event_id, "tenant": outcome.event.tenant, "amount": outcome.event.amount})
    return found


def test_each_record_is_answered_for_itself(api: Api, gateway_settings: Settings) -> None:
    bad = transaction(3)
    del bad["amount"]
    client = api(tenant="other")
    body = [transaction(1), transaction(2), transaction(2), bad, transaction(4, tenant="main"), transaction(2, amount=1.0), 7]
    answer = client.post("/v1/events", json=body)
    assert answer.status_code == 202
    told = answer.json()
    assert [record["outcome"] for record in told["records"]] == [
        "accepted", "accepted", "duplicate", "refused", "refused", "accepted", "refused",
    ]  # fmt: skip
    assert told["records"][3] == {
        "index": 3, "outcome": "refused", "event_id": "t-3", "why": "a transaction needs amount", "field": "amount"
    }  # fmt: skip
    assert told["records"][4]["field"] == "tenant"
    assert "another content" in told["records"][5]["why"]
    assert (told["accepted"], told["duplicate"], told["refused"]) == (3, 1, 3)
    assert [(event["event_id"], event["tenant"]) for event in landed(gateway_settings)] == [
        ("t-1", "other"), ("t-2", "other"), ("t-2", "other"),
    ]  # fmt: skip
    later = client.post("/v1/events?answer=notable", json=[transaction(1), transaction(9)]).json()
    assert (later["accepted"], later["duplicate"], len(later["records"])) == (1, 1, 1)
    assert api(tenant="main").post("/v1/events", json=[transaction(1)]).json()["accepted"] == 1  # another tenant's own t-1


@pytest.mark.parametrize("spoof", ['"tenant": "evil", "tenant": null', '"tenant": null', '"\\u0074enant": null'])
def test_the_callers_tenant_is_the_one_that_counts(api: Api, gateway_settings: Settings, spoof: str) -> None:
    line = json.dumps(transaction(1))[:-1] + f", {spoof}}}"
    answer = api(tenant="mine").post("/v1/events", content=line, headers={"Content-Type": "application/x-ndjson"})
    assert answer.json()["accepted"] == 1
    assert [event["tenant"] for event in landed(gateway_settings)] == ["mine"]


def test_lines_and_gzip(api: Api, gateway_settings: Settings) -> None:
    lines = b"\r\n".join(json.dumps(transaction(n)).encode() for n in range(5)) + b"\n\nnot json\n"
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    packed = gzip.compress(lines[:100]) + gzip.compress(lines[100:])  # two members, as `cat a.gz b.gz` makes them
    told = api().post("/v1/events", content=packed, headers=headers).json()
    assert (told["accepted"], told["refused"]) == (5, 1)
    assert len(landed(gateway_settings)) == 5


def test_the_same_key_gives_the_same_answer(api: Api, gateway_settings: Settings) -> None:
    client, headers = api(), {"Idempotency-Key": "batch-1"}
    body = [transaction(1), transaction(1), {"event_id": "x"}]
    first = client.post("/v1/events", json=body, headers=headers)
    second = client.post("/v1/events", json=body, headers=headers)
    assert second.json() == first.json()
    assert (first.headers.get("Idempotent-Replayed"), second.headers["Idempotent-Replayed"]) == (None, "true")
    assert len(landed(gateway_settings)) == 1
    other = client.post("/v1/events", json=[transaction(2)], headers=headers)
    assert other.status_code == 422
    assert other.json()["field"] == "Idempotency-Key"
    assert api().post("/v1/events", json=body, headers=headers).json()["duplicate"] == 2  # another key's batch-1 is its own


def test_a_lost_answer_leaves_one_file(api: Api, gateway_settings: Settings, database: Any) -> None:
    client, headers = api(), {"Idempotency-Key": "lost"}
    client.post("/v1/events", json=[transaction(1)], headers=headers)
    with database.connection() as connection:  # as if the process had died before its commit
        connection.execute("delete from answers")
        connection.execute("delete from passed_events")
    assert client.post("/v1/events", json=[transaction(1)], headers=headers).json()["accepted"] == 1
    assert len(landed(gateway_settings)) == 1


def test_nothing_is_noted_when_the_lane_fails(api: Api, gateway_settings: Settings) -> None:
    gateway_settings.landing.write_text("a file where the folder should be")
    client, headers = api(), {"Idempotency-Key": "k"}
    answer = client.post("/v1/events", json=[transaction(1)], headers=headers)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    gateway_settings.landing.unlink()
    assert client.post("/v1/events", json=[transaction(1)], headers=headers).json()["accepted"] == 1


def test_bodies_that_are_not_taken(api: Api, gateway_settings: Settings) -> None:
    client = api()
    zeros = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    assert len(zeros) < gateway_settings.gateway.max_upload_bytes
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    plain = {"Content-Type": "application/json"}
    assert client.post("/v1/events", content=zeros, headers=packed).status_code == 413
    assert client.post("/v1/events", content=b" " * 200_001, headers=plain).status_code == 413
    assert client.post("/v1/events", content=iter([b" " * 150_000] * 2), headers=plain).status_code == 413
    assert client.post("/v1/events", content=zeros[:-20], headers=packed).status_code == 413
    assert client.post("/v1/events", content=gzip.compress(b"[]")[:-3], headers=packed).status_code == 400
    assert client.post("/v1/events", content=b"plain", headers=packed).status_code == 400
    assert client.post("/v1/events", content=b"x", headers=plain | {"Content-Encoding": "br"}).status_code == 415
    assert client.post("/v1/events", content=b"<a/>", headers={"Content-Type": "text/xml"}).status_code == 415
    assert client.post("/v1/events", content=b"[1,", headers=plain).status_code == 400
    assert client.post("/v1/events", content=b"[]", headers=plain).status_code == 422
    many = client.post("/v1/events", json=[transaction(n) for n in range(51)])
    assert (many.status_code, many.json()["detail"]) == (413, "51 events in one request; at most 50 are taken.")


def test_it_waits_while_ingest_is_behind(api: Api, gateway_settings: Settings) -> None:
    import os

    gateway_settings.landing.mkdir(parents=True)
    old = gateway_settings.landing / "old.jsonl"
    old.write_text("{}\n")
    then = datetime.now(UTC).timestamp() - 1000
    os.utime(old, (then, then))
    answer = api().post("/v1/events", json=[transaction(1)])
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "30"
    assert "1 files wait for ingest" in answer.json()["detail"]
    log = Path(gateway_settings.checkpoint("ingest")) / "sources" / "0"
    log.mkdir(parents=True)
    taken = json.dumps({"path": "file:///old.jsonl", "timestamp": int(then * 1000) + 1, "batchId": 0})
    (log / "0").write_text(f"v1\n{taken}\n")
    from gateway.lag import waiting_files

    assert waiting_files(gateway_settings, datetime.now(UTC).timestamp()).waiting == 0


def test_events_go_to_a_topic_that_says_what_it_takes(api: Api, gateway_settings: Settings) -> None:
    admin = api("admin")
    schema = {"properties": {"amount": {"maximum": 100}, "currency": {"type": "string"}}, "required": ["currency"]}
    made = admin.post("/v1/topics", json={"topic": "cards", "kind": "transaction", "schema": schema})
    assert made.status_code == 201, made.text
    request = {"event_id": "r-1", "event_time": TIME, "kind": "request", "service": "shop", "status": 200}
    body = [transaction(1), transaction(200), request]
    told = admin.post("/v1/events?topic=cards", json=body, headers={"Idempotency-Key": "k"}).json()
    assert [record["field"] for record in told["records"]] == ["", "amount", "kind"]
    assert (told["accepted"], told["refused"]) == (1, 2)
    [file] = gateway_settings.landing.glob("[!.]*")
    assert file.name.startswith("cards--gateway-")
    assert admin.post("/v1/events?topic=none", json=body).status_code == 404
    assert api("admin", tenant="other").post("/v1/events?topic=cards", json=body).status_code == 404
    assert admin.post("/v1/events", json=body, headers={"Idempotency-Key": "k"}).status_code == 422  # the key was for the topic


def test_a_schema_fetches_nothing(api: Api) -> None:
    admin = api("admin")
    admin.post(
        "/v1/topics",
        json={"topic": "far", "kind": "mixed", "schema": {"properties": {"amount": {"$ref": "http://127.0.0.1:1/x"}}}},
    )
    answer = admin.post("/v1/events?topic=far", json=[transaction(1)])
    assert answer.status_code == 409
    assert "not in it" in answer.json()["detail"]
