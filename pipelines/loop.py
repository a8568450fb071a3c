"""The workers of slow rules: they take what is due in each pool, call, and keep the answer; and old rows go."""

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from pipelines import hits, specs
from pipelines.errors import NoModel, SlowFailed
from pipelines.plan import Step
from pipelines.pools import defaults
from pipelines.slow import Answer, Voice, call
from store.database import Connection, Database, fetch, run
from store.errors import ConclaveError, DatabaseError
from store.settings import Settings

SPARE_S = 30.0  # of a lease, beyond the call's own time
LATER_S = 30.0  # a model that is away is asked for again
BACKOFF_S = 2.0
PRUNE_EVERY_S = 3600.0
OLD = {"keep_days": ("prune_pins", "prune_counts", "prune_work", "prune_lists"),
       "totals_days": ("prune_totals", "prune_hits", "prune_suppressions")}  # fmt: skip
_pruned = threading.local()


def step(database: Database, settings: Settings, voice: Voice | None = None) -> int:
    """Work off what every pool may do now; how many items were answered or gave up an attempt."""
    prune_now_and_then(database, settings)
    fallback = defaults(settings.pipelines)
    pools = database.fetch("waiting_pools", size=fallback.size, timeout_s=fallback.timeout_s, attempts=fallback.attempts)
    return sum(work_off(database, settings, pool, voice) for pool in pools)


def work_off(database: Database, settings: Settings, pool: dict[str, Any], voice: Voice | None) -> int:
    """One round of a pool: as many items at the same time as it still has room for."""
    items = take(database, pool)
    if not items:
        return 0
    with ThreadPoolExecutor(len(items), thread_name_prefix=f"pool {pool['pool']}") as executor:
        return sum(executor.map(lambda item: answer(database, settings, pool, item, voice), items))


def take(database: Database, pool: dict[str, Any]) -> list[dict[str, Any]]:
    """Lease due items, never more than the pool's size over all processes."""
    which = {"tenant": pool["tenant"], "pool": pool["pool"]}
    with database.connection() as connection:
        fetch(connection, "lock_pool", **which)
        room = pool["size"] - fetch(connection, "running_work", **which)[0]["n"]
        if room <= 0:
            return []
        return fetch(connection, "take_work", **which, worker=worker(), lease_s=pool["timeout_s"] + SPARE_S, limit=room)


def answer(database: Database, settings: Settings, pool: dict[str, Any], item: dict[str, Any], voice: Voice | None) -> int:
    """Call about one item and keep what came of it; 0 when it waits for a model."""
    held = {"work_id": item["work_id"], "worker": worker(), "attempt": item["attempts"]}
    try:
        if item["spec"] is None:
            raise SlowFailed("the processor was deleted.")
        found = call(specs.read(item["spec"]), item["input"], pool["timeout_s"], settings.pipelines, voice)
    except DatabaseError:
        raise
    except NoModel as error:
        database.run("defer_work", **held, error=str(error), wait_s=LATER_S)
        return 0
    except ConclaveError as error:
        wait_s = BACKOFF_S * 2.0 ** (item["attempts"] - 1)
        database.run("fail_work", **held, attempts=pool["attempts"], error=str(error)[:1000], wait_s=wait_s)
        return 1
    with database.connection() as connection:
        finish(connection, item, found, held)
    return 1


def finish(connection: Connection, item: dict[str, Any], found: Answer, held: dict[str, Any]) -> None:
    """Keep the answer, and the hit that it may be, in one transaction; nothing when another worker took the item over."""
    if run(connection, "finish_work", **held, answer=found.said | {"hit": found.hit}) and found.hit:
        spec = specs.read(item["spec"])
        given = item["input"] | {"event_time": datetime.fromisoformat(item["input"]["event_time"]), "answer": found.said}
        hit = hits.Hit(**given)
        new = hits.put_hits(connection, [hit])
        hits.tell(connection, new, {hit.key: Step(hit.processor, hit.version, spec)}, 1)


def prune_now_and_then(database: Database, settings: Settings) -> None:
    now = time.monotonic()
    if now - getattr(_pruned, "at", float("-inf")) >= PRUNE_EVERY_S:
        _pruned.at = now
        prune(database, settings)


def prune(database: Database, settings: Settings) -> dict[str, int]:
    """Remove what is past its time: query → rows."""
    removed = {name: database.run(name, days=getattr(settings.pipelines, days)) for days, names in OLD.items() for name in names}
    return removed | {"prune_lanes": database.run("prune_lanes")}


def worker() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"
