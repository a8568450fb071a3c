"""The demo's own folder and database: begun afresh, never anyone else's, stopped at the end."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.children import end_leftovers
from cli.errors import DemoFailed

if TYPE_CHECKING:
    from store.settings import Settings

MARK = ".conclave-demo"  # a folder without it is never wiped


@contextmanager
def opened(folder: Path, *, keep: bool) -> Iterator[Path]:
    """The demo's folder, empty unless kept; its database is stopped at the end. One demo at a time."""
    from store import embedded

    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demo is running in {folder}; stop it first, or give this one its own --home.") from None
        end_leftovers(folder / "children.json")
        if not keep:
            wipe(folder)
        folder.mkdir(exist_ok=True)
        (folder / MARK).touch()
        try:
            yield folder
        finally:
            embedded.stop(folder)


def wipe(folder: Path) -> None:
    """Delete a demo's folder and its database; refused for a folder that no demo made."""
    from store import embedded

    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise DemoFailed(f"{folder} is not empty and was not made by a demo; name another --home.")
    embedded.remove(folder)
    shutil.rmtree(folder, ignore_errors=True)


def own_settings(folder: Path) -> "Settings":
    """Settings that lead here: this home, its embedded database, its landing folder; in our environment for the children too."""
    from store import embedded
    from store.database import LIBPQ
    from store.settings import settings
    from trust import master

    for name in (*LIBPQ, "CONCLAVE_PRIVACY__MASTER_KEY"):
        os.environ.pop(name, None)
    os.environ |= {
        "CONCLAVE_HOME": str(folder),
        "CONCLAVE_DATABASE_URL": embedded.start(folder),
        "CONCLAVE_SOURCE__KIND": "files",
        "CONCLAVE_SOURCE__FOLDER": str(folder / "landing"),
        "CONCLAVE_DASHBOARD__SIGN_IN": "off",  # on loopback, of whoever runs it
        "CONCLAVE_PRIVACY__IDENTIFIERS": "tokenised",
        "CONCLAVE_PRIVACY__MASTER_KEY_FILE": str(folder / "keys" / "master.key"),
    }
    master.create(folder / "keys" / "master.key")
    settings.cache_clear()
    return settings()
