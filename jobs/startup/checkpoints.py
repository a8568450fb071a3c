"""Whether a job can go on from its checkpoint, and whether another process does."""

import json
from pathlib import Path

from jobs import pinned
from jobs.startup.finding import Finding
from store import database as databases
from store import embedded
from store.settings import Settings


def pinned_as(settings: Settings, job: str) -> Finding:
    """Raises StateMismatch or closer when the settings do not go with it; one in an object store is read when the job starts."""
    place, what = settings.checkpoint(job), f"{job} checkpoint"
    if "://" in place:
        return Finding(what, "ok", f"{place} is looked at when the job starts")
    try:
        held = pinned.read_here(place)
    except json.JSONDecodeError:
        return Finding(what, "fail", f"{place}/{pinned.FILE} is damaged", _anew(job))
    if held is None and (Path(place) / "metadata").exists():
        return Finding(what, "fail", f"{place} was made by another program", _anew(job))
    if held is None:
        return Finding(what, "ok", "none yet, begins with the first start")
    now = pinned.accepted(held, pinned.wanted(job, settings))
    was = pinned.in_full(held).get("state")
    told = f", its state goes from version {was} to {now['state']}" if was not in (None, now.get("state")) else ""
    return Finding(what, "ok", f"{place} fits the settings{told}")


def _anew(job: str) -> str:
    return "run `conclave detect --rebuild`" if job == "detect" else "restore it, or set CONCLAVE_HOME to another folder"


def running(settings: Settings, job: str) -> Finding:
    """Another process on this checkpoint: fine to see, but a second one would be refused."""
    if databases.is_embedded(settings) and not embedded.exists(settings.home):
        return Finding(job, "ok", "does not run")
    with databases.connect(databases.url(settings)) as connection:
        held = databases.fetch(connection, "startup_fence", checkpoint=settings.checkpoint(job))[0]["held"]
    return (
        Finding(job, "warn", "runs; a second one would be refused", "stop it before you start it here")
        if held
        else Finding(job, "ok", "does not run")
    )
