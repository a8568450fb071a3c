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
