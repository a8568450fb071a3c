"""Channels, routes, alert topics, subscriptions and the delivery log over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from notify import loop
from store.database import Database
from store.outbox import Message, publish
from store.settings import Settings
from trust import audit

Api = Callable[..., TestClient]
HOOK: dict[str, Any] = {"kind": "webhook", "config": {"url": "https://hooks.example/in", "secret": "env:NOTIFY_HOOK"}}
TABLE = {"kind": "table"}


def tell(database: Database, tenant: str = "main", subject: str = "case-1", **more: Any) -> None:
    given = {"topic": "rulings", "kind": "ruling.confirmed", "severity": 0.9, "title": "Card testing"} | more
    with database.connection() as connection:
        publish(connection, Message(tenant=tenant, subject=subject, dedupe_key=f"{subject} {given['kind']}", **given))


def work(database: Database, settings: Settings, later_s: float = 0) -> None:
    while loop.step(database, settings, clock=lambda: datetime.now(UTC) + timedelta(seconds=later_s)):
        pass


def test_a_channel_is_made_shown_changed_and_removed(api: Api, database: Database) -> None:
    admin = api("admin")
    assert admin.put("/v1/channels/hook", json=HOOK).json() == {"id": "hook", "version": 1}
    (item,) = api("viewer").get("/v1/channels").json()["items"]
    assert item["config"]["secret"] == "env:NOTIFY_HOOK"
    assert (item["origin"], item["version"], item["sent"]) == ("database", 1, 0)
    assert admin.put("/v1/channels/hook", json=HOOK | {"version": 1, "enabled": False}).json()["version"] == 2
    stale = admin.put("/v1/channels/hook", json=HOOK | {"version": 1})
    assert (stale.status_code, stale.headers["content-type"]) == (409, "application/problem+json")
    assert admin.delete("/v1/channels/hook").json() == {"removed": []}
    assert admin.delete("/v1/channels/hook").status_code == 404
    said = [row["action"] for row in database.fetch("audit_newest", tenant="main", subject="channel/hook", before=None, limit=9)]
    assert said == ["channel.remove", "channel.put", "channel.put"]
    assert audit.verify(database, "main").broken is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"kind": "webhook", "config": {"url": "https://hooks.example", "secret": "hunter2hunter2"}}, "secret"),
        ({"kind": "webhook", "config": {"url": "http://169.254.169.254/latest", "secret": "env:NOTIFY_A"}}, "169.254.169.254"),
        ({"kind": "webhook", "config": {"url": "http://hooks.example/", "secret": "env:NOTIFY_A"}}, "without TLS"),
        ({"kind": "webhook", "config": {"url": "https://u:p@hooks.example/", "secret": "env:NOTIFY_A"}}, "user or password"),
        ({"kind": "slack", "config": {"url": "https://hooks.slack.example/T0/B0/secret"}}, "env:NAME"),
        ({"kind": "table", "config": {"surprise": 1}}, "surprise"),
        ({"kind": "webhook", "config": HOOK["config"] | {"headers": {"Authorization": "Bearer x"}}}, "Authorization"),
    ],
)  # fmt: skip
def test_a_wrong_channel_says_what_is_wrong_and_never_the_secret(api: Api, wrong: dict[str, Any], says: str) -> None:
    answer = api("admin").put("/v1/channels/wrong", json=wrong)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert "hunter2" not in answer.text
    assert "B0/secret" not in answer.text


def test_routes_keep_their_order_and_names_must_exist(api: Api) -> None:
    admin = api("admin")
    assert "no channel `nowhere`" in admin.put("/v1/routes/a", json={"channels": ["nowhere"]}).json()["detail"]
    admin.put("/v1/channels/log", json=TABLE)
    for name, position in (("second", 20), ("first", 10), ("last", None)):
        admin.put(f"/v1/routes/{name}", json={"channels": ["log"], "matchers": ["severity>=0.5"], "position": position})
    assert [item["id"] for item in admin.get("/v1/routes").json()["items"]] == ["first", "second", "last"]
    wrong = admin.put("/v1/routes/first", json={"channels": ["log"], "matchers": ["severity=high"]})
    assert (wrong.status_code, "matchers" in wrong.json()["detail"]) == (422, True)
    used = admin.delete("/v1/channels/log")
    assert (used.status_code, "route first" in used.json()["detail"]) == (409, True)
    assert admin.delete("/v1/channels/log?with_dependents=true").json()["removed"] == [
        "route first",
        "route second",
        "route last",
    ]


def test_where_a_message_would_go(api: Api) -> None:
    admin = api("admin")
    admin.put("/v1/channels/log", json=TABLE)
    admin.put("/v1/routes/grave", json={"channels": ["log"], "matchers": ["severity>=0.8"]})
    admin.put("/v1/alert-topics/fraud", json={"matchers": ["topic=rulings"]})
    admin.put("/v1/subscriptions/look", json={"topic": "fraud", "target": {"kind": "model", "name": "What happened?"}})
    sample = {"topic": "rulings", "kind": "ruling.confirmed", "severity": 0.9}
    assert api("viewer").post("/v1/routes/preview", json=sample).json() == {
        "routes": ["grave"], "channels": ["log"], "topics": ["fraud"], "subscriptions": ["look"],
    }  # fmt: skip
    assert api("viewer").post("/v1/routes/preview", json=sample | {"severity": 0.1, "topic": "cases"}).json()["routes"] == []


def test_an_alert_topic_is_read_page_by_page_and_from_an_offset(api: Api, database: Database, gateway_settings: Settings) -> None:
    admin, viewer = api("admin"), api("viewer")
    admin.put("/v1/alert-topics/fraud", json={"matchers": ["kind=ruling.confirmed"], "retention_days": 7})
    for number in range(5):
        tell(database, subject=f"case-{number}")
        tell(database, subject=f"case-{number}", kind="ruling.unresolved")
    work(database, gateway_settings)
    first = viewer.get("/v1/alert-topics/fraud/messages?limit=2").json()
    second = viewer.get(f"/v1/alert-topics/fraud/messages?limit=2&after={first['next']}").json()
    last = viewer.get(f"/v1/alert-topics/fraud/messages?limit=2&after={second['next']}").json()
    items = first["items"] + second["items"] + last["items"]
    assert [(item["offset"], item["subject"]) for item in items] == [(n, f"case-{n}") for n in range(5)]
    assert last["next"] is None
    assert [item["offset"] for item in viewer.get("/v1/alert-topics/fraud/messages?offset=3").json()["items"]] == [3, 4]
    (topic,) = viewer.get("/v1/alert-topics").json()["items"]
    assert (topic["first_offset"], topic["next_offset"]) == (0, 5)
    assert viewer.get("/v1/alert-topics/nothing/messages").status_code == 404
    assert viewer.get("/v1/alert-topics/fraud/messages?after=nonsense").status_code == 422


def test_deliveries_are_paged_shown_and_sent_again(api: Api, database: Database, gateway_settings: Settings) -> None:
    admin, analyst = api("admin"), api("analyst")
    admin.put("/v1/channels/log", json=TABLE)
    admin.put("/v1/routes/all", json={"channels": ["log"], "group_wait_s": 0})
    for number in range(3):
        tell(database, subject=f"case-{number}", severity=0.5 + number / 10)
    work(database, gateway_settings)
    page = analyst.get("/v1/deliveries?limit=2").json()
    rest = analyst.get(f"/v1/deliveries?limit=2&after={page['next']}").json()
    assert [item["subject"] for item in page["items"] + rest["items"]] == ["case-0", "case-1", "case-2"]
    one = page["items"][0]["delivery_id"]
    assert analyst.get(f"/v1/deliveries/{one}").json()["tries"][0]["outcome"] == "sent"
    assert analyst.post(f"/v1/deliveries/{one}/replay").status_code == 202
    assert analyst.post(f"/v1/deliveries/{one}/replay").status_code == 409, "it is under way"
    assert analyst.get("/v1/deliveries?state=waiting").json()["items"][0]["replays"] == 1
    assert analyst.get("/v1/deliveries/unknown").status_code == 404


def test_another_tenant_sees_and_changes_nothing(api: Api, database: Database, gateway_settings: Settings) -> None:
    admin, other = api("admin"), api("admin", tenant="other")
    admin.put("/v1/channels/log", json=TABLE)
    admin.put("/v1/routes/all", json={"channels": ["log"], "group_wait_s": 0})
    admin.put("/v1/alert-topics/fraud", json={})
    tell(database)
    work(database, gateway_settings)
    one = admin.get("/v1/deliveries").json()["items"][0]["delivery_id"]
    for path in ("channels", "routes", "alert-topics", "subscriptions", "deliveries"):
        assert other.get(f"/v1/{path}").json()["items"] == []
    for call, path in (
        (other.delete, "channels/log"), (other.delete, "routes/all"), (other.delete, "alert-topics/fraud"),
        (other.get, f"deliveries/{one}"), (other.post, f"deliveries/{one}/replay"), (other.post, "channels/log/test"),
        (other.get, "alert-topics/fraud/messages"),
    ):  # fmt: skip
        assert call(f"/v1/{path}").status_code == 404
    assert other.post("/v1/channels/log/replay").json() == {"count": 0}


def test_the_test_button_says_what_came_of_it(api: Api) -> None:
    admin = api("admin")
    admin.put("/v1/channels/log", json=TABLE)
    assert admin.post("/v1/channels/log/test").json()["state"] == "sent"
    admin.put("/v1/channels/hook", json=HOOK)
    failed = admin.post("/v1/channels/hook/test").json()
    assert failed["state"] == "dead"
    assert "NOTIFY_HOOK" in failed["error"]
    assert admin.get("/v1/deliveries?channel=hook").json()["items"][0]["action"] == "test"
