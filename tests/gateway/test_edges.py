"""Limits, headers, health, metrics, the audit log and the pages of reads."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_keys import key_of
from gateway_rows import NOON, found
from starlette.testclient import TestClient

from gateway.app import create_app
from store.database import Database
from store.errors import BadSettings
from store.settings import Settings, read
from trust import keys

Api = Callable[..., TestClient]


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(
        home=tmp_path, model={"enabled": False},
        gateway={"requests_per_minute": 30, "failures_per_minute": 5, "cors_origins": ["https://desk.example"]},
    )  # fmt: skip


def test_a_key_that_asks_too_much_waits(api: Api) -> None:
    client, other = api("viewer"), api("viewer")
    answers = [client.get("/v1/entities") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert other.get("/v1/entities").status_code == 200


def test_guessing_is_slowed_and_says_nothing(api: Api, database: Database) -> None:
    client, right = api(None), key_of(database, "viewer")
    key_id = right.split("_")[1]
    wrong = ["conclave_" + "0" * 12 + "_" + "0" * 48, f"conclave_{key_id}_{'0' * 48}", "conclave__", "Ω", right + "0"]
    answers = [client.get("/v1/entities", headers={"Authorization": f"Bearer {key}".encode()}) for key in wrong]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {
        (401, "This key or token opens nothing: unknown, expired or revoked.")
    }
    assert client.get("/v1/entities", headers={"Authorization": f"Bearer {right}"}).status_code == 429


def test_expired_keys_and_their_last_use(api: Api, database: Database) -> None:
    now = datetime.now(UTC)
    with database.connection() as connection:
        issued = keys.create(
            connection, "main", "k", keys.Role.viewer, actor="system:test", now=now, expires_at=now + timedelta(60)
        )
    assert keys.verify(database, issued.text, now) is not None
    assert keys.verify(database, issued.text, now + timedelta(61)) is None
    assert keys.listed(database, "main")[0]["last_used_at"] == now
    keys.verify(database, issued.text, now + timedelta(seconds=30))
    assert keys.listed(database, "main")[0]["last_used_at"] == now  # written once a minute
    with database.connection() as connection:
        kept = connection.execute("select * from api_keys").fetchall()
    assert issued.text.split("_")[2] not in str(kept)


def test_every_answer_has_its_headers(api: Api) -> None:
    answer = api("viewer").get("/v1/entities", headers={"X-Request-Id": "mine-1", "Origin": "https://desk.example"})
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://desk.example"
    strange = api(None).get("/nowhere", headers={"X-Request-Id": "a\tb" * 50, "Origin": "https://evil.example"})
    assert strange.status_code == 404
    assert strange.headers["content-type"] == "application/problem+json"
    assert strange.json()["request_id"] == strange.headers["X-Request-Id"] != "a\tb" * 50
    assert "Access-Control-Allow-Origin" not in strange.headers
    assert api("viewer").put("/v1/entities").status_code == 405


def test_a_fault_of_ours_keeps_its_secrets(api: Api, database: Database) -> None:
    client = api("viewer")
    with database.connection() as connection:
        connection.execute("alter table entities rename column entity to called")
    answer = client.get("/v1/entities")
    assert answer.status_code == 500
    assert "column" not in answer.text.lower().replace("table or column of this version", "")
    client.app.state.limits = None  # type: ignore[attr-defined]
    answer = client.get("/v1/entities")
    assert (answer.status_code, "NoneType" in answer.text) == (500, False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_ready_names_each_dependency(api: Api, gateway_settings: Settings, database: Database) -> None:
    answer = api(None).get("/ready")
    found_names = {one["name"]: one for one in answer.json()["dependencies"]}
    assert answer.status_code == 200
    assert set(found_names) == {"database", "migrations", "landing folder", "ingest lag", "model"}
    assert (found_names["model"]["state"], found_names["database"]["said"]) == ("off", None)
    assert "Postgres" in api("viewer").get("/ready").json()["dependencies"][0]["said"]
    with database.connection() as connection:
        connection.execute("delete from schema_migrations where number = (select max(number) from schema_migrations)")
    behind = TestClient(create_app(gateway_settings, database)).get("/ready")
    assert behind.status_code == 503
    assert [one["name"] for one in behind.json()["dependencies"] if one["state"] == "fail"] == ["migrations"]


@pytest.mark.database
def test_a_database_that_is_away_is_said(gateway_settings: Settings) -> None:
    with Database("postgresql://nobody@127.0.0.1:1/none") as away:
        client = TestClient(create_app(gateway_settings, away), raise_server_exceptions=False)
        assert client.get("/health").status_code == 200
        answer = client.get("/v1/entities", headers={"X-Api-Key": "conclave_0a_0b"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "nobody" not in answer.text


def test_metrics_need_a_key_unless_they_are_open(api: Api, database: Database, tmp_path: Path) -> None:
    assert api(None).get("/metrics").status_code == 401
    client = api("viewer")
    client.get("/v1/entities/account:secret-person")
    text = client.get("/metrics").text
    assert 'conclave_gateway_requests_total{method="GET",route="/v1/entities/{entity:path}",status="404"} 1.0' in text
    assert "secret-person" not in text
    opened = read(home=tmp_path, gateway={"open_metrics": True, "open_docs": False})
    other = TestClient(create_app(opened, database))
    assert [other.get(path).status_code for path in ("/metrics", "/docs", "/openapi.json")] == [200, 401, 401]


def test_the_log_is_read_and_proved(api: Api, database: Database) -> None:
    admin = api("admin")
    for number in range(3):
        admin.post("/v1/keys", json={"name": f"k{number}"})
    one = admin.get("/v1/audit", params={"limit": 3}).json()
    two = admin.get("/v1/audit", params={"limit": 3, "after": one["next"]}).json()
    assert [entry["seq"] for entry in one["items"] + two["items"]] == [4, 3, 2, 1]
    assert two["next"] is None
    assert admin.get("/v1/audit", params={"subject": one["items"][0]["subject"]}).json()["items"][0]["action"] == "key.create"
    assert admin.get("/v1/audit/verify").json()["broken"] is None
    with database.connection() as connection:
        connection.execute("alter table audit_log disable trigger all")
        connection.execute("update audit_log set actor = 'someone else' where seq = 2")
    assert admin.get("/v1/audit/verify").json()["broken"] == 2


def test_pages_follow_one_another(api: Api, database: Database) -> None:
    found(database, 5)
    client = api("viewer")
    for path, name in (("anomalies", "anomaly_id"), ("rulings", "ruling_id"), ("entities", "entity")):
        seen: list[str] = []
        after: dict[str, Any] = {}
        while True:
            page = client.get(f"/v1/{path}", params={"limit": 2} | after).json()
            seen += [item[name] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert len(seen) == len(set(seen)) == 5, path
    assert client.get("/v1/anomalies", params={"after": "x"}).json()["field"] == "after"


def test_lists_are_narrowed(api: Api, database: Database) -> None:
    found(database, 3)
    client = api("viewer")

    def ids(**asked: Any) -> list[str]:
        return [item["anomaly_id"] for item in client.get("/v1/anomalies", params=asked).json()["items"]]

    assert ids(entity="account:A1/EUR") == ["a-1"]
    assert ids(case_id="case-e2") == ["a-2"]
    assert ids(since=(NOON + timedelta(minutes=1)).isoformat(), until=(NOON + timedelta(minutes=2)).isoformat()) == ["a-1"]
    assert ids(min_severity=0.95) == ids(detector="other") == []
    assert [item["entity"] for item in client.get("/v1/entities", params={"q": "a2"}).json()["items"]] == ["account:A2/EUR"]
    metrics = client.get("/v1/metrics", params={"entity": "account:A1/EUR"}).json()["items"]
    assert (metrics[0]["mean"], metrics[0]["error_rate"]) == (15.0, None)
    assert client.get("/v1/entities/account:A1/EUR").json()["episodes"] == 1


def test_a_viewer_sees_masked_texts(api: Api, database: Database) -> None:
    found(database, 1)
    assert api("viewer").get("/v1/anomalies/a-0").json()["event"]["message"] == "from [email] "
    assert "ann@example.org" in api("analyst").get("/v1/anomalies/a-0").text
    assert api("viewer").get("/v1/rulings/r-case-e0").json()["brief"]["case_id"] == "case-e0"


def test_half_a_provider_is_refused(tmp_path: Path, database: Database) -> None:
    with pytest.raises(BadSettings, match="oidc_audience"):
        create_app(read(home=tmp_path, gateway={"oidc_issuer": "https://id.example"}), database)
