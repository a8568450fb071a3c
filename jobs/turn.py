"""One writer at a time for a Delta table on S3.

Delta's log there is safe for one process only: it looks whether a commit's file exists and then writes it, without S3's own
condition. Ingest, detect (conflicts), compaction and erasure are several, so they take turns by a lock in Postgres.
Azure and Google refuse the second writer of a file themselves, a local disk does, too.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from store.database import Database, fetch, wait_for
from store.settings import Settings


@contextmanager
def turn(settings: Settings, database: Database, table: str) -> Iterator[None]:
    """Hold the table's lock while writing to it, where it lies on S3; a database that is away is waited for.

    Raises DatabaseAway also at the end, when the connection broke meanwhile: a batch is then tried again, and its key in Delta's
    log makes a commit that did succeed a no-op.
    """
    with ExitStack() as stack:
        if table.startswith("s3a://"):
            wait_for(lambda: _take(stack, database, table), settings.detect.database_wait_s)
        yield


def _take(stack: ExitStack, database: Database, table: str) -> None:
    with ExitStack() as tried:
        fetch(tried.enter_context(database.connection()), "lock_tables", place=table)
        stack.push(tried.pop_all())
