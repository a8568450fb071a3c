"""Which set of processors a batch works with: decided once, before it is worked on, and the same on every retry."""

from collections import defaultdict
from typing import Any

import pyarrow as pa

from pipelines.plan import Content, Listing, Plan, compiled, content, digest
from store.database import Connection, Database, fetch, run

WHOLE = ""  # the batch's own entry among the tenants'


def live_contents(connection: Connection) -> dict[str, Content]:
    """Tenant → the set that is live now; only tenants for which something acts."""
    segments, live, lists = (_by_tenant(connection, name) for name in ("live_segments", "live_processors", "live_lists"))
    made = {
        tenant: content(segments[tenant], live[tenant], {one["list"]: one["live_version"] for one in lists[tenant]})
        for tenant in sorted(live)
    }
    return {tenant: held for tenant, held in made.items() if held}


def _by_tenant(connection: Connection, query: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in fetch(connection, query):
        found[row["tenant"]].append(row)
    return found


class Pins:
    """Pins batches of the detect job. Compiled sets and lists are kept while they stay the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plan = Plan("", {})
        self._listings: dict[tuple[str, str, int], Listing] = {}

    def take(self, query_id: str, batch_id: int) -> Plan:
        """The batch's set: what it was pinned to before, else what is live now, which is then written down and committed.

        Raises PlanBroken, before anything is pinned.
        """
        with self._database.connection() as connection:
            rows = fetch(connection, "find_pins", query_id=query_id, batch_id=batch_id)
            if rows:
                return self._compiled(connection, {row["tenant"]: row["content"] for row in rows if row["tenant"] != WHOLE})
            contents = live_contents(connection)
            plan = self._compiled(connection, contents)
            for tenant, held in contents.items():
                run(connection, "put_set", tenant=tenant, set_hash=digest(held), content=held)
                run(connection, "put_pin", query_id=query_id, batch_id=batch_id, tenant=tenant, set_hash=digest(held))
            run(connection, "put_pin", query_id=query_id, batch_id=batch_id, tenant=WHOLE, set_hash=plan.hash)
        return plan

    def _compiled(self, connection: Connection, contents: dict[str, Content]) -> Plan:
        hashes = {tenant: digest(held) for tenant, held in contents.items()}
        if hashes == {tenant: one.set_hash for tenant, one in self._plan.tenants.items()}:
            return self._plan
        held: dict[tuple[str, str, int], Listing] = {}

        def load(tenant: str, name: str, version: int) -> Listing:
            key = (tenant, name, version)
            held[key] = self._listings.get(key) or listing(connection, tenant, name, version)
            return held[key]

        self._plan = compiled(contents, load)
        self._listings = held
        return self._plan


def listing(connection: Connection, tenant: str, name: str, version: int) -> Listing:
    """A version of a data list with its items."""
    rows = fetch(connection, "list_contents", tenant=tenant, list=name, version=version)
    known = fetch(connection, "list_columns", tenant=tenant, list=name)
    columns = known[0]["columns"] if known else []
    keys = pa.array([row["key"] for row in rows], pa.string())
    return Listing(keys, {column: pa.array([row["data"].get(column) for row in rows], pa.string()) for column in columns})


def names_only(connection: Connection) -> Any:
    """A loader of lists without their items, enough to check a set."""

    def load(tenant: str, name: str, version: int) -> Listing:
        columns = fetch(connection, "list_columns", tenant=tenant, list=name)[0]["columns"]
        return Listing(pa.array([], pa.string()), {column: pa.array([], pa.string()) for column in columns})

    return load
