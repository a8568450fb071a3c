"""Everything that goes wrong as application/problem+json (RFC 9457): a title, what to do, and the field at fault."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from store.errors import ConclaveError, DatabaseAway, DatabaseConflict, DatabaseError, DatabaseFull, DatabaseRow

MEDIA = "application/problem+json"
TITLES = {
    400: "The request cannot be understood", 401: "Who are you?", 403: "Not allowed", 404: "There is no such thing",
    405: "This cannot be done here", 409: "It has changed meanwhile", 413: "Too large", 415: "This kind of body is not taken",
    422: "Something in the request is wrong", 429: "Too much at once", 500: "A fault of ours", 503: "Something needed is away",
}  # fmt: skip
STATUS: dict[type[ConclaveError], int] = {
    ConclaveError: 422,
    DatabaseError: 500,
    DatabaseAway: 503,
    DatabaseFull: 503,
    DatabaseConflict: 409,
    DatabaseRow: 422,
}
HIDDEN = (DatabaseError,)  # what the driver says holds statements and values: it goes to the log, not to the caller

log = structlog.get_logger("gateway")


class ProblemDetail(BaseModel):
    """What every error answers (RFC 9457)."""

    status: int = Field(examples=[422])
    title: str = Field(examples=["Something in the request is wrong"])
    detail: str = Field(examples=["limit: must be at most 500"])
    field: str | None = Field(None, description="the field or parameter at fault", examples=["limit"])
    fields: list[dict[str, str]] | None = Field(None, description="each fault, where there are several")
    request_id: str | None = Field(None, description="to be named when asking for help; it is in the logs")


class Problem(Exception):
    """Raised anywhere below a route, it becomes the answer. `more`: further members of the document."""

    def __init__(
        self, status: int, title: str | None = None, detail: str = "", field: str | None = None,
        headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail or title)
        self.status, self.detail, self.field = status, detail, field
        self.title = title or TITLES.get(status, "It did not work")
        self.headers, self.more = dict(headers or {}), dict(more or {})


def register(statuses: Mapping[type[ConclaveError], int]) -> None:
    """Say which status each error of a service answers; subclasses take their parent's. Unregistered ones answer 422.

    An error may have `field` (the field at fault) and `more` (a mapping: further members of the document).
    """
    STATUS.update(statuses)


def status_of(error: ConclaveError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def install(app: FastAPI) -> None:
    """Let every error of the app answer as a problem; what nobody foresaw is answered by gateway/envelope.py."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(ConclaveError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def answer(request: Request, problem: Problem) -> JSONResponse:
    document = {"status": problem.status, "title": problem.title, "detail": problem.detail} | problem.more
    if problem.field is not None:
        document["field"] = problem.field
    document["request_id"] = getattr(request.state, "request_id", None)
    return JSONResponse(document, problem.status, problem.headers, media_type=MEDIA)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(request, error)


async def _service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ConclaveError)
    status = status_of(error)
    said = " ".join((type(error).__doc__ or "").split()) if isinstance(error, HIDDEN) else str(error)
    if status >= 500 or isinstance(error, HIDDEN):
        log.warning("a service failed", error=str(error), status=status)
    more, field = getattr(error, "more", None), getattr(error, "field", None)
    headers = {"Retry-After": "5"} if status == 503 else None
    return answer(request, Problem(status, detail=said, field=field, headers=headers, more=more))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [{"field": place(fault["loc"]), "detail": str(fault["msg"])} for fault in error.errors()[:20]]
    first = faults[0]
    detail = f"{first['field']}: {first['detail']}"
    return answer(request, Problem(422, detail=detail, field=first["field"], more={"fields": faults}))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    said = error.detail if error.detail != TITLES.get(error.status_code) else ""
    return answer(request, Problem(error.status_code, detail=str(said), headers=error.headers))


def place(location: tuple[int | str, ...]) -> str:
    """The field's name as the caller wrote it.

    >>> place(("body", "events", 3, "amount")), place(("query", "limit"))
    ('events.3.amount', 'limit')
    """
    inner = location[1:] if len(location) > 1 else location
    return ".".join(str(part) for part in inner)
