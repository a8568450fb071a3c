"""One job per checkpoint: a session-level advisory lock, held on a connection of its own."""

import contextlib
from collections.abc import Iterator

from jobs.errors import JobRunning
from store.database import connect, fetch


@contextlib.contextmanager
def fenced(address: str, checkpoint: str) -> Iterator[None]:
    """Hold the checkpoint's lock; raises JobRunning when another process has it.

    Should the connection break, the ledger still makes a second writer's batch a no-op or a conflict.
    """
    with connect(address) as connection:
        if not fetch(connection, "take_fence", checkpoint=checkpoint)[0]["taken"]:
            raise JobRunning(f"({checkpoint})")
        yield
