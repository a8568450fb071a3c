"""Every route with every role: who may not is refused, who may is not, and nothing fails."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gateway_routes import Route, walk
from starlette.testclient import TestClient

from store.settings import Settings, read
from trust.roles import Role

Api = Callable[..., TestClient]
OPEN = {  # need no key: two tell nothing, one decides by a setting, two describe, one has a signature of its own
    "GET /health", "GET /ready", "GET /metrics", "GET /openapi.json", "GET /docs", "POST /v1/callbacks/slack",
}  # fmt: skip
ASKING = {
    "POST /graphql",
    "POST /v1/infer",
    "POST /v1/chat",
    "POST /v1/search",
    "POST /v1/routes/preview",
}  # these change nothing of others': a viewer may
ADMINS = ("/v1/keys", "/v1/audit", "/v1/subjects", "/v1/erasures")
CONFIGURED = ("/v1/schedules", "/v1/topics", "/v1/segments", "/v1/processors", "/v1/channels", "/v1/routes")
WORK = ("/test", "/preview", "/dry-run", "/check", "/replay")  # these configure nothing
ROUTES = walk()


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    return read(
        home=tmp_path, gateway={"requests_per_minute": 1_000_000, "failures_per_minute": 1_000_000}, model={"enabled": False}
    )


def call(client: TestClient, route: Route) -> httpx.Response:
    """A call that means nothing; the strange Last-Event-ID lets streams end at once."""
    body = {} if route.method in ("POST", "PUT", "PATCH") else None
    answer: httpx.Response = client.request(route.method, route.url(), json=body, headers={"Last-Event-ID": "strange"})
    return answer


def only_asks(route: Route) -> bool:
    return str(route) in ASKING or route.path.endswith(("/preview", "/check"))


def test_every_route_says_whom_it_is_for() -> None:
    assert {str(route) for route in ROUTES if route.need is None} <= OPEN
    assert [str(route) for route in ROUTES if route.need is not None and not route.need.scope] == []
    changing = [r for r in ROUTES if r.need is not None and r.method != "GET" and not only_asks(r)]
    assert [str(route) for route in changing if route.need is not None and route.need.role < Role.analyst] == []
    assert [str(r) for r in ROUTES if r.need is not None and r.path.startswith(ADMINS) and r.need.role < Role.admin] == []
    lax = [r for r in changing if r.path.startswith(CONFIGURED) and r.need is not None and r.need.role < Role.admin]
    assert [str(route) for route in lax if not route.path.endswith(WORK)] == []


def test_every_role_on_every_route(api: Api) -> None:
    clients = {role: api(role) for role in ("viewer", "analyst", "admin")}
    scoped, nobody = api("admin", scopes=("nothing",)), api(None)
    wrong = []
    for route in (route for route in ROUTES if route.need is not None):
        assert route.need is not None
        for name, client in [*clients.items(), ("nobody", nobody), ("scoped", scoped)]:
            expected = 401 if name == "nobody" else 403 if name == "scoped" or Role[name] < route.need.role else None
            status = call(client, route).status_code
            if status >= 500 or (status in (401, 403)) != (expected is not None) or (expected is not None and status != expected):
                wrong.append(f"{route} as {name}: {status}, expected {expected or 'neither 401, 403 nor 5xx'}")
    assert wrong == []
    assert len(ROUTES) > 60


def test_every_route_explains_itself(api: Api) -> None:
    document = api(None).get("/openapi.json").json()
    lacking = [
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, route in methods.items()
        if not route.get("summary") or not route.get("description") or not route.get("tags")
    ]
    assert lacking == []
    page = api(None).get("/docs").text
    assert all(f"<code>{path}</code>" in page for path in document["paths"])
