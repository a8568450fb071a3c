"""What a report is made of, read once."""

from dataclasses import dataclass
from typing import Any

from desk import timeline
from desk.errors import UnknownCase
from store.database import Queries

Row = dict[str, Any]
MOST_EVENTS = 500
MOST_ENTRIES = 500


@dataclass(frozen=True)
class Gathered:
    """A case with its members, evidence, commands and timeline; `cut` when there was more evidence than is shown."""

    case: Row
    members: list[Row]
    evidence: list[Row]
    commands: list[Row]
    entries: list[Row]
    cut: bool


def gather(queries: Queries, tenant: str, case_id: str) -> Gathered:
    """Read a head case. Raises UnknownCase, also for a member: a member is told in its head's report."""
    names = {"tenant": tenant, "case_id": case_id}
    found = queries.fetch("report_case", **names)
    if not found:
        raise UnknownCase(f"({case_id[:80]})")
    evidence = queries.fetch("report_evidence", **names, limit=MOST_EVENTS + 1)
    entries = timeline.read(queries, tenant, case_id, limit=MOST_ENTRIES)
    members, commands = queries.fetch("report_members", **names), queries.fetch("report_commands", **names)
    return Gathered(found[0], members, evidence[:MOST_EVENTS], commands, entries, len(evidence) > MOST_EVENTS)
