"""Model calls and look-ups of the assistant, written to tool_audit like the council's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.lookups import Asking
from rag import quoting
from rag.audit import Call
from rag.tracing import Answered
from store.database import run
from trust.pii import mask

CAP = 4_000  # characters kept of an answer


def model(asking: Asking, role: str, **row: Any) -> None:
    """One model call; unknown numbers stay null."""
    kept = {name: row[name] for name in ("tokens_in", "tokens_out", "prompt_hash", "detail", "response") if name in row}
    asking.calls.append(Call("model", row["called"], row["outcome"], row["latency_ms"], role=role, **kept))
    _write(asking, kind="model", role=role, **row)


def tool(asking: Asking, role: str, called: str, latency_ms: float, detail: str, response: str) -> None:
    """One look-up."""
    _write(asking, kind="tool", role=role, called=called, latency_ms=latency_ms, outcome="ok", detail=detail, response=response)


def answered(
    asking: Asking, source: str, question: str, answer: str, contexts: Sequence[str], model: str, took_ms: float
) -> None:
    """Tell whoever watches of an answer and the model calls that went into it. `model`: who spoke, where no model did."""
    if asking.watch is not None:
        began = datetime.now(UTC) - timedelta(milliseconds=took_ms)
        asking.watch(Answered(source, question, answer, tuple(contexts), model, began, took_ms, tuple(asking.calls),
                              session=asking.session, user=asking.asker or None))  # fmt: skip
    asking.calls.clear()


def _write(asking: Asking, **row: Any) -> None:
    whole = {"prompt_hash": "", "tokens_in": None, "tokens_out": None, "detail": "", "response": None} | row
    for name in ("detail", "response"):
        if whole[name] is not None:
            whole[name] = mask(quoting.plain(whole[name], CAP))
    with asking.database.connection() as connection:
        run(connection, "audit_question", tenant=asking.tenant, **whole)
