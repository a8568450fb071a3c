"""What holds of rulings after faults: each case is ruled once in force, and comes out of its stored brief again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rag.council import reexecute
from store.database import Database
from trust import audit

MADE_AGAIN = (
    "ruling_id", "outcome", "action", "confidence", "root_cause", "next_steps", "citations", "opinions", "checks", "brief_hash",
)  # fmt: skip


def faults_of(database: Database, told: int) -> list[str]:
    """Everything that is wrong with hearings, rulings and the audit log, in words; `told` entries were written to the log."""
    wrong = uncovered(database.fetch("chaos_hearings")) + unrepeatable(database.fetch("chaos_rulings"))
    verdicts = audit.verify_all(database)
    wrong += [
        f"the audit log of {one.tenant} is broken at entry {one.broken}: {one.why}" for one in verdicts if one.broken is not None
    ]
    entries = sum(one.entries for one in verdicts)
    return wrong + ([f"the audit log holds {entries} entries, {told} were written"] if entries < told else [])


def uncovered(hearings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Cases that are not done, or not ruled exactly once in force as they were last heard.

    >>> uncovered([{"case_id": "c", "state": "done", "revision": 3, "heard_revision": 2, "leased_by": None, "in_force": 1,
    ...             "ruled_revision": 2}])
    []
    """
    return [f"{row['case_id']}: {why}" for row in hearings if (why := _why_uncovered(row))]


def _why_uncovered(row: Mapping[str, Any]) -> str:
    if row["state"] == "leased":
        return f"a lease of {row['leased_by']}, who has ended"
    if row["state"] != "done":
        return f"its hearing is {row['state']}"
    if row["in_force"] != 1:
        return f"{row['in_force']} rulings in force"
    if row["ruled_revision"] != row["heard_revision"]:
        return f"heard at revision {row['heard_revision']}, ruled at {row['ruled_revision']}"
    return "grown to twice its hits and not heard again" if row["revision"] >= 2 * row["heard_revision"] else ""


def unrepeatable(rulings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rulings that their stored brief and opinions do not give again."""
    wrong = []
    for row in rulings:
        again = reexecute(row)
        changed = [name for name in MADE_AGAIN if getattr(again, name) != row[name]]
        if changed:
            wrong.append(f"{row['ruling_id']} of {row['case_id']} comes out otherwise: {', '.join(changed)}")
    return wrong
