"""Waits until the database is at this version's schema: `python deploy/migrated.py [SECONDS]`; exit code 1 when it never was.

For init containers: a pod whose migrations have not run yet waits here instead of failing again and again.
"""

import sys
import time

PAUSE_S = 2.0


def lacking() -> str:
    """What is not yet as it should be, in words; empty when all is there."""
    from store import migrations
    from store.database import connect, url
    from store.errors import ConclaveError
    from store.settings import settings

    try:
        with connect(url(settings())) as connection:
            left = migrations.pending(migrations.known(), migrations.applied(connection))
    except ConclaveError as error:
        return str(error)
    return f"{len(left)} migrations to apply, up to {left[-1].name}" if left else ""


def main(wait_s: float = 0.0) -> int:
    until, told = time.monotonic() + wait_s, ""
    while said := lacking():
        if said != told:
            print(said, file=sys.stderr, flush=True)
            told = said
        if time.monotonic() >= until:
            return 1
        time.sleep(PAUSE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2])))
