"""OTLP/HTTP: traces of OpenTelemetry clients."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.access import App, Needs, Now, Store
from gateway.problems import Problem
from observe import intake, otlp, projects
from observe.intake import Sender, Taken
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/otlp", tags=["traces"])
Analyst = Annotated[Caller, Needs(Role.analyst, scope="traces")]


@router.post(
    "/v1/traces", summary="Send traces by OTLP/HTTP", response_class=Response,
    responses={200: {"content": {otlp.PROTOBUF: {}, otlp.JSON: {}}, "description": "ExportTraceServiceResponse"}},
    openapi_extra={"requestBody": {"required": True, "content": {
        otlp.PROTOBUF: {"schema": {"type": "string", "format": "binary"}}, otlp.JSON: {"schema": {"type": "object"}}}}},
)  # fmt: skip
async def send_otlp(caller: Analyst, store: Store, settings: App, now: Now, request: Request) -> Response:
    """Spans with OpenTelemetry GenAI or OpenInference attributes, as protobuf or JSON, gzip if you like. The project is the key's
    only one, else the resource's `openinference.project.name` or `service.name`. What cannot be taken is counted in
    `partial_success`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (otlp.PROTOBUF, otlp.JSON):
        raise Problem(415, detail=f"Send {otlp.PROTOBUF} or {otlp.JSON}.", field="Content-Type")
    body = await request.body()
    limits = projects.allowed(caller)
    only = next(iter(limits)) if limits is not None and len(limits) == 1 else None

    def take() -> bytes:
        first = Taken()
        arrivals = otlp.arrivals(otlp.read(body, media), only, first)
        taken = intake.accept(store, Sender(caller.tenant, caller.actor, "otlp", limits), arrivals, settings, now)
        taken.refused += first.refused
        return otlp.answer(taken, media)

    return Response(await run_in_threadpool(take), media_type=media)
