"""Reveals and erasures over HTTP: who may, what is written down, what the answer does not say."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from store.database import Database
from store.settings import Settings, read
from trust import loop
from trust.vault import Vault, sealed_text

Api = Callable[..., TestClient]
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path, privacy={"identifiers": "tokenised", "master_key": KEY})


@pytest.fixture
def vault(gateway_settings: Settings) -> Vault:
    return Vault.of(gateway_settings)


def actions(database: Database) -> list[tuple[str, str]]:
    with database.connection() as connection:
        rows = connection.execute(
            "select action, detail::text as detail from audit_log where action like 'subject.%' order by seq"
        )
        return [(row["action"], row["detail"]) for row in rows]


def test_a_reveal_needs_role_and_reason_and_is_written_down(api: Api, vault: Vault, database: Database) -> None:
    one = vault.tokens(database, "account", ["A12"])["A12"]
    sealed = sealed_text(one, "rent")
    body = {"tokens": [one.token, sealed, "tok_" + "a" * 26], "reason": "call back"}
    assert api("viewer").post("/v1/reveal", json=body).status_code == 403
    assert api("analyst").post("/v1/reveal", json=body | {"reason": "   "}).json()["field"] == "reason"
    assert actions(database) == []
    assert api("analyst").post("/v1/reveal", json=body).json() == {"values": {one.token: "A12", sealed: "rent"}}
    [(action, detail)] = actions(database)
    assert action == "subject.reveal"
    assert one.token in detail
    assert "A12" not in detail
    assert "rent" not in detail


def test_another_tenant_sees_nothing(api: Api, vault: Vault, database: Database) -> None:
    token = vault.tokens(database, "account", ["A12"])["A12"].token
    abroad = api("admin", tenant="other")
    assert abroad.post("/v1/reveal", json={"tokens": [token], "reason": "curious"}).json() == {"values": {}}
    erasure = api("admin").delete("/v1/subjects/account:A12").json()
    assert abroad.get(f"/v1/erasures/{erasure['erasure_id']}").status_code == 404
    assert abroad.get("/v1/erasures").json()["items"] == []


def test_an_erasure_from_request_to_report(api: Api, vault: Vault, database: Database, gateway_settings: Settings) -> None:
    token = vault.tokens(database, "account", ["A12/9"])["A12/9"].token
    assert api("analyst").delete("/v1/subjects/account:A12/9").status_code == 403
    answer = api("admin").delete("/v1/subjects/account:A12/9")
    assert answer.status_code == 202
    assert answer.json()["state"] == "asked"
    assert "A12" not in answer.text
    assert vault.resolve(database, [token]) == {}
    (gateway_settings.landing).mkdir(parents=True)
    (gateway_settings.landing / "a.jsonl").write_text('{"account_id": "A12/9"}\n{"account_id": "A13"}\n')
    while loop.step(database, gateway_settings):
        pass
    done = api("admin").get(f"/v1/erasures/{answer.json()['erasure_id']}").json()
    assert (done["state"], done["error"]) == ("done", "")
    assert {line["store"]: line["removed"] for line in done["report"]}["dropped files"] == 1
    assert (gateway_settings.landing / "a.jsonl").read_text() == '\n{"account_id": "A13"}\n'
    assert [action for action, _ in actions(database)] == ["subject.erase"]
    assert not any("A12" in detail for _, detail in actions(database))


def test_a_page_of_erasures(api: Api) -> None:
    admin = api("admin")
    made = [admin.delete(f"/v1/subjects/account:B{n}").json()["erasure_id"] for n in range(3)]
    first = admin.get("/v1/erasures?limit=2").json()
    rest = admin.get("/v1/erasures", params={"after": first["next"]}).json()
    assert [one["erasure_id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["subjects/A12", "subjects/service:x", "subjects/account:%00", "erasures?after=x"])
def test_what_is_wrong_is_named(api: Api, path: str) -> None:
    method = "DELETE" if path.startswith("subjects") else "GET"
    answer = api("admin").request(method, f"/v1/{path}")
    assert answer.status_code == 422
    assert answer.json()["field"] in ("entity", "after")


def test_without_a_master_key_it_says_so(tmp_path: Path, database: Database, database_url: str) -> None:
    from gateway.app import create_app

    from .conftest import key_of

    app = create_app(read(home=tmp_path, database_url=database_url), database)
    headers = {"Authorization": f"Bearer {key_of(database, 'admin')}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        answer = client.post("/v1/reveal", json={"tokens": ["tok_x"], "reason": "look"})
    assert answer.status_code == 503
    assert "MASTER_KEY" in answer.json()["detail"]
