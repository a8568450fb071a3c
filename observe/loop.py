"""`conclave operate`'s part for traces: score what is due, judge, look at the alert rules, remove what is past its time."""

from datetime import UTC, datetime

from observe import alerts, judge, removal, scoring
from observe.judge import Judge
from store.database import Database
from store.settings import Settings


def step(database: Database, settings: Settings, judge_of: Judge | None = None) -> int:
    """A bounded piece of what is due; how much was done. `judge_of`: the model that judges, None while there is none."""
    return work(database, settings, datetime.now(UTC), judge_of)


def work(database: Database, settings: Settings, now: datetime, judge_of: Judge | None = None) -> int:
    """The same at a moment of one's own."""
    done = scoring.work(database, settings, now)
    if judge_of is not None:
        done += judge.work(database, settings, judge_of, now)
    done += alerts.work(database, settings, now)
    return done + removal.tidy(database, settings, now)
