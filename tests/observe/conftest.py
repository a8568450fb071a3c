"""Traces sent and worked on. Rows for tests lie beside; importlib mode does not look there by itself."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from observe import intake, loop
from observe.intake import Arrival, Sender, Taken
from observe.span import Span
from store.database import Database
from store.settings import Settings, read

sys.path.insert(0, str(Path(__file__).parent))
Work = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path)


@pytest.fixture
def send(database: Database, settings: Settings) -> Callable[..., Taken]:
    """`send(span, …, now=, project="shop", tenant="main", settings=)` takes spans in."""

    def sent(
        *spans: Span, now: datetime, project: str = "shop", tenant: str = "main", settings: Settings = settings, **sender: Any
    ) -> Taken:  # fmt: skip
        who = Sender(tenant, "key:test", "api", **sender)
        return intake.accept(database.of(tenant), who, [Arrival(project, one) for one in spans], settings, now)

    return sent


@pytest.fixture
def work(database: Database, settings: Settings) -> Work:
    """`work(now, settings=)` does all that is due at a moment."""

    def worked(now: datetime, settings: Settings = settings) -> None:
        while loop.work(database, settings, now):
            pass

    return worked


@pytest.fixture
def row(database: Database) -> Callable[..., dict[str, Any]]:
    """`row(trace_id, tenant="main")`: a trace as it is stored."""
    return lambda trace_id, tenant="main": database.fetch("trace_read", tenant=tenant, trace_id=trace_id)[0]
