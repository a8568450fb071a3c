"""Whether the gateway lives, what it depends on, what it counts; and its own description."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from gateway.access import BEARER, HEADER, App, identify, in_scope, signed_in
from gateway.document import page
from gateway.problems import Problem
from gateway.readiness import ready
from store.errors import ConclaveError
from trust.roles import Caller

router = APIRouter(tags=["health"])
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class DependencyItem(BaseModel):
    """One thing the gateway needs or uses."""

    name: str = Field(examples=["database"])
    state: str = Field(examples=["ok"], description="ok, fail or off")
    optional: bool = Field(description="true: the gateway serves without it")
    said: str | None = Field(None, description="more, for those who are signed in")


class Ready(BaseModel):
    """`ready` is false when something that is not optional fails."""

    ready: bool
    dependencies: list[DependencyItem]


@router.get("/health", summary="Does it live?")
async def health() -> Alive:
    """Answers as long as the process does; says nothing of what it depends on (`/ready` does). Needs no key."""
    return Alive()


def visitor(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> Caller | None:
    """Whoever is signed in; None for one who is not, also while the database that knows keys is away."""
    presented = bearer.credentials if bearer is not None else header
    try:
        return identify(request, presented) if presented else None
    except (ConclaveError, Problem):
        return None


@router.get("/ready", summary="Can it serve?", response_model=Ready, responses={503: {"model": Ready}})
def readiness(request: Request, caller: Annotated[Caller | None, Depends(visitor)]) -> Response:
    """Each dependency by name; 503 when one fails that is not optional. Needs no key; with one it says more."""
    found = request.app.state.readiness.look()
    for one in found:
        request.app.state.metrics.ready(one.name, one.state != "fail")
    items = [
        DependencyItem(name=one.name, state=one.state, optional=one.optional, said=one.said if caller is not None else None)
        for one in found
    ]
    well = ready(found)
    return JSONResponse(Ready(ready=well, dependencies=items).model_dump(), 200 if well else 503)


def _open_or_signed_in(request: Request, is_open: bool, presented: str | None) -> None:
    if is_open:
        return
    caller = signed_in(request, None, presented)
    if not in_scope(caller, "metrics"):
        raise Problem(403, detail=f"Your key is limited to: {', '.join(sorted(caller.scopes))}.")


def _presented(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)], header: Annotated[str | None, Depends(HEADER)]
) -> str | None:
    return bearer.credentials if bearer is not None else header


@router.get(
    "/metrics", summary="Counters, for Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
def metrics(request: Request, settings: App, presented: Annotated[str | None, Depends(_presented)]) -> Response:
    """Requests, seconds, events and dependencies in Prometheus' text form. Needs a key unless gateway.open_metrics is set."""
    _open_or_signed_in(request, settings.gateway.open_metrics, presented)
    return Response(request.app.state.metrics.text(), media_type=PROMETHEUS)


@router.get("/openapi.json", include_in_schema=False)
def description(request: Request, settings: App, presented: Annotated[str | None, Depends(_presented)]) -> JSONResponse:
    _open_or_signed_in(request, settings.gateway.open_docs, presented)
    return JSONResponse(request.app.openapi())


@router.get("/docs", include_in_schema=False)
def documentation(request: Request, settings: App, presented: Annotated[str | None, Depends(_presented)]) -> Response:
    _open_or_signed_in(request, settings.gateway.open_docs, presented)
    return Response(page(request.app.openapi()), media_type="text/html; charset=utf-8")
