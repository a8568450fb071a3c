"""The desk over HTTP: cases, commands, feedback, Slack's buttons, maintenance."""

import hashlib
import hmac
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from desk import intake
from desk.cases import NAMES
from store.database import Database
from store.sections.desk import Desk
from store.settings import Settings, read

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
Api = Callable[..., TestClient]


def _fixtures() -> ModuleType:
    """The ruled cases of tests/desk."""
    spec = importlib.util.spec_from_file_location("desk_fixtures", Path(__file__).parents[1] / "desk" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULED = _fixtures()


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path, desk={"slack_secret": SECRET, "slack_users": {"U1": "Ana"}})


@pytest.fixture
def case_id(database: Database) -> str:
    return rule(database)


def rule(database: Database, name: str = "one", entity: str = "account:A12/EUR", **given: Any) -> str:
    with database.connection() as connection:
        made: str = RULED.rule(connection, name, entity, **given)
    intake.take(database, Desk())
    return made


def do(client: TestClient, case_id: str, action: str, version: int | None = None, **detail: Any) -> Any:
    return client.post(f"/v1/cases/{case_id}/actions", json={"action": action, "version": version, **detail})


def test_a_case_is_read_and_worked_on(api: Api, case_id: str) -> None:
    ana = api("analyst")
    listed = ana.get("/v1/cases").json()
    assert [(row["case_id"], row["proposals"]) for row in listed["items"]] == [(case_id, 1)]
    assert listed["of_all"] == 1
    assert listed["next"] is None
    found = ana.get(f"/v1/cases/{case_id}")
    assert found.headers["ETag"] == '"1"'
    assert found.json()["possible"][0] == "acknowledge"
    taken = ana.post(f"/v1/cases/{case_id}/actions", json={"action": "acknowledge"}, headers={"If-Match": '"1"'})
    assert (taken.status_code, taken.json()["status"], taken.headers["ETag"]) == (200, "acknowledged", '"2"')
    closed = do(ana, case_id, "dismiss", 2, reason="customer_verified", text="called")
    assert closed.json()["status"] == "dismissed"
    assert ana.get("/v1/cases").json()["items"] == []
    assert [row["status"] for row in ana.get("/v1/cases?status=dismissed&q=a12").json()["items"]] == ["dismissed"]
    story = ana.get(f"/v1/cases/{case_id}/timeline").json()["items"]
    assert [row["kind"] for row in story if row["source"] == "entry"] == ["opened", "acknowledged", "dismissed"]
    assert ana.get("/v1/cases/counts").json()["dismissed"] == 1


def test_a_stale_version_is_told_what_changed(api: Api, case_id: str) -> None:
    ana, bo = api("analyst"), api("analyst")
    assert do(ana, case_id, "acknowledge", 1).status_code == 200
    late = do(bo, case_id, "resolve", 1, reason="fixed")
    problem = late.json()
    assert (late.status_code, problem["version"], [one["kind"] for one in problem["changes"]]) == (409, 2, ["acknowledged"])
    assert late.headers["content-type"] == "application/problem+json"
    assert do(bo, case_id, "comment", text="I saw it, too").status_code == 200
    assert do(bo, case_id, "acknowledge", 3).status_code == 409
    faults = [
        do(bo, case_id, "resolve").json(),
        do(bo, case_id, "resolve", 3, reason="because").json(),
        do(bo, case_id, "snooze", 3).json(),
    ]
    assert [fault["field"] for fault in faults] == ["version", "reason", "until"]


def test_pages_follow_one_another(api: Api, database: Database) -> None:
    for place in range(5):
        rule(
            database,
            f"c{place}",
            f"account:B{place}/EUR",
            events=[{"amount": 10.0 * (place + 1), "counterparty_id": f"X{place}"}],
        )
    client, after, seen = api("viewer"), "", []
    for _ in range(3):
        page = client.get(f"/v1/cases?sort=loss&limit=2{after}").json()
        seen += [row["entity"] for row in page["items"]]
        after = f"&after={page['next']}"
    assert seen == [f"account:B{place}/EUR" for place in (4, 3, 2, 1, 0)]
    assert client.get("/v1/cases?after=nonsense").json()["field"] == "after"


def test_a_viewer_reads_and_no_more_and_sees_personal_data_masked(api: Api, case_id: str) -> None:
    assert do(api("analyst"), case_id, "comment", text="wrote to ann.lee@example.org").status_code == 200
    viewer = api("viewer")
    said = [row["said"] for row in viewer.get(f"/v1/cases/{case_id}/timeline").json()["items"]]
    assert not any("ann.lee" in one for one in said)
    assert do(viewer, case_id, "acknowledge", 2).status_code == 403
    command = viewer.get("/v1/commands").json()["items"][0]["command_id"]
    assert viewer.post(f"/v1/commands/{command}/approve", json={}).status_code == 403


def test_another_tenant_sees_nothing(api: Api, case_id: str) -> None:
    command = api("analyst").get("/v1/commands").json()["items"][0]["command_id"]
    other = api("admin", tenant="other")
    assert other.get("/v1/cases").json()["items"] == []
    assert other.get(f"/v1/cases/{case_id}").status_code == 404
    assert do(other, case_id, "acknowledge", 1).status_code == 404
    assert other.get(f"/v1/commands/{command}").status_code == 404
    assert other.post(f"/v1/commands/{command}/approve", json={}).status_code == 404
    assert other.post("/v1/feedback", json={"about": "anomaly", "subject_id": "x-one-1", "verdict": "confirm"}).status_code == 404


