"""The driver's errors in our words, and waiting for a database that is away. The one place that knows SQLSTATEs."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
import psycopg_pool
import tenacity
from psycopg import errors as sqlstates

from store.errors import (
    DatabaseAway,
    DatabaseConflict,
    DatabaseError,
    DatabaseForbidden,
    DatabaseFull,
    DatabaseLogin,
    DatabaseOlder,
    DatabaseRow,
)

T = TypeVar("T")

MEANINGS: dict[type[Exception], type[DatabaseError]] = {
    sqlstates.UndefinedTable: DatabaseOlder,
    sqlstates.UndefinedColumn: DatabaseOlder,
    sqlstates.UndefinedFunction: DatabaseOlder,
    sqlstates.InsufficientPrivilege: DatabaseForbidden,
    sqlstates.DiskFull: DatabaseFull,
    sqlstates.TooManyConnections: DatabaseFull,
    sqlstates.InvalidPassword: DatabaseLogin,
    sqlstates.InvalidAuthorizationSpecification: DatabaseLogin,
    sqlstates.InvalidCatalogName: DatabaseLogin,
    sqlstates.SerializationFailure: DatabaseConflict,
    sqlstates.DeadlockDetected: DatabaseConflict,
    sqlstates.LockNotAvailable: DatabaseConflict,
    psycopg.IntegrityError: DatabaseRow,
    psycopg.DataError: DatabaseRow,
    sqlstates.AdminShutdown: DatabaseAway,
    sqlstates.CrashShutdown: DatabaseAway,
    sqlstates.CannotConnectNow: DatabaseAway,
    sqlstates.IdleInTransactionSessionTimeout: DatabaseAway,
    psycopg_pool.PoolTimeout: DatabaseAway,
    psycopg_pool.PoolClosed: DatabaseAway,
}
LOGIN_WORDS = ("authentication failed", "no pg_hba.conf entry", "no password supplied", 'role "', 'database "')


def meaning(error: Exception) -> type[DatabaseError]:
    """Our error for one of the driver's.

    A failed connection carries no SQLSTATE, only libpq's words: a server that refuses the login is not away.
    """
    for theirs, ours in MEANINGS.items():
        if isinstance(error, theirs):
            return ours
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None:
        return DatabaseLogin if any(word in str(error) for word in LOGIN_WORDS) else DatabaseAway
    if isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith("08"):
        return DatabaseAway
    return DatabaseError


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what psycopg raises inside into an error of store.errors; the original stays its cause."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as error:
        raise meaning(error)(f"({str(error).strip() or type(error).__name__})") from error


def wait_for(work: Callable[[], T], wait_s: float, waiting: Callable[[DatabaseAway, float], None] | None = None) -> T:
    """Do `work`, again with growing pauses (0.1 s to 5 s, jittered) while it raises DatabaseAway, for at most `wait_s` seconds.

    `work` must be one whole transaction. `waiting(error, seconds so far)` is told before each pause. The last error is raised.
    """

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if waiting is not None and isinstance(error, DatabaseAway):
            waiting(error, state.seconds_since_start or 0.0)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DatabaseAway),
        wait=tenacity.wait_exponential_jitter(multiplier=0.1, max=5, jitter=0.2),
        stop=tenacity.stop_after_delay(wait_s),
        before_sleep=tell,
        reraise=True,
    )(work)
