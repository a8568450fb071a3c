"""Keys over HTTP."""

from collections.abc import Callable

from starlette.testclient import TestClient

Api = Callable[..., TestClient]


def test_no_key_no_answer(api: Api) -> None:
    answer = api(None).get("/v1/keys")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "conclave keys create" in answer.json()["detail"]


def test_a_key_is_made_used_rotated_and_revoked(api: Api) -> None:
    admin = api("admin")
    made = admin.post("/v1/keys", json={"name": "second", "role": "admin"}).json()
    second = {"X-Api-Key": made["key"]}
    anonymous = api(None)
    assert {item["name"] for item in anonymous.get("/v1/keys", headers=second).json()["items"]} == {"admin of main", "second"}
    rotated = admin.post(f"/v1/keys/{made['key_id']}/rotate?grace_s=0").json()
    assert anonymous.get("/v1/keys", headers=second).status_code == 401
    third = {"Authorization": f"Bearer {rotated['key']}"}
    assert anonymous.get("/v1/keys", headers=third).status_code == 200
    assert admin.delete(f"/v1/keys/{rotated['key_id']}").status_code == 204
    assert anonymous.get("/v1/keys", headers=third).status_code == 401
    assert admin.delete(f"/v1/keys/{rotated['key_id']}").status_code == 404


def test_a_fault_names_its_field(api: Api) -> None:
    answer = api("admin").post("/v1/keys", json={"name": "x", "role": "king"})
    assert answer.status_code == 422
    assert answer.json()["field"] == "role"


def test_a_limited_key_makes_none_that_may_more(api: Api) -> None:
    limited, admin = api("admin", scopes=("keys", "events")), api("admin")
    assert limited.post("/v1/keys", json={"name": "k", "role": "admin"}).status_code == 403
    assert limited.post("/v1/keys", json={"name": "k", "scopes": ["audit"]}).status_code == 403
    assert limited.post("/v1/keys", json={"name": "k", "scopes": ["events"]}).status_code == 201
    unlimited = admin.post("/v1/keys", json={"name": "all", "role": "admin"}).json()["key_id"]
    assert limited.post(f"/v1/keys/{unlimited}/rotate").status_code == 403
    assert limited.get("/v1/entities").status_code == 403


def test_a_scope_that_no_route_has_is_refused(api: Api) -> None:
    answer = api("admin").post("/v1/keys", json={"name": "k", "scopes": ["event"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "scopes")
    assert api("admin").post("/v1/keys", json={"name": "k", "scopes": ["traces:shop"]}).status_code == 201
