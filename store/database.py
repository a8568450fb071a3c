"""One pool of connections per process, and the named queries run over it. The only way to the database for other packages.

    with open_database(settings()) as database:
        database.fetch("newest_anomalies", tenant="main", limit=20)
        with database.connection() as connection:        # one transaction
            run(connection, "lease_case", case_id=...)

Rows are dictionaries; a dict given as a parameter goes in as jsonb, `Jsonb(x)` does it for lists; a numpy array given
goes in as a vector and comes out as pgvector.Vector.
"""

import atexit
import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg_pool
from pgvector.psycopg import register_vector
from psycopg import conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb, JsonbDumper

from store import embedded, migrations, timescale
from store.away import translated, wait_for
from store.carried import SET, TRACEPARENT
from store.errors import DatabaseAway
from store.named import sql
from store.settings import Settings

Connection = psycopg.Connection[DictRow]
LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE")
ACQUIRE_S = 5.0
AS_TENANT = "select set_config('role', 'conclave_app', true), set_config('conclave.tenant', %s, true)"

__all__ = [
    "Connection",
    "Database",
    "Jsonb",
    "Queries",
    "Tenant",
    "fetch",
    "open_database",
    "place_of",
    "run",
    "sql",
    "translated",
    "url",
    "wait_for",
]


def url(settings: Settings) -> str:
    """Where the database is: `database_url`, else libpq's PG* variables, else the embedded server (started when not running)."""
    return _elsewhere(settings) or embedded.start(settings.home)


def is_embedded(settings: Settings) -> bool:
    return _elsewhere(settings) is None


def _elsewhere(settings: Settings) -> str | None:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return "postgresql://" if any(os.environ.get(name) for name in LIBPQ) else None


def _again(settings: Settings) -> str:
    return _elsewhere(settings) or embedded.revive(settings.home)


def place_of(address: str) -> str:
    """An address without its password, to be shown.

    >>> place_of('postgresql://conclave:secret@127.0.0.1:5432/conclave')
    'conclave@127.0.0.1:5432/conclave'
    """
    parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(address).items()}
    get = functools.partial(parts.get)
    user, host = get("user") or os.environ.get("PGUSER", ""), get("host") or os.environ.get("PGHOST", "localhost")
    port, name = get("port") or os.environ.get("PGPORT", "5432"), get("dbname") or os.environ.get("PGDATABASE", "")
    return f"{user}@{host}:{port}/{name}".lstrip("@")


def open_database(settings: Settings, wait_s: float = 5.0) -> "Database":
    """The process's database, migrated and ready; waits `wait_s` seconds for a server that is away, then raises DatabaseAway."""

    def prepare() -> str:
        address = url(settings)
        with connect(address) as connection:
            migrations.migrate(connection)
            timescale.adopt(connection, settings.retention)
        return address

    wait_for(prepare, wait_s)
    return Database(lambda: _again(settings), settings.pool_size)


@contextlib.contextmanager
def connect(address: str, *, autocommit: bool = True) -> Iterator[Connection]:
    """A single connection outside of any pool, for migrations and checks."""
    with translated(), psycopg.connect(address, row_factory=dict_row, autocommit=autocommit, connect_timeout=5) as connection:
        yield connection


def fetch(connection: Connection, name: str, /, **params: Any) -> list[dict[str, Any]]:
    """The rows of a named query, inside the caller's transaction."""
    return connection.execute(sql(name).encode(), params).fetchall()


def run(connection: Connection, name: str, /, **params: Any) -> int:
    """Run a named statement inside the caller's transaction; the number of rows it touched."""
    return connection.execute(sql(name).encode(), params).rowcount


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """What every pooled connection knows beyond plain psycopg."""
    connection.adapters.register_dumper(dict, JsonbDumper)
    register_vector(connection)
    connection.commit()


class Queries:
    """Named queries, each in a transaction of its own, over whatever `connection` gives."""

    def connection(self) -> contextlib.AbstractContextManager[Connection]:
        raise NotImplementedError

    def fetch(self, name: str, /, **params: Any) -> list[dict[str, Any]]:
        """The rows of a named query, in a transaction of its own."""
        with self.connection() as connection:
            return fetch(connection, name, **params)

    def run(self, name: str, /, **params: Any) -> int:
        """Run a named statement in a transaction of its own; the number of rows it touched."""
        with self.connection() as connection:
            return run(connection, name, **params)


class Tenant(Queries):
    """One tenant's view: every transaction runs as `conclave_app`, held to the tenant by row-level security."""

    def __init__(self, database: "Database", tenant: str) -> None:
        self._database = database
        self.tenant = tenant

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._database.connection() as connection:
            connection.execute(AS_TENANT, [self.tenant])
            yield connection


class Database(Queries):
    """One pool; a context manager that closes it.

    `address` is asked anew for each connection, so a server that comes back on another port is found.
    """

    def __init__(self, address: Any, pool_size: int = 4) -> None:
        self._address = address if callable(address) else lambda: address
        self._pool = psycopg_pool.ConnectionPool(
            self._address, min_size=1, max_size=pool_size, timeout=ACQUIRE_S, open=True, name="conclave", configure=_prepare,
            check=psycopg_pool.ConnectionPool.check_connection, reconnect_timeout=ACQUIRE_S,
            kwargs={"row_factory": dict_row, "application_name": "conclave", "connect_timeout": 5},
        )  # fmt: skip
        self._listeners: dict[str, psycopg.Connection[Any]] = {}
        self._locks: dict[str, threading.Lock] = {}
        atexit.register(self.close)

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one transaction: committed at the end, undone when anything is raised.

        Raises store.errors: DatabaseAway when none is had in 5 s or it breaks, DatabaseConflict, DatabaseRow …
        """
        with translated(), self._pool.connection() as connection:
            if (traceparent := TRACEPARENT.get()) is not None:
                connection.execute(SET, [traceparent])
            yield connection

    def of(self, tenant: str) -> "Tenant":
        """The same database under the application's role, which sees the rows of `tenant` only."""
        return Tenant(self, tenant)

    def listen(self, channel: str, timeout_s: float) -> bool:
        """Wait for a NOTIFY on `channel`; True when one came, also if it came since the previous call.

        The first call, and one after a lost connection, returns True at once: look, for something may have been missed.
        """
        with self._locks.setdefault(channel, threading.Lock()):  # threads wait on several channels at once
            listener = self._listeners.get(channel)
            try:
                if listener is None or listener.closed:
                    self._listeners[channel] = self._listener(channel)
                    return True
                return any(True for _ in listener.notifies(timeout=timeout_s, stop_after=1))
            except psycopg.OperationalError as error:
                self._listeners.pop(channel).close() if channel in self._listeners else None
                raise DatabaseAway(f"({error})") from error

    def _listener(self, channel: str) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = psycopg.connect(self._address(), autocommit=True, connect_timeout=5)
        connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
        return connection

    def close(self) -> None:
        """Close every connection; safe to repeat."""
        atexit.unregister(self.close)
        self._pool.close()
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
