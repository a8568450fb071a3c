"""The privacy part of `conclave operate`: trust/loop.py, and the traces whose sealed text names the subject."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings
    from trust.subject import Subject

LEAST_ALONE = 6  # characters of an identifier that is looked for without its kind before it


def step(database: "Database", settings: "Settings") -> int:
    """A part of one erasure; 1 when there was one."""
    from trust import loop

    return loop.step(database, settings, sealed_traces(database, settings))


def sealed_traces(database: "Database", settings: "Settings") -> "Callable[[Subject], int]":
    """Deletes every trace that names a subject in text that only its key opens; how many."""

    def delete(subject: "Subject") -> int:
        from observe.removal import delete_mentions

        named = subject.identifier if len(subject.identifier) >= LEAST_ALONE else f"{subject.kind}:{subject.identifier}"
        needles = [named, *([subject.token] if subject.token is not None else [])]
        return delete_mentions(database.of(subject.tenant), settings, subject.tenant, needles, datetime.now(UTC))

    return delete
