"""GraphQL: the same rows, the same rights, and an end to what one query may ask."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from gateway_rows import found
from starlette.testclient import TestClient

from desk.loop import step
from gateway.graphql.cost import cost
from gateway.graphql.schema import schema
from store.database import Database
from store.sections.gateway import Gateway
from store.settings import read

Api = Callable[..., TestClient]


def ask(client: TestClient, query: str, **variables: Any) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_it_reads_what_rest_reads(api: Api, database: Database) -> None:
    found(database, 3)
    query = """query($first: Int!, $after: String) { anomalies(first: $first, after: $after) { next items { anomalyId entity
      event high } } rulings { items { outcome brief } } entities(kind: account) { items { entity
      anomalies { items { detector } } metrics { items { mean } } } } }"""
    viewer = api("viewer")
    one = ask(viewer, query, first=2)
    assert one.get("errors") is None
    two = ask(viewer, query, first=2, after=one["data"]["anomalies"]["next"])
    ids = [item["anomalyId"] for answer in (one, two) for item in answer["data"]["anomalies"]["items"]]
    assert ids == ["a-2", "a-1", "a-0"]
    assert two["data"]["anomalies"]["next"] is None
    assert one["data"]["anomalies"]["items"][0]["high"] is None
    assert "[email]" in one["data"]["anomalies"]["items"][0]["event"]["message"]
    analyst = ask(api("analyst"), query, first=1)["data"]["anomalies"]["items"][0]
    assert "ann@example.org" in analyst["event"]["message"]
    assert one["data"]["rulings"]["items"][0]["outcome"] == "confirmed"
    assert one["data"]["entities"]["items"][0]["anomalies"]["items"][0]["detector"] == "amount_z"
    other = ask(api("admin", tenant="other"), "{ anomalies { items { entity } } entities { items { entity } } }")
    assert other["data"] == {"anomalies": {"items": []}, "entities": {"items": []}}


GIVE = """mutation($id: ID!) { giveFeedback(about: anomaly, subjectId: $id, verdict: dismiss, comment: "a test order") {
  caseId verdict stale } }"""


def test_feedback_by_those_who_work(api: Api, database: Database) -> None:
    found(database)
    given = ask(api("analyst"), GIVE, id="a-0")
    assert given["data"]["giveFeedback"] == {"caseId": "case-e0", "verdict": "dismiss", "stale": False}
    assert ask(api("viewer"), GIVE, id="a-0")["errors"][0]["extensions"]["status"] == 403
    assert ask(api("analyst", tenant="other"), GIVE, id="a-0")["errors"][0]["extensions"]["status"] == 404
    assert [row["via"] for row in database.fetch("desk_feedback", tenant="main", about=None, subject_id=None, case_id=None,
                                                 after=None, limit=9)] == ["graphql"]  # fmt: skip


def test_a_case_is_worked_on(api: Api, database: Database) -> None:
    found(database)
    step(database, read())
    listed = ask(api("viewer"), "{ cases { ofAll items { caseId version status timeline { kind } anomalies { next } detail } } }")
    case = listed["data"]["cases"]["items"][0]
    act = """mutation($id: ID!, $version: Int) { actOnCase(caseId: $id, action: "acknowledge", version: $version) {
      status version } }"""
    done = ask(api("analyst"), act, id=case["caseId"], version=case["version"])
    assert done["data"]["actOnCase"]["status"] == "acknowledged"
    stale = ask(api("analyst"), act, id=case["caseId"], version=case["version"])
    assert stale["errors"][0]["extensions"]["status"] == 409
    assert stale["errors"][0]["extensions"]["changes"]
    assert ask(api("viewer"), act, id=case["caseId"], version=2)["errors"][0]["extensions"]["status"] == 403


def test_errors_are_told_and_faults_are_not(api: Api, database: Database) -> None:
    told = ask(api("viewer"), '{ entity(name: "account:nobody") { kind } }')
    assert told["errors"][0]["extensions"]["status"] == 404
    told = ask(api("viewer"), "{ anomalies(first: 0) { next } }")
    assert told["errors"][0]["extensions"] == {"status": 422, "field": "first"}
    told = ask(api("viewer"), '{ anomalies(after: "what") { next } }')
    assert told["errors"][0]["extensions"]["field"] == "after"
    with database.connection() as connection:
        connection.execute("alter table anomalies rename column severity to severeness")
    told = ask(api("viewer"), "{ anomalies { next } }")
    assert "severity" not in str(told)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{" + " ".join(f"a{n}: anomalies {{ next }}" for n in range(16)) + "}", "alias"),
        (
            "{ anomalies(first: 500) { items { entity event severity unit value low high expected detector caseId eventId } } }",
            "fields",
        ),
        ("{ entities(first: 100) { items { anomalies(first: 100) { items { entity } } } } }", "fields"),
        ("query($n: Int!) { entities(first: $n) { items { rulings(first: 100) { items { entity } } } } }", "fields"),
        ("{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }", "introspection"),
        ("{ anomalies { " + "next " * 2100 + "} }", ""),
        ("{" * 3000, ""),
    ],
)
def test_a_query_has_its_limits(api: Api, query: str, said: str) -> None:
    answer = api("viewer").post("/graphql", json={"query": query, "variables": {"n": 100}})
    assert answer.status_code in (200, 422)
    told = answer.json()
    assert told.get("errors") or told.get("detail")
    assert said in str(told).lower()


def test_depth_has_its_limit() -> None:
    told = asyncio.run(schema(Gateway(graphql_depth=2)).execute("{ entities { items { anomalies { next } } } }"))
    assert "depth" in str(told.errors)


def test_nothing_without_a_key_not_even_the_schema(api: Api) -> None:
    assert api(None).post("/graphql", json={"query": "{ __schema { types { name } } }"}).status_code == 401
    assert "Anomaly" in str(ask(api("viewer"), "{ __schema { types { name } } }"))


def test_cost_counts_fragments_and_survives_their_circles() -> None:
    assert cost("{ anomalies(first: 3) { ...f } } fragment f on AnomalyPage { items { entity severity } }") == 10
    assert cost("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a x }") == 1
    assert cost("{ nonsense") == 0
