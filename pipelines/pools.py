"""Worker pools: how many slow calls at the same time, how long a queue, how long a call, how many tries."""

from dataclasses import asdict, dataclass
from typing import Any

from pipelines import specs
from store.database import Connection, Queries, run
from store.sections.pipelines import Pipelines
from trust import audit


@dataclass(frozen=True)
class Pool:
    """`size` calls at once over all processes; `queue_limit` waiting items; `timeout_s` of a call."""

    size: int
    queue_limit: int
    timeout_s: float
    attempts: int


def defaults(settings: Pipelines) -> Pool:
    """Of a pool that nobody configured."""
    return Pool(settings.pool_size, settings.pool_queue, settings.pool_timeout_s, settings.pool_attempts)


def every(queries: Queries, tenant: str, settings: Pipelines) -> list[dict[str, Any]]:
    """The tenant's pools, configured or with work, and how much lies in each."""
    return queries.fetch("list_pools", tenant=tenant, **asdict(defaults(settings)))


def configure(connection: Connection, tenant: str, pool: str, wanted: Pool, *, actor: str) -> None:
    """Make or change a pool; raises BadName."""
    run(connection, "put_pool", tenant=tenant, pool=specs.check_name(pool), actor=actor, **asdict(wanted))
    audit.record(connection, tenant, actor, "pool.put", pool, asdict(wanted))
