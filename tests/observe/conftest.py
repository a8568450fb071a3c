"""Traces made by the dozen, and a moment in time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from observe import intake
from observe.intake import Arrival, Sender, Taken
from observe.span import Span
from store.database import Database
from store.sections.observe import Observe
from store.sections.privacy import Privacy
from store.settings import Settings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CONTEXT = "Refunds are processed by the Berlin office in 3 business days. Cards are blocked after 5 payments within 60 seconds."


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Everything is kept unless a test wants it otherwise."""
    return made(tmp_path)


def made(home: Path, **observe: Any) -> Settings:
    key = home / "master.key"
    return Settings(home=home, observe=Observe(**observe), privacy=Privacy(master_key_file=key if key.exists() else None))


def span(trace_id: str, **fields: Any) -> Span:
    """A whole trace of one call, faithful unless said otherwise."""
    given: dict[str, Any] = {
        "span_id": "root", "name": "answer", "kind": "llm", "started_at": NOW, "latency_ms": 800.0, "model": "gpt-4o-mini",
        "tokens_in": 1000, "tokens_out": 100, "input": "How long do refunds take?", "contexts": (CONTEXT,),
        "output": "Refunds are processed in 3 business days by the Berlin office.",
    }  # fmt: skip
    return Span(trace_id=trace_id, **(given | fields))


@pytest.fixture
def send(database: Database, settings: Settings) -> Callable[..., Taken]:
    """`send(span, …, project=, tenant=, now=, limits=)` takes spans in."""

    def sent(*spans: Span, project: str = "shop", tenant: str = "main", now: datetime = NOW, **sender: Any) -> Taken:
        who = Sender(tenant, "key:test", "api", **sender)
        return intake.accept(database.of(tenant), who, [Arrival(project, one) for one in spans], settings, now)

    return sent


def later(**by: float) -> datetime:
    return NOW + timedelta(**by)
