"""Spans for tests."""

from datetime import UTC, datetime
from typing import Any

from observe.span import Span

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CONTEXT = "Refunds are processed by the Berlin office in 3 business days. Cards are blocked after 5 payments within 60 seconds."
GOOD = "Refunds are processed in 3 business days by the Berlin office."
BAD = "Refunds are shipped to Paris by courier within 40 days."


def span(trace_id: str, **fields: Any) -> Span:
    """A whole trace of one call, faithful unless said otherwise."""
    given: dict[str, Any] = {
        "span_id": "root", "name": "answer", "kind": "llm", "started_at": NOW, "latency_ms": 800.0, "model": "gpt-4o-mini",
        "tokens_in": 1000, "tokens_out": 100, "input": "How long do refunds take?", "contexts": (CONTEXT,), "output": GOOD,
    }  # fmt: skip
    return Span(trace_id=trace_id, **(given | fields))
