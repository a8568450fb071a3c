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
    if job != "detect":
        return Finding(what, "ok", f"{place} fits the settings")
    was, kept = pinned.in_full(held)["state"], state_partitions(Path(place))
    told = f", its state goes from version {was} to {now['state']}" if was != now["state"] else ""
    if kept not in (None, settings.spark.shuffle_partitions):
        said = f"keeps its {kept} state partitions, whatever spark.shuffle_partitions ({settings.spark.shuffle_partitions}) says"
        return Finding(what, "warn", said, "set it back, or run `conclave detect --rebuild`")
    return Finding(what, "ok", f"{place} fits the settings{told}")


def state_partitions(place: Path) -> int | None:
    """How many Spark made this checkpoint's state with, from its newest offsets; None before the first batch."""
    batches = [int(file.name) for file in (place / "offsets").glob("*") if file.name.isdigit()]
    if not batches:
        return None
    lines = (place / "offsets" / str(max(batches))).read_text().splitlines()
    made = json.loads(lines[1]).get("conf", {}).get("spark.sql.shuffle.partitions") if len(lines) > 1 else None
    return int(made) if made is not None else None


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
