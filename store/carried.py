"""The place in a trace where this thread is, as a W3C traceparent; transactions tell it to the server, whose rows keep it."""

from contextvars import ContextVar

TRACEPARENT: ContextVar[str | None] = ContextVar("conclave_traceparent", default=None)
SET = "select set_config('conclave.traceparent', %s, true)"
