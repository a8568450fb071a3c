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
from gateway.access import utc_now
from gateway.bodies import Bodies
from gateway.envelope import Envelope
from gateway.intake import forget
from gateway.lag import Watch
from gateway.lanes import open_lane
from gateway.limits import Limits
from gateway.metrics import Metrics
from gateway.routes import routers
from store.database import Database
from store.errors import BadSettings, DatabaseError
from store.sections.gateway import Gateway
from store.settings import Settings
from trust.oidc import Expected, Provider

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": problems.ProblemDetail, "description": problems.TITLES[status]} for status in (401, 403, 422, 429)
}
FORGET_EVERY_S = 600.0
UPLOADS = ("/v1/events", "/v1/documents", "/v1/traces", "/v1/otlp/")

log = structlog.get_logger("gateway")


def create_app(settings: Settings, database: Database, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The gateway over an open database; `clock` gives the wall clock's time with its zone."""
    app = FastAPI(title="Conclave", version=version("conclave"), docs_url=None, redoc_url=None, responses=ERRORS, lifespan=life)
    state = app.state
    state.settings, state.database, state.clock = settings, database, clock
    state.limits, state.metrics, state.provider = Limits(settings.gateway), Metrics(), provider(settings.gateway)
    state.lane, state.watch = open_lane(settings), Watch(settings, database)
    problems.install(app)
    for router in routers():
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
