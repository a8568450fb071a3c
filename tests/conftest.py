"""The database of the tests: one embedded server a session, one fresh database a test, cloned from a migrated template."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from store import embedded, migrations
from store.database import Database, connect

HOMES = Path(tempfile.gettempdir()) / f"conclave-tests-{os.getuid()}"
TEMPLATE = "conclave_template"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"database", "database_url", "server_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a migrated template database on an embedded server that ends with the session."""
    _sweep()
    home = HOMES / str(os.getpid())
    home.mkdir(parents=True)
    try:
        address = embedded.start(home, fsync="off", full_page_writes="off", synchronous_commit="off")
        with connect(address) as connection:
            connection.execute(f"create database {TEMPLATE}".encode())
        template = make_conninfo(address, dbname=TEMPLATE)
        with connect(template) as connection:
            migrations.migrate(connection)
        yield address
    finally:
        embedded.remove(home)
        home.rmdir()


def _sweep() -> None:
    """Remove what killed sessions left running."""
    for home in HOMES.glob("*") if HOMES.exists() else ():
        if not psutil.pid_exists(int(home.name)):
            embedded.remove(home)
            home.rmdir()


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A fresh, migrated, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        yield server_url.rpartition("/")[0] + "/" + name
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A Database on a fresh, migrated, empty database."""
    with Database(database_url) as opened:
        yield opened
