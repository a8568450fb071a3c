"""Model calls and look-ups of the assistant, written to tool_audit like the council's."""

from typing import Any

from assistant.lookups import Asking
from rag import quoting
from store.database import run
from trust.pii import mask

CAP = 4_000  # characters kept of an answer


def model(asking: Asking, role: str, **row: Any) -> None:
    """One model call; unknown numbers stay null."""
    _write(asking, kind="model", role=role, **row)


def tool(asking: Asking, role: str, called: str, latency_ms: float, detail: str, response: str) -> None:
    """One look-up."""
    _write(asking, kind="tool", role=role, called=called, latency_ms=latency_ms, outcome="ok", detail=detail, response=response)


def _write(asking: Asking, **row: Any) -> None:
    whole = {"prompt_hash": "", "tokens_in": None, "tokens_out": None, "detail": "", "response": None} | row
    for name in ("detail", "response"):
        if whole[name] is not None:
            whole[name] = mask(quoting.plain(whole[name], CAP))
    with asking.database.connection() as connection:
        run(connection, "audit_question", tenant=asking.tenant, **whole)