def test_commands_are_decided(api: Api, case_id: str) -> None:
    ana = api("analyst")
    row = ana.get(f"/v1/commands?case_id={case_id}&state=proposed").json()["items"][0]
    path = f"/v1/commands/{row['command_id']}"
    assert ana.post(f"{path}/approve", json={"ruling_id": "ruling-older"}).status_code == 409
    approved = ana.post(f"{path}/approve", json={"ruling_id": row["ruling_id"], "reason": "clear"}).json()
    assert (approved["state"], approved["possible"], approved["runs"]) == ("approved", ["done"], [])
    assert ana.post(f"{path}/approve", json={}).status_code == 409
    assert ana.post(f"{path}/done", json={}).json()["state"] == "executed"
    assert ana.post(f"{path}/undo", json={"reason": "wrong one"}).json()["state"] == "undoing"
    assert ana.post(f"{path}/reject", json={"reason": " "}).status_code == 422


def test_feedback_is_kept(api: Api, case_id: str) -> None:
    ana = api("analyst")
    for verdict in ("confirm", "dismiss"):
        made = ana.post(
            "/v1/feedback", json={"about": "anomaly", "subject_id": "x-one-1", "verdict": verdict, "shown_hash": "0" * 64}
        )
        assert (made.status_code, made.json()["stale"]) == (201, True)
    rows = ana.get(f"/v1/feedback?case_id={case_id}").json()["items"]
    assert [(row["verdict"], row["counts"]) for row in rows] == [("dismiss", True), ("confirm", False)]
    assert ana.post("/v1/feedback", json={"about": "ruling", "subject_id": "none", "verdict": "confirm"}).status_code == 404


def pressed(client: TestClient, case_id: str, verb: str, user: str = "U1", *, secret: str = SECRET, age_s: int = 0) -> Any:
    payload = {"type": "block_actions", "user": {"id": user, "name": "ana"},
               "actions": [{"value": json.dumps({"case_id": case_id, "verb": verb})}]}  # fmt: skip
    body, stamp = urlencode({"payload": json.dumps(payload)}), str(int(time.time()) - age_s)
    signature = "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature,
               "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    return client.post("/v1/callbacks/slack", content=body, headers=headers)


def test_slack_buttons_act_when_slack_signed_them(api: Api, case_id: str) -> None:
    slack, ana = api(None), api("analyst")
    assert pressed(slack, case_id, "acknowledge").json()["text"] == "Ana looks at it now."
    assert "It is acknowledged" in pressed(slack, case_id, "acknowledge").json()["text"]
    assert pressed(slack, case_id, "confirm").status_code == 200
    found = ana.get(f"/v1/cases/{case_id}").json()
    assert (found["status"], found["assignee"]) == ("acknowledged", "slack:U1")
    assert [(row["via"], row["actor"], row["verdict"]) for row in found["feedback"]] == [("slack", "slack:U1", "confirm")]


def test_slack_buttons_do_nothing_without_a_fresh_signature_and_a_name(api: Api, case_id: str) -> None:
    slack, ana = api(None), api("analyst")
    assert pressed(slack, case_id, "acknowledge", secret="another").status_code == 401
    assert pressed(slack, case_id, "acknowledge", age_s=400).status_code == 401
    assert "may not press" in pressed(slack, case_id, "acknowledge", user="U2").json()["text"]
    assert slack.post("/v1/callbacks/slack", content=b"payload={}").status_code == 401
    assert ana.get(f"/v1/cases/{case_id}").json()["status"] == "open"


def test_maintenance_is_planned_and_ended(api: Api, database: Database) -> None:
    ana = api("analyst")
    window = {"title": "moves", "pattern": "service:pay*", "starts_at": "2026-03-05T11:00:00Z", "ends_at": "2026-03-05T13:00:00Z"}
    made = ana.post("/v1/maintenance", json=window)
    assert made.status_code == 201
    case_id = rule(database, "pay", "service:payments", action="open_incident")
    assert ana.get("/v1/cases").json()["items"] == []
    held = ana.get("/v1/cases?quiet=held").json()["items"][0]
    assert (held["case_id"], held["held_title"]) == (case_id, "moves")
    assert ana.get("/v1/maintenance").json()["items"][0]["holds"] == 1
    assert ana.delete(f"/v1/maintenance/{made.json()['window_id']}").status_code == 200
    for ends_at in ("2026-03-05T10:00:00Z", "9999-12-31T23:59:59-14:00"):
        assert ana.post("/v1/maintenance", json=window | {"ends_at": ends_at}).json()["field"] == "ends_at"
    assert ana.delete("/v1/maintenance/99").status_code == 404


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(
    ["case-one", "case-two", "fixed", "noise", "2999-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "other"]
)  # fmt: skip
FIELDS = (
    "version",
    "reason",
    "text",
    "assignee",
    "tags",
    "until",
    "expires_at",
    "to",
    "other",
    "other_version",
    "member",
    "target",
)


def test_whatever_is_asked_of_a_case_is_no_fault_of_ours(api: Api, database: Database, case_id: str) -> None:
    rule(database, "two", "account:B1/EUR")
    ana = api("analyst")

    @given(
        action=st.sampled_from(NAMES),
        detail=st.dictionaries(st.sampled_from(FIELDS), ODD | st.lists(ODD, max_size=3), max_size=4),
        fresh=st.booleans(),
    )
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(action: str, detail: dict[str, Any], fresh: bool) -> None:
        if fresh:
            detail = {**detail, "version": ana.get(f"/v1/cases/{case_id}").json()["version"]}
        answer = ana.post(f"/v1/cases/{case_id}/actions", json={"action": action, **detail})
        assert answer.status_code in (200, 404, 409, 422), answer.text
        assert ana.get(f"/v1/cases/{case_id}").status_code == 200
        assert ana.get("/v1/cases?quiet=all&status=open&status=dismissed&status=resolved").status_code == 200

    ask()
