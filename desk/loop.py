"""The desk's work beside people's: `conclave operate` runs `step` again and again, any number of such processes side by side."""

from desk import executing, intake, passing
from store.database import Database
from store.settings import Settings


def step(database: Database, settings: Settings) -> int:
    """A bounded piece of all that is due: rulings and growth taken in, timers, windows, proposals, commands sent; how much."""
    desk = settings.desk
    return (
        intake.take(database, desk)
        + passing.proposals(database, desk)
        + passing.due(database, desk)
        + passing.windows_over(database, desk)
        + executing.execute(database, desk)
    )
