"""A container's health: has this job given a sign of life from this host lately? `python deploy/alive.py JOB [SECONDS]`.

The streaming jobs beat into the table `workers` in the middle of a long batch too; the council between hearings, which may
take as long as its model's timeouts. Exit code 1 after so many silent seconds, or when the database does not answer.
"""

import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any

SILENT_S = 60.0


def alive(workers: Iterable[Mapping[str, Any]], job: str, host: str, silent_s: float = SILENT_S) -> bool:
    """`workers` have worker_id (job@host/pid) and silent_s."""
    own = f"{job}@{host}/"
    return any(worker["worker_id"].startswith(own) and worker["silent_s"] <= silent_s for worker in workers)


def main(job: str, silent_s: float = SILENT_S) -> int:
    from store.database import connect, fetch, url
    from store.errors import ConclaveError
    from store.settings import settings

    try:
        with connect(url(settings())) as connection:
            workers = fetch(connection, "status_workers")
    except ConclaveError as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if alive(workers, job, socket.gethostname(), silent_s) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(float, sys.argv[2:3])))
