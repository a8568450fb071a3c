"""Schedules over HTTP."""

from collections.abc import Callable

from starlette.testclient import TestClient

Api = Callable[..., TestClient]


def test_a_schedule_is_made_run_now_paused_and_removed(api: Api) -> None:
    admin = api("admin")
    made = admin.put("/v1/schedules/mine", json={"job": "quality", "cron": "30 2 * * *", "zone": "Europe/Berlin"})
    assert made.status_code == 200, made.text
    assert made.json()["next_at"].endswith("Z")
    assert admin.post("/v1/schedules/mine/run").json()["asked_at"] is not None
    assert admin.post("/v1/schedules/mine/pause").json()["enabled"] is False
    assert admin.post("/v1/schedules/mine/resume").json()["enabled"] is True
    assert [row["schedule_id"] for row in api("viewer").get("/v1/schedules").json()["items"]] == ["mine"]
    assert admin.get("/v1/schedules/mine/runs").json() == {"items": [], "next": None}
    assert admin.delete("/v1/schedules/mine").status_code == 204
    assert admin.delete("/v1/schedules/mine").status_code == 404


def test_what_is_wrong_is_named(api: Api) -> None:
    refused = api("admin").put("/v1/schedules/mine", json={"job": "quality", "cron": "61 * * * *"})
    assert refused.status_code == 422
    assert "61" in refused.json()["detail"]
    assert api("admin").put("/v1/schedules/mine", json={"job": "dance", "every_s": 60}).status_code == 422


def test_another_tenant_sees_nothing_of_it(api: Api) -> None:
    api("admin").put("/v1/schedules/mine", json={"job": "quality", "every_s": 60})
    other = api("admin", tenant="other")
    assert other.get("/v1/schedules").json()["items"] == []
    assert other.delete("/v1/schedules/mine").status_code == 404
    assert other.post("/v1/schedules/mine/run").status_code == 404
