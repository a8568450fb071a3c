"""No route lets one tenant read or change what is another's, whatever ids it is given."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_routes import PARAMETER, Route, walk
from gateway_rows import found
from starlette.testclient import TestClient

from desk.loop import step
from gateway.document import example
from store.database import Database
from store.settings import Settings, read

Api = Callable[..., TestClient]
MARK = "zqxmark"  # in the texts of the tenant that is looked at, never in a name: the other tenant calls by these names
NAME = "pfx"
TEXTS = dict.fromkeys(("title", "text", "comment", "description", "why", "query", "response"), MARK) | {"name": NAME}
NOT_MADE = ("/v1/events", "/graphql", "/v1/subjects", "/v1/otlp")


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path, gateway={"requests_per_minute": 1_000_000}, model={"enabled": False})


def marked(value: Any) -> Any:
    """An example with the mark in its free texts."""
    if isinstance(value, dict):
        return {name: TEXTS.get(name) or marked(inner) for name, inner in value.items()}
    return [marked(inner) for inner in value] if isinstance(value, list) else value


def make_things(client: TestClient, routes: list[Route]) -> None:
    """Whatever can be made by the examples of the API's own description; what cannot, is not."""
    document = client.get("/openapi.json").json()
    for route in routes:
        described = document["paths"].get(route.path, {}).get(route.method.lower(), {})
        content = described.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or route.method not in ("POST", "PUT") or route.path.startswith(NOT_MADE):
            continue
        body = marked(content.get("example") or example(document, content["schema"]))
        client.request(route.method, route.url(dict.fromkeys(PARAMETER.findall(route.path), NAME)), json=body)


def harvest(value: Any, into: dict[str, set[str]]) -> None:
    """Every text and number by the name under which it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str | int) and not isinstance(inner, bool):
                into[name].add(str(inner))
            harvest(inner, into)
    elif isinstance(value, list):
        for inner in value:
            harvest(inner, into)


def filled(route: Route, ids: dict[str, set[str]]) -> Iterator[str]:
    """The route's path with each id that is known for its parameter, at most a few."""
    names = PARAMETER.findall(route.path)
    if not names:
        yield route.path
    elif len(names) == 1:
        for known in sorted(ids[names[0]])[:3]:
            yield route.url({names[0]: known})


def rows(database: Database, tenant: str) -> dict[str, Any]:
    """A fingerprint of all that is the tenant's, by table."""
    tables = """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'
                where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace order by 1"""
    with database.connection() as connection:
        names = [row["relname"] for row in connection.execute(tables)]
        seen = {}
        for name in names:
            query = f"select count(*) as n, md5(string_agg(t::text, '|' order by t::text)) as h from {name} t where tenant = %s"
            seen[name] = connection.execute(query.encode(), [tenant]).fetchall()[0]
        return seen


def test_nothing_crosses(api: Api, database: Database, gateway_settings: Settings) -> None:
    routes = [route for route in walk() if route.need is not None and route.path != "/v1/stream"]
    found(database, 2, prefix=NAME, words=MARK)
    step(database, gateway_settings)
    own, other = api("admin"), api("admin", tenant="other")
    make_things(own, routes)
    ids: dict[str, set[str]] = defaultdict(set)
    for route in routes:
        if route.method == "GET" and not PARAMETER.search(route.path):
            answer = own.get(route.path, params={"entity": f"account:{NAME}A0/EUR"})
            harvest(answer.json() if "json" in answer.headers["content-type"] else None, ids)
    seen = sum(MARK in own.get(url).text for route in routes if route.method == "GET" for url in filled(route, ids))
    assert seen >= 8, "the test must find something that could be crossed to"
    before, leaks = rows(database, "main"), []
    for route in routes:
        for url in filled(route, ids):
            body = {"version": 1, "action": "acknowledge", "reason": "x"} if route.method in ("POST", "PUT", "PATCH") else None
            answer = other.request(route.method, url, json=body)
            if answer.status_code >= 500 or (MARK in answer.text):
                leaks.append(f"{route.method} {url}: {answer.status_code} {answer.text[:200]}")
    assert leaks == []
    assert {name: row for name, row in rows(database, "main").items() if row != before[name]} == {}
    assert "answers" in before
    assert "case_files" in before


def test_nothing_crosses_by_graphql(api: Api, database: Database, gateway_settings: Settings) -> None:
    found(database, 1, prefix=NAME, words=MARK)
    step(database, gateway_settings)
    other = api("admin", tenant="other")
    queries = [
        "{ anomalies { items { entity } } rulings { items { entity } } entities { items { entity } } cases { items { title } } }",
        f'{{ case(caseId: "case-{NAME}e0") {{ title }} }}',
        f'{{ entity(name: "account:{NAME}A0/EUR") {{ kind anomalies {{ items {{ event }} }} }} }}',
        f'{{ metrics(entity: "account:{NAME}A0/EUR") {{ items {{ mean }} }} }}',
        f'mutation {{ actOnCase(caseId: "case-{NAME}e0", action: "acknowledge", version: 1) {{ title }} }}',
    ]
    before = rows(database, "main")
    for query in queries:
        told = other.post("/graphql", json={"query": query}).json()
        assert "kind" not in str(told["data"])
        assert MARK not in str(told)
    assert rows(database, "main") == before
