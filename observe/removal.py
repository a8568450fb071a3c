"""Traces that go: past their project's retention, one that somebody deletes, all of a user, all that mention something."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from observe.errors import UnknownTrace
from observe.texts import Reader, user_hash
from store.database import Connection, Database, Queries, fetch, run
from store.settings import Settings
from trust import audit

STEP = 2_000  # traces of one transaction
DROPPED_FOR, SHAPES_FOR, COUNTS_FOR = timedelta(days=1), timedelta(days=30), timedelta(days=400)
PAGE, PROJECTS = 500, 20


def tidy(database: Database, settings: Settings, now: datetime) -> int:
    """Remove what is past its time in the projects that are due; the rows removed."""
    before = now - timedelta(seconds=settings.observe.tidy_every_s)
    with database.connection() as connection:
        due = fetch(connection, "take_untidied", before=before, limit=PROJECTS)
        return sum(_tidy(connection, row, now) for row in due) + (_tidy_beside(connection, now) if due else 0)


def _tidy(connection: Connection, project: dict[str, Any], now: datetime) -> int:
    """A piece of one project; it stays due while there may be more."""
    place = {"tenant": project["tenant"], "project": project["project"]}
    before = now - timedelta(days=project["retention_days"])
    removed = run(connection, "remove_old_traces", **place, before=before, limit=STEP)
    if removed < STEP:
        run(connection, "tidied", **place, now=now)
    return removed


def _tidy_beside(connection: Connection, now: datetime) -> int:
    """What belongs to no trace that is kept: ids of dropped ones, shapes, counts, alerts of long ago."""
    removed = run(connection, "remove_dropped_traces", before=now - DROPPED_FOR)
    removed += run(connection, "remove_shapes", before=now - SHAPES_FOR)
    removed += run(connection, "remove_trace_hours", before=now - COUNTS_FOR)
    return removed + run(connection, "remove_firings", before=now - COUNTS_FOR)


def delete_trace(connection: Connection, tenant: str, trace_id: str, actor: str, now: datetime) -> None:
    """Delete a trace for good; delivered again within a day it is not taken in. Raises UnknownTrace."""
    if not fetch(connection, "delete_trace", tenant=tenant, trace_id=trace_id):
        raise UnknownTrace(f"(`{trace_id}`)")
    _forget(connection, tenant, [trace_id], now)
    audit.record(connection, tenant, actor, "trace.delete", trace_id)


def delete_user(
    connection: Connection, tenant: str, user: str, actor: str, now: datetime, only: frozenset[str] | None = None
) -> int:  # fmt: skip
    """Delete every trace of a user, of some projects only when given; how many. The audit entry names the user's hash."""
    hashed = user_hash(tenant, user)
    wanted = None if only is None else sorted(only)
    gone = fetch(connection, "delete_user_traces", tenant=tenant, user_hash=hashed, only=wanted)
    _forget(connection, tenant, [row["trace_id"] for row in gone], now)
    audit.record(connection, tenant, actor, "traces.delete_user", str(hashed), {"traces": len(gone)})
    return len(gone)


def delete_mentions(queries: Queries, settings: Settings, tenant: str, needles: Sequence[str], now: datetime) -> int:
    """Delete every trace in which one of these texts occurs, sealed ones opened to look; how many. For erasing a subject.

    The caller writes the audit entry, for it knows whom it erases.
    """
    found = {row["trace_id"] for one in needles for row in queries.fetch("traces_mentioning", tenant=tenant, needle=one)}
    found |= _sealed_mentions(queries, settings, tenant, [one.lower() for one in needles])
    with queries.connection() as connection:
        gone = fetch(connection, "delete_traces_by_id", tenant=tenant, trace_ids=sorted(found))
        _forget(connection, tenant, [row["trace_id"] for row in gone], now)
    return len(gone)


def _sealed_mentions(queries: Queries, settings: Settings, tenant: str, needles: Sequence[str]) -> set[str]:
    reader, found, after = Reader(queries, settings), set[str](), ""
    while page := queries.fetch("sealed_traces", tenant=tenant, after=after, limit=PAGE):
        for row in page:
            texts = [row["query"], row["response"], row["reference"] or "", *row["contexts"], json.dumps(row["metadata"])]
            whole = "\n".join(reader.open(tenant, texts)).lower()
            found |= {row["trace_id"]} if any(needle in whole for needle in needles) else set()
        after = page[-1]["trace_id"]
    return found


def _forget(connection: Connection, tenant: str, trace_ids: Sequence[str], now: datetime) -> None:
    run(connection, "forget_firing_traces", tenant=tenant, trace_ids=list(trace_ids))
    run(connection, "forget_dropped", tenant=tenant, trace_ids=list(trace_ids), now=now)
