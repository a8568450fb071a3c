"""One model or tool call, as it is recorded in tool_audit."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from trust.pii import mask

MAX_TEXT = 20_000


@dataclass(frozen=True)
class Call:
    """A call that was made (or, `skipped`, was not). Unknown numbers are None, never 0."""

    kind: Literal["model", "tool"]
    name: str
    outcome: str  # ok | no_opinion | timeout | refused | error | skipped
    latency_ms: float
    case_ids: tuple[str, ...] = ()
    role: str = ""
    prompt_hash: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    detail: str = ""
    response: str | None = None


def rows(calls: Iterable[Call], tenant: str) -> list[dict[str, Any]]:
    """The calls as rows; personal data, zero bytes, which Postgres refuses, and the rest of very long answers are left out."""
    return [
        {
            **vars(call),
            "tenant": tenant,
            "detail": _kept(call.detail),
            "response": None if call.response is None else _kept(call.response),
        }
        for call in calls
    ]


def _kept(text: str) -> str:
    return mask(text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[: 2 * MAX_TEXT])[:MAX_TEXT]


def prompt_hash(*texts: str) -> str:
    return sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()
