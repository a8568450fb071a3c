"""The application: routes, access and errors put together."""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from gateway import problems
from gateway.access import utc_now
from gateway.routes import routers
from store.database import Database
from store.settings import Settings

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": problems.ProblemDetail, "description": problems.TITLES[status]} for status in (401, 403, 422, 429)
}


def create_app(settings: Settings, database: Database, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The gateway over an open database; `clock` gives the wall clock's time with its zone."""
    app = FastAPI(title="Conclave", version=version("conclave"), docs_url=None, redoc_url=None, responses=ERRORS)
    app.state.settings, app.state.database, app.state.clock = settings, database, clock
    problems.install(app)
    for router in routers():
        app.include_router(router)
    return app
