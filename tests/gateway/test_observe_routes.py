"""Traces over HTTP: posted, read, compared, limited to projects, deleted; alerts raised from them and worked on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.testclient import TestClient

from observe import loop
from store.database import Database
from store.settings import Settings

CONTEXT = "Refunds are processed by the Berlin office in 3 business days."
GOOD = {"query": "How long do refunds take?", "response": "Refunds are processed in 3 business days.", "contexts": [CONTEXT],
        "model": "gpt-4o-mini", "tokens_in": 1000, "tokens_out": 100, "latency_ms": 640.0}  # fmt: skip
BAD = GOOD | {"response": "Refunds are shipped to Paris by courier within 40 days."}
Api = Callable[..., TestClient]


def work(database: Database, settings: Settings, **ahead: float) -> None:
    """Everything that is due at a moment."""
    while loop.work(database, settings, datetime.now(UTC) + timedelta(**ahead)):
        pass


def items(client: TestClient, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_posted_trace_is_scored_priced_and_read_back(api: Api, database: Database, gateway_settings: Settings) -> None:
    client = api()
    answer = client.post("/v1/traces", json=BAD | {"trace_id": "t1", "user": "ann@example.org"})
    assert answer.status_code == 202
    assert answer.json()["items"] == [{"trace_id": "t1", "state": "accepted", "why": ""}]
    work(database, gateway_settings)
    trace = client.get("/v1/traces/t1").json()
    assert trace["hallucination"] is True
    assert trace["cost"] == (1000 * 0.15 + 100 * 0.6) / 1e6
    scores = {one["metric"]: one for one in trace["scores"]}
    assert scores["faithfulness"]["value"] == 0
    assert scores["context_recall"]["value"] is None
    assert scores["context_recall"]["why"] == "there is no reference answer to compare with"
    assert [part["supported"] for part in trace["parts"]] == [False]
    assert trace["waterfall"][0]["span_id"] == "root"
    assert "ann@example.org" not in str(database.fetch("trace_read", tenant="main", trace_id="t1"))


def test_sent_again_nothing_changes(api: Api, database: Database) -> None:
    client = api()
    client.post("/v1/traces", json=GOOD | {"trace_id": "t1"})
    answer = client.post("/v1/traces", json={"traces": [GOOD | {"trace_id": "t1"}, GOOD | {"trace_id": "t2"}]}).json()
    assert [one["state"] for one in answer["items"]] == ["repeated", "accepted"]
    assert len(items(client, "/v1/traces")) == 2


def test_an_answer_for_each_trace_of_a_batch(api: Api) -> None:
    future = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    given = [
        GOOD | {"trace_id": "ok"},
        GOOD | {"trace_id": "late", "started_at": future},
        GOOD | {"trace_id": "odd", "project": "A b"},
    ]
    answer = api().post("/v1/traces", json={"traces": given}).json()
    assert [one["state"] for one in answer["items"]] == ["accepted", "refused", "refused"]
    assert "ahead of the clock" in answer["items"][1]["why"]
    assert (answer["accepted"], answer["refused"]) == (1, 2)


def test_a_field_at_fault_is_named(api: Api) -> None:
    answer = api().post("/v1/traces", json={"traces": [GOOD | {"tokens_in": -1}]})
    assert answer.status_code == 422
    assert answer.json()["field"] == "batch.traces.0.tokens_in"
    assert api().post("/v1/traces", json=GOOD | {"latency_ms": -1}).json()["field"] == "trace.latency_ms"


def test_a_project_key_sends_and_reads_its_project_only(api: Api, database: Database, gateway_settings: Settings) -> None:
    everyone, shop = api(), api(scopes=("traces:shop",))
    everyone.post("/v1/traces", json=GOOD | {"trace_id": "theirs", "project": "bank"})
    assert shop.post("/v1/traces", json=GOOD | {"trace_id": "own"}).json()["accepted"] == 1
    refused = shop.post("/v1/traces", json=GOOD | {"trace_id": "other", "project": "bank"}).json()["items"][0]
    assert refused["state"] == "refused"
    joined = shop.post("/v1/traces", json=GOOD | {"trace_id": "theirs"}).json()["items"][0]
    assert joined["state"] == "refused"  # another project's trace cannot be written into
    work(database, gateway_settings)
    assert [row["trace_id"] for row in items(shop, "/v1/traces")] == ["own"]
    assert shop.get("/v1/traces/theirs").status_code == 404
    assert shop.delete("/v1/traces/theirs").status_code == 404
    assert [row["project"] for row in items(shop, "/v1/trace-projects")] == ["shop"]
    assert shop.get("/v1/traces/reports/overview").json()["metrics"]["volume"]["value"] == 1
    assert everyone.get("/v1/traces/reports/overview").json()["metrics"]["volume"]["value"] == 2
    assert shop.get("/v1/cases").status_code == 403


def test_tenants_do_not_see_each_others_traces(api: Api) -> None:
    api(tenant="main").post("/v1/traces", json=GOOD | {"trace_id": "mine"})
    other = api(tenant="other")
    assert items(other, "/v1/traces") == []
    assert other.get("/v1/traces/mine").status_code == 404
    assert other.post("/v1/traces", json=GOOD | {"trace_id": "mine"}).json()["accepted"] == 1


def test_pages_follow_each_other_without_gaps(api: Api) -> None:
    client = api()
    client.post("/v1/traces", json={"traces": [GOOD | {"trace_id": f"t{n}"} for n in range(7)]})
    seen, after = [], None
    while True:
        page = client.get("/v1/traces", params={"limit": 3} | ({"after": after} if after else {})).json()
        seen += [row["trace_id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == [f"t{n}" for n in range(7)]
    assert client.get("/v1/traces", params={"after": "nonsense"}).status_code == 422


def test_an_alert_from_bad_traces_is_seen_acknowledged_and_resolved(
    api: Api, database: Database, gateway_settings: Settings
) -> None:  # fmt: skip
    admin, analyst = api("admin"), api()
    analyst.post("/v1/traces", json={"traces": [GOOD | {"trace_id": f"g{n}"} for n in range(4)] + [BAD | {"trace_id": "bad"}]})
    rule = {"project": "default", "metric": "hallucination_rate", "comparison": "above", "threshold": 0.1, "least": 5}
    assert admin.post("/v1/llm-alerts/rules", json=rule).status_code == 201
    work(database, gateway_settings)
    (alert,) = items(analyst, "/v1/llm-alerts", state="open")
    assert (alert["value"], alert["model"], alert["traces"]) == (0.2, "gpt-4o-mini", 1)
    found = analyst.get(f"/v1/llm-alerts/{alert['firing_id']}").json()
    assert [one["trace_id"] for one in found["traces"]] == ["bad"]
    told = database.fetch("table_sizes") and _messages(database)
    assert [(one["kind"], one["subject"]) for one in told] == [("llm.alert", alert["firing_id"])]
    url = f"/v1/llm-alerts/{alert['firing_id']}"
    assert analyst.post(f"{url}/acknowledge", json={"version": 1}).json()["state"] == "acknowledged"
    assert analyst.post(f"{url}/acknowledge", json={"version": 1}).json()["state"] == "acknowledged"  # pressed twice
    assert analyst.post(f"{url}/resolve", json={"note": "seen", "version": 1}).status_code == 409
    assert analyst.post(f"{url}/resolve", json={"note": "prompt mended", "version": 2}).json()["note"] == "prompt mended"
    assert [step["action"] for step in analyst.get(url).json()["log"]] == ["opened", "acknowledged", "resolved"]


def _messages(database: Database) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(
            "select kind, subject, payload from messages where topic = 'llm' order by message_id"
        ).fetchall()


def test_a_rule_that_makes_no_sense_is_refused(api: Api) -> None:
    admin = api("admin")
    rule = {"project": "nowhere", "metric": "error_rate", "comparison": "above", "threshold": 0.1}
    assert admin.post("/v1/llm-alerts/rules", json=rule).status_code == 404
    assert admin.post("/v1/llm-alerts/rules", json=rule | {"metric": "luck"}).status_code == 422
    admin.put("/v1/trace-projects/nowhere", json={})
    drop = rule | {"comparison": "drop", "threshold": 2}
    assert admin.post("/v1/llm-alerts/rules", json=drop).status_code == 422


def test_a_project_is_changed_by_the_version_that_was_seen(api: Api) -> None:
    admin = api("admin")
    made = admin.put("/v1/trace-projects/shop", json={"retention_days": 7, "text_mode": "plain"}).json()
    assert (made["retention_days"], made["version"]) == (7, 1)
    assert admin.put("/v1/trace-projects/shop", json={"retention_days": 9}).status_code == 409
    assert admin.put("/v1/trace-projects/shop", json={"retention_days": 9, "version": 1}).json()["retention_days"] == 9
    assert admin.put("/v1/trace-projects/shop", json={"retention_days": 5, "version": 1}).status_code == 409
    assert api("analyst").put("/v1/trace-projects/shop", json={}).status_code == 403


def test_a_users_traces_go_and_leave_an_entry_without_the_name(api: Api, database: Database) -> None:
    admin = api("admin")
    admin.post("/v1/traces", json={"traces": [GOOD | {"trace_id": f"u{n}", "user": "ann@example.org"} for n in range(3)]})
    admin.post("/v1/traces", json=GOOD | {"trace_id": "other", "user": "bob"})
    assert admin.post("/v1/traces/delete-user", json={"user": "ann@example.org"}).json() == {"traces": 3}
    assert [row["trace_id"] for row in items(admin, "/v1/traces")] == ["other"]
    entry = database.fetch("audit_newest", tenant="main", subject=None, before=None, limit=1)[0]
    assert (entry["action"], entry["detail"]) == ("traces.delete_user", {"traces": 3})
    assert "ann" not in str(entry)
    again = admin.post("/v1/traces", json=GOOD | {"trace_id": "u1"}).json()["items"][0]
    assert again["state"] == "repeated"  # a delivery repeated later does not bring it back


def test_reports_over_http(api: Api, database: Database, gateway_settings: Settings) -> None:
    client = api("viewer")
    api().post("/v1/traces", json={"traces": [GOOD | {"trace_id": f"a{n}"} for n in range(6)]
                                   + [BAD | {"trace_id": f"b{n}", "model": "mystery"} for n in range(6)]})  # fmt: skip
    work(database, gateway_settings)
    lines = {line["name"]: line for line in items(client, "/v1/traces/reports/costs")}
    assert lines["mystery"]["cost"]["value"] is None
    assert lines["mystery"]["unknown_cost"] == 6
    compared = items(client, "/v1/traces/reports/compare", one="gpt-4o-mini", other="mystery")
    faithful = next(line for line in compared if line["metric"] == "faithfulness")
    assert faithful["difference"]["value"] == -1
    assert faithful["clear"] is True
    assert len(items(client, "/v1/traces/reports/trends")) == 1
    worst = items(client, "/v1/traces/reports/worst", limit=3)
    assert {row["model"] for row in worst} == {"mystery"}
    assert client.get("/v1/traces/reports/trends", params={"since": "1900-01-01T00:00:00Z"}).status_code == 422
