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
os.environ.setdefault("CONCLAVE_TELEMETRY__METRICS_PORT", "0")  # only tests of /metrics take ports
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


@pytest.fixture(scope="session")
def emptied(server_url: str) -> Iterator["Emptied"]:
    """The databases of this session that tests have given back."""
    with Emptied(server_url) as databases:
        yield databases


@pytest.fixture
def database_url(emptied: "Emptied") -> Iterator[str]:
    """A migrated, empty database: a fresh one, or one that an earlier test used and that was emptied."""
    address = emptied.take()
    try:
        yield address
    finally:
        emptied.give_back(address)


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


class Emptied:
    """Databases to be used again: a clone of the template takes 0.3 s of a core, emptying some tables a tenth of it.

    One whose schema, functions, policies or grants a test has changed is dropped.
    """

    def __init__(self, server: str) -> None:
        self._server, self._ready, self._kept = server, list[str](), contextlib.ExitStack()
        self._original = self._seen(_named(server, TEMPLATE))

    def __enter__(self) -> "Emptied":
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def take(self) -> str:
        return self._ready.pop() if self._ready else self._kept.enter_context(_fresh(self._server, TEMPLATE))

    def give_back(self, address: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            name = conninfo_to_dict(address)["dbname"]
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        if self._seen(address) == self._original:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(EMPTY)
            self._ready.append(address)

    @staticmethod
    def _seen(address: str) -> object:
        with psycopg.connect(address) as connection:
            return connection.execute(SCHEMA).fetchone()


SCHEMA = """select
  (select string_agg(concat(oid, relname, relkind, relrowsecurity, relacl, reloptions), ',' order by oid) from pg_class
    where relnamespace = 'public'::regnamespace and relkind <> 'i'),
  (select string_agg(concat(attrelid, attname, atttypid, attnotnull), ',' order by attrelid, attnum) from pg_attribute
    join pg_class c on c.oid = attrelid where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')),
  (select string_agg(concat(conrelid, conname), ',' order by conrelid, conname) from pg_constraint),
  (select string_agg(concat(tgrelid, tgname, tgenabled), ',' order by tgrelid, tgname) from pg_trigger where not tgisinternal),
  (select string_agg(concat(oid, md5(prosrc)), ',' order by oid) from pg_proc where pronamespace = 'public'::regnamespace),
  (select string_agg(concat(polrelid, polname), ',' order by polrelid, polname) from pg_policy),
  (select string_agg(concat(number, sha256), ',' order by number) from schema_migrations),
  (select string_agg(concat(setdatabase, setrole, setconfig), ',' order by setdatabase, setrole) from pg_db_role_setting
    where setdatabase = (select oid from pg_database where datname = current_database()))"""

EMPTY = """do $$
declare name text; full_ones text[] := '{}'; filled boolean;
begin
  set local session_replication_role = replica;  -- append-only tables as well
  for name in select quote_ident(relname) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
      and relname <> 'schema_migrations' loop
    execute format('select exists (select from %s)', name) into filled;
    if filled then full_ones := full_ones || name; end if;
  end loop;
  if full_ones <> '{}' then execute 'truncate ' || array_to_string(full_ones, ', ') || ' restart identity cascade'; end if;
  for name in select quote_ident(sequencename) from pg_sequences where schemaname = 'public' and last_value is not null loop
    execute format('alter sequence %s restart', name);
  end loop;
end $$"""


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
