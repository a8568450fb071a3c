"""The undisturbed run: both jobs over the same input, with a home and a database of their own, and no fault."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos import oracle
from chaos.plant import Plant
from store import embedded
from store.database import Database

LONGEST_S = 900.0


def contents(plant: Plant) -> dict[str, list[str]]:
    """Every compared table as an undisturbed run leaves it."""
    home = plant.folder / "calm"
    home.mkdir()
    home.chmod(0o755)
    with server(home) as url:
        environment = plant.environment(home, url) | {"CONCLAVE_SOURCE__MAX_FILES_PER_TRIGGER": "16"}
        environment |= {"CONCLAVE_SOURCE__MAX_OFFSETS_PER_TRIGGER": "10000", "CONCLAVE_DETECT__MAX_FILES_PER_TRIGGER": "16"}
        with (plant.folder / "logs" / "calm.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "cli.streams"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                check=True, timeout=LONGEST_S,
            )  # fmt: skip
        with Database(url) as database:
            return oracle.contents(database, home)


@contextmanager
def server(home: Path) -> Iterator[str]:
    """An embedded server that need not survive anything."""
    url = embedded.start(home, fsync="off", full_page_writes="off", synchronous_commit="off")
    try:
        yield url
    finally:
        embedded.remove(home)
