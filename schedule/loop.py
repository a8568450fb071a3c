"""The scheduler's part of `conclave operate`: one due run at a time."""

from datetime import UTC, datetime

from schedule import runs, schedules
from store.database import Database
from store.settings import Settings


def step(database: Database, settings: Settings) -> int:
    """Install the default schedules where they are missing, then carry out one run that is due; how many were."""
    now = datetime.now(UTC)
    schedules.install(database, settings.tenant, settings.schedule, now)
    taken = runs.take(database, now, settings.schedule.lease_s)
    if taken is None:
        return 0
    if taken["state"] == "running":
        runs.carry_out(database, settings, taken, now)
    return 1
