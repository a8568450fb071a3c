"""The jobs that a schedule can run, each in a file of schedule/jobs/."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schedule.errors import UnknownJob
from store.database import Database
from store.settings import Settings


@dataclass(frozen=True)
class Context:
    """What a job works with. `since`: when its last successful run began, None before the first."""

    database: Database
    settings: Settings
    tenant: str
    arguments: Mapping[str, Any]
    now: datetime
    since: datetime | None = None


Result = dict[str, Any]  # `text` is Markdown for people; the rest is the job's own figures


@dataclass(frozen=True)
class Job:
    """`mark` names the state of what the job reads: the same mark again means the same answer; '' never means that."""

    name: str
    summary: str
    run: Callable[[Context], Result]
    mark: Callable[[Context], str]
    accepts: tuple[str, ...] = ()


SUMMARIES = {
    "compact": "Merge small files of the Delta tables; time travel stays.",
    "digest": "What happened, what waits and what it cost, as Markdown to everyone subscribed.",
    "proposals": "Draft runbook sections from resolved cases, to be reviewed before use.",
    "quality": "Data quality: refusals, lateness, duplicates, silence and volume against last week.",
    "question": "Put a saved question to the chat.",
    "reindex": "Embed what has no vector of today's embedder.",
    "retention": "Remove what is past its time.",
    "retrain": "What feedback says of each detector, with proposed thresholds; then your own retrain command.",
}


def job(name: str) -> Job:
    """The job of this name, imported now. Raises UnknownJob."""
    if name not in SUMMARIES:
        raise UnknownJob(f"({name!r}; there are {', '.join(SUMMARIES)})")
    module = importlib.import_module(f"schedule.jobs.{name}")
    return Job(name, SUMMARIES[name], module.run, module.mark, getattr(module, "ACCEPTS", ()))
