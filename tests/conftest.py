"""The database of the tests: one embedded server a session, one fresh database a test, cloned from a migrated template."""

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from store import embedded, migrations, timescale
from store.database import Database, connect
from store.sections.core import Retention

HOMES = Path(tempfile.gettempdir()) / f"conclave-tests-{os.getuid()}"
TEMPLATE = "conclave_template"
ON_EMBEDDED = {"server_url", "database_url", "database"}
ON_TIMESCALE = {"timescale_url", "timescale_database"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & ON_EMBEDDED:
            item.add_marker("database")
        if fixtures & ON_TIMESCALE:
            item.add_marker("timescale")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of an embedded server that ends with the session; it has a migrated template database."""
    _sweep()
    home = HOMES / str(os.getpid())
    home.mkdir(parents=True)
    try:
        address = embedded.start(home, fsync="off", full_page_writes="off", synchronous_commit="off")
        with connect(address) as connection:
            connection.execute(f"create database {TEMPLATE}".encode())
        with connect(_named(address, TEMPLATE)) as connection:
            migrations.migrate(connection)
        yield address
    finally:
        embedded.remove(home)
        home.rmdir()


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A fresh, migrated, empty database."""
    with _fresh(server_url, TEMPLATE) as address:
        yield address


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A Database on a fresh, migrated, empty database."""
    with Database(database_url) as opened:
        yield opened


@pytest.fixture
def timescale_url() -> Iterator[str]:
    """A fresh, migrated, empty database on the TimescaleDB of CONCLAVE_TEST_TIMESCALE, metric tables as hypertables."""
    server = os.environ.get("CONCLAVE_TEST_TIMESCALE")
    if not server:
        pytest.skip("CONCLAVE_TEST_TIMESCALE names no TimescaleDB")
    with _fresh(server, "template0") as address:
        with connect(address) as connection:
            migrations.migrate(connection)
            assert timescale.adopt(connection, Retention())
        yield address


@pytest.fixture
def timescale_database(timescale_url: str) -> Iterator[Database]:
    """A Database on TimescaleDB."""
    with Database(timescale_url) as opened:
        yield opened


@contextlib.contextmanager
def _fresh(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield _named(server, name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _named(address: str, name: str) -> str:
    """The same server's URL with another database; a URL and not libpq's words, since some clients only read URLs."""
    parts = conninfo_to_dict(address)
    login = f"{parts['user']}:{parts['password']}" if "password" in parts else str(parts["user"])
    return f"postgresql://{login}@{parts['host']}:{parts['port']}/{name}"


def _sweep() -> None:
    """Remove what killed sessions left running."""
    for home in HOMES.glob("*") if HOMES.exists() else ():
        if not psutil.pid_exists(int(home.name)):
            embedded.remove(home)
            with contextlib.suppress(FileNotFoundError):
                home.rmdir()
