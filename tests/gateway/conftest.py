"""The gateway on a real database, with real keys. Rows for tests lie beside; importlib mode does not look there by itself."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateway.app import create_app
from store.database import Database
from store.settings import Settings, read

sys.path.insert(0, str(Path(__file__).parent))
from gateway_keys import key_of


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No log lines: structlog's own setup renders a traceback with every local, which takes seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    """Settings with a home of their own; a test module may override this fixture."""
    return read(home=tmp_path)


@pytest.fixture
def gateway(gateway_settings: Settings, database: Database) -> FastAPI:
    return create_app(gateway_settings, database)


@pytest.fixture
def api(gateway: FastAPI, database: Database) -> Iterator[Callable[..., TestClient]]:
    """`api(role="analyst", tenant="main", scopes=())`: a client that sends a key of that role; role None: no key."""
    with ExitStack() as stack:
        stack.enter_context(TestClient(gateway))  # runs the lifespan once

        def client(role: str | None = "analyst", tenant: str = "main", scopes: tuple[str, ...] = ()) -> TestClient:
            headers = {"Authorization": f"Bearer {key_of(database, role, tenant, scopes)}"} if role is not None else {}
            return TestClient(gateway, headers=headers, raise_server_exceptions=False)

        yield client
