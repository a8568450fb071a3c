"""Round every request: its id, its line in the log, its place in the metrics, the headers that keep browsers safe."""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics
from gateway.problems import Problem, answer

SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Cache-Control": "no-store",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}

log = structlog.get_logger("gateway")


class Envelope:
    """ASGI middleware, the outermost one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        begun, status, started = time.perf_counter(), 500, False

        async def wrapped(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, text in (SAFE | (OVER_TLS if scope.get("scheme") == "https" else {})).items():
                    headers.setdefault(name, text)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, wrapped)
            except Exception:
                log.exception("a route failed")
                if started:
                    raise
                await fault(Request(scope))(scope, receive, wrapped)
            finally:
                self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, took_s: float) -> None:
        """Metrics go by the route's pattern, since paths hold ids; so does the log, since ids may be people's."""
        route = getattr(scope.get("route"), "path", "none")
        caller = scope.get("state", {}).get("caller")
        self.metrics.answered(scope["method"], route, status, took_s)
        log.info(
            "answered", method=scope["method"], route=route, status=status, ms=round(took_s * 1000, 1),
            actor=caller.actor if caller is not None else None, tenant=caller.tenant if caller is not None else None,
        )  # fmt: skip


def fault(request: Request) -> JSONResponse:
    return answer(request, Problem(500, detail="It was written to the log with this request's id."))


def request_id_of(given: str | None) -> str:
    """The caller's own id when it is sane, else a new one."""
    return given if given is not None and SANE.fullmatch(given) else secrets.token_hex(8)
