"""Topics, segments, processors, lists and pools over HTTP, under the tenant's own role, with audit entries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_bronze import write_bronze
from starlette.testclient import TestClient

from pipelines.pins import Pins
from store.database import Database

Api = Callable[..., TestClient]
BIG = {"kind": "rule", "when": 'kind == "transaction" && amount > 500.0'}


@pytest.fixture
def admin(api: Api) -> TestClient:
    return api(role="admin")


def made(client: TestClient, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = client.request("PUT" if status == 200 else "POST", f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_from_topic_to_what_acts_and_back(admin: TestClient, api: Api, database: Database) -> None:
    topic = made(admin, "topics", {"topic": "payments", "kind": "transaction", "schema": {"type": "object"}})
    assert (topic["in_kafka"], topic["ingested"], topic["schema"]["type"]) == (False, True, "object")
    made(admin, "processors", {"processor": "big", "spec": BIG, "why": "too large", "live": True})
    segment = made(admin, "segments", {"segment": "shop", "topic": "payments", "filter": "amount > 1.0", "processors": ["big"]})
    assert segment["revision"] == 1
    [step] = Pins(database).take("q", 0).tenants["main"].segments[0].steps
    assert (step.processor, step.version) == ("big", 1)
    refused = admin.delete("/v1/topics/payments")
    assert (refused.status_code, refused.json()["dependents"]) == (409, ["segment shop"])
    refused = admin.delete("/v1/processors/big")
    assert (refused.status_code, refused.json()["dependents"]) == (409, ["segment shop"])
    detail = made(admin, "processors/big/versions", {"spec": BIG | {"severity": 0.9}})
    assert (detail["live_version"], detail["newest_version"], len(detail["versions"])) == (1, 2, 2)
    assert admin.post("/v1/processors/big/live", json={"version": 2, "why": "tried"}).json()["live_version"] == 2
    assert admin.post("/v1/processors/big/retire", json={"why": "noise"}).json()["live_version"] is None
    changes = [(c["action"], c["version"], c["why"]) for c in admin.get("/v1/processors/big").json()["changes"]]
    assert changes == [("retired", 2, "noise"), ("live", 2, "tried"), ("version", 2, ""), ("live", 1, "too large"),
                       ("version", 1, "too large"), ("created", None, "too large")]  # fmt: skip
    assert admin.delete("/v1/topics/payments?cascade=true").json() == {"removed": ["segment shop"]}
    assert admin.get("/v1/segments/shop").status_code == 404
    assert admin.delete("/v1/processors/big").status_code == 200
    assert not Pins(database).take("q", 1)
    acts = [row["action"] for row in database.fetch("audit_newest", tenant="main", subject=None, before=None, limit=50)]
    assert {
        "topic.create",
        "processor.put",
        "segment.put",
        "processor.live",
        "processor.retire",
        "topic.delete",
        "processor.delete",
    } <= set(acts)
    assert api(role="viewer").get("/v1/processors").json() == {"items": [], "next": None}


@pytest.mark.parametrize(("spec", "field", "said"), [
    ({"kind": "rule", "when": "amout > 5"}, None, "did you mean `amount`?"),
    ({"kind": "rule", "when": "amount >"}, None, "line 1, column 8"),
    ({"kind": "deny", "list": "nobody"}, "list", "there is no list `nobody`"),
    ({"kind": "rule", "when": "true", "severity": 7}, "severity", "less than or equal to 1"),
    ({"kind": "odd"}, "kind", "expected tags"),
    ({"kind": "allow", "items": ["a\u0000"]}, "", "zero byte"),
    ({"kind": "http", "when": "true", "url": "file:///etc/passwd"}, "url", "pattern"),
])  # fmt: skip
def test_what_is_wrong_with_a_processor_is_said_with_its_place(
    admin: TestClient, spec: dict[str, Any], field: str | None, said: str
) -> None:
    for path, body in (("processors", {"processor": "p", "spec": spec}), ("processors/dry-run", {"spec": spec})):
        answer = admin.post(f"/v1/{path}", json=body)
        assert answer.status_code == 422, answer.text
        assert said in answer.json()["detail"]
        assert answer.json().get("field") == field
    assert admin.get("/v1/processors/p").status_code == 404, "nothing of it was kept"


def test_a_check_names_the_place_and_what_is_known(admin: TestClient) -> None:
    bad = admin.post("/v1/processors/check", json={"expression": "kind == 'x' &&\n amout > 1"}).json()
    assert (bad["line"], bad["column"]) == (2, 2)
    assert "known are event_id, event_time" in bad["detail"]
    good = admin.post("/v1/processors/check", json={"expression": "severity > 0.5 && account_id != null", "over": "anomaly"})
    assert good.json()["fields"] == ["account_id", "severity"]
    assert {"name": "amount", "type": "double", "meaning": "of a transaction, in its currency"} in admin.get(
        "/v1/processors/fields"
    ).json()


def test_a_list_is_versioned_and_needed(admin: TestClient) -> None:
    first = made(admin, "lists/land", {"csv": "key,country\nT1,CH\nT2,XX\n", "why": "start"}, 200)
    assert (first["columns"], first["items"], first["live_version"]) == (["country"], 2, 1)
    made(admin, "processors", {"processor": "where", "spec": {"kind": "enrich", "list": "land", "as": "shop"}, "live": True})
    far = {"kind": "rule", "when": "enriched.shop.country == 'XX'"}
    made(admin, "processors", {"processor": "far", "spec": far, "live": True})
    wrong = admin.put("/v1/segments/all", json={"processors": ["far", "where"]})
    assert (wrong.status_code, "enriched.shop.country" in wrong.json()["detail"]) == (409, True), (
        "far stands before what it needs"
    )
    made(admin, "segments/all", {"processors": ["where", "far"]}, 200)
    lost = admin.put("/v1/lists/land", json={"table": {"T1": {"city": "Bern"}}})
    assert lost.status_code == 409, "a live rule needs the column country"
    assert admin.get("/v1/lists/land").json()["live_version"] == 1
    made(admin, "lists/land", {"table": {"T9": {"country": "YY"}}}, 200)
    assert admin.get("/v1/lists/land/items").json()["items"] == [{"key": "T9", "data": {"country": "YY"}}]
    assert admin.get("/v1/lists/land/items?version=1&limit=1").json()["items"][0]["key"] == "T1"
    assert admin.post("/v1/lists/land/live", json={"version": 1}).json()["live_version"] == 1
    needed = admin.delete("/v1/lists/land")
    assert (needed.status_code, needed.json()["dependents"]) == (409, ["processor where"])
    refused = admin.post("/v1/processors/where/retire", json={})
    assert refused.status_code == 409, "far needs it"
    for bad in ({}, {"items": ["a"], "csv": "b"}, {"csv": "key,a\nx\n"}, {"csv": "key,a b\nx,y\n"}):
        assert admin.put("/v1/lists/bad", json=bad).status_code == 422


def test_two_people_at_once_and_paging(admin: TestClient) -> None:
    for name in ("a", "b", "c"):
        made(admin, "segments", {"segment": name})
    assert admin.post("/v1/segments", json={"segment": "a"}).status_code == 409
    assert admin.put("/v1/segments/a", json={"filter": "amount > 1.0", "revision": 1}).json()["revision"] == 2
    assert admin.put("/v1/segments/a", json={"filter": "amount > 2.0", "revision": 1}).status_code == 409
    page = admin.get("/v1/segments?limit=2").json()
    rest = admin.get("/v1/segments", params={"limit": 2, "after": page["next"]}).json()
    assert [one["segment"] for one in page["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None


def test_a_tenant_sees_and_changes_its_own_only(admin: TestClient, api: Api) -> None:
    made(admin, "processors", {"processor": "big", "spec": BIG})
    made(admin, "lists/vip", {"items": ["A1"]}, 200)
    other = api(role="admin", tenant="other")
    for path in ("processors/big", "lists/vip"):
        assert other.get(f"/v1/{path}").status_code == 404
        assert other.delete(f"/v1/{path}").status_code == 404
    made(other, "processors", {"processor": "big", "spec": BIG | {"severity": 0.1}})
    assert admin.get("/v1/processors/big").json()["newest_spec"]["severity"] == 0.6


def test_pools_are_configured(admin: TestClient) -> None:
    pool = made(admin, "pools/slow", {"size": 1, "queue_limit": 5, "timeout_s": 2.5, "attempts": 2}, 200)
    assert (pool["size"], pool["waiting"], pool["configured"]) == (1, 0, True)
    assert admin.get("/v1/pools").json()["items"] == [pool]
    assert admin.get("/v1/pools/slow/work").json() == {"items": [], "next": None}


def test_a_dry_run_tells_what_a_rule_would_have_hit(admin: TestClient, tmp_path: Path) -> None:
    nothing = admin.post("/v1/processors/dry-run", json={"spec": BIG}).json()
    assert (nothing["evaluated"], nothing["note"], nothing["newest"]) == (0, "There are no events yet.", None)
    write_bronze(
        tmp_path / "delta" / "bronze", [[{"amount": 100.0 * i} for i in range(10)], [{"amount": None, "kind": "request"}]]
    )
    found = admin.post("/v1/processors/dry-run", json={"spec": BIG}).json()
    assert (found["evaluated"], found["hits"], found["errors"]) == (11, 4, 0)
    assert [one["amount"] for one in found["sample"]] == [900.0, 800.0, 700.0, 600.0]
    newest = admin.post("/v1/processors/dry-run", json={"spec": {"kind": "rule", "when": "amount > 850.0"}, "events": 3}).json()
    assert (newest["evaluated"], newest["hits"], newest["errors"], newest["unclear"][0]["kind"]) == (3, 1, 1, "request")
    made(admin, "processors", {"processor": "big", "spec": BIG})
    assert admin.post("/v1/processors/big/dry-run", json={"filter": "amount < 750.0"}).json()["hits"] == 2
    assert admin.post("/v1/processors/big/dry-run", json={"version": 9}).status_code == 404
    allow = admin.post("/v1/processors/dry-run", json={"spec": {"kind": "allow", "items": ["A1"]}}).json()
    assert (allow["over"], allow["evaluated"]) == ("anomalies", 0)
