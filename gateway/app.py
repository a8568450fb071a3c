"""The application: routes, access, limits and errors put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from gateway import problems
from gateway.access import scopes_of, utc_now
from gateway.bodies import Bodies
from gateway.envelope import Envelope
from gateway.graphql.schema import schema
from gateway.intake import forget
from gateway.lag import Watch
from gateway.lanes import open_lane
from gateway.limits import Limits
from gateway.metrics import Metrics
from gateway.readiness import Readiness, checks
from gateway.routes import routers
from store.database import Database
from store.errors import BadSettings, DatabaseError
from store.sections.gateway import Gateway
from store.settings import Settings
from trust.oidc import Expected, Provider

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": problems.ProblemDetail, "description": problems.TITLES[status]} for status in (401, 403, 422, 429)
}
ABOUT = """Events in; anomalies, rulings and cases out. Every request needs `Authorization: Bearer KEY` with a key of
`conclave keys create`, or an OIDC token. A key has a role (viewer reads, analyst works, admin configures) and may be limited to
groups of routes.

Lists take `limit` and `after` and answer `items` and `next`: give `next` back as `after` until it is null. Times are RFC 3339 in
UTC. Everything that goes wrong is application/problem+json with a `detail` that says what to do and, where one is at fault, a
`field`. Every answer has an X-Request-Id; name it when asking for help."""
TAGS = [
    {"name": name, "description": about}
    for name, about in {
        "events": "Events from other systems, into the stream.",
        "reads": "What was seen and found: entities, their metrics, anomalies, rulings.",
        "cases": "What people work on: the inbox, a case, what is done to it.",
        "commands": "What the council proposes to do; approved, carried out, undone.",
        "feedback": "What people think of anomalies and rulings.",
        "maintenance": "Planned work, during which cases are kept quiet.",
        "reports": "A case on paper; tables as files.",
        "stream": "Changes as they happen, as server-sent events.",
        "graphql": "Reads, cases and feedback by GraphQL.",
        "pipelines": "Topics, segments and the processors that act on their events.",
        "channels": "Where people are told, and who is told what.",
        "alert topics": "Rulings and rule hits for other systems to subscribe to.",
        "assistant": "Questions to the runbook, the cases and the model.",
        "documents": "The runbook's documents, and sections proposed for it.",
        "traces": "Calls of language models: sent here, scored, priced, watched.",
        "schedules": "Jobs by cron or interval.",
        "privacy": "What stands behind a token, and how somebody is forgotten.",
        "keys": "API keys.",
        "audit": "Who did what, and the proof that nobody changed it.",
        "health": "How the gateway is. /health and /ready need no key.",
    }.items()
]
FORGET_EVERY_S = 600.0
UPLOADS = ("/v1/events", "/v1/documents", "/v1/traces", "/v1/otlp/")

log = structlog.get_logger("gateway")


def create_app(settings: Settings, database: Database, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The gateway over an open database; `clock` gives the wall clock's time with its zone."""
    app = FastAPI(
        title="Conclave", version=version("conclave"), description=ABOUT, openapi_tags=TAGS, responses=ERRORS, lifespan=life,
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    state = app.state
    state.settings, state.database, state.clock = settings, database, clock
    state.limits, state.metrics, state.provider = Limits(settings.gateway), Metrics(), provider(settings.gateway)
    state.lane, state.watch = open_lane(settings), Watch(settings, database)
    state.readiness = Readiness(checks(settings, database, state.watch))
    state.streams = 0
    state.graphql = schema(settings.gateway)
    problems.install(app)
    served = routers()
    state.scopes = scopes_of(route for router in served for route in router.routes)
    for router in served:
        app.include_router(router)
    app.add_middleware(Bodies, allowed=allowed(settings.gateway))
    if settings.gateway.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.gateway.cors_origins), allow_methods=["*"], allow_headers=["*"]
        )
    app.add_middleware(Envelope, metrics=state.metrics)
    return app


@contextlib.asynccontextmanager
async def life(app: FastAPI) -> AsyncIterator[None]:
    """While it serves, what is past its time is forgotten now and then; at the end everything held is sent and closed."""
    forgetting = asyncio.create_task(forget_now_and_then(app))
    try:
        yield
    finally:
        forgetting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await forgetting
        app.state.lane.close()


async def forget_now_and_then(app: FastAPI) -> None:
    while True:
        await asyncio.sleep(FORGET_EVERY_S)
        try:
            await asyncio.to_thread(forget, app.state.database, app.state.settings.gateway, app.state.clock())
        except DatabaseError as error:
            log.warning("old ids and answers stay until later", error=str(error))


def allowed(settings: Gateway) -> Callable[[str], int]:
    """The most bytes of a body by path."""
    return lambda path: settings.max_upload_bytes if path.startswith(UPLOADS) else settings.max_body_bytes


def provider(settings: Gateway) -> Provider | None:
    """The OpenID provider of the settings. Raises BadSettings when it is named by half."""
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_audience is None:
        raise BadSettings(
            "gateway.oidc_audience: must be given with oidc_issuer, or tokens for other services would open this one"
        )
    return Provider(
        Expected(
            settings.oidc_issuer,
            settings.oidc_audience,
            settings.oidc_role_claim,
            settings.oidc_tenant_claim,
            settings.oidc_roles,
        )
    )
