"""What is left of an erasure after it was asked for; the whole of it where identifiers are tokenised."""

from collections.abc import Sequence

from store.database import Database
from store.settings import Settings
from trust import erase, files

HOW = "`conclave erase --resume`, with ingest and detect stopped, mends Delta tables; the others are listed"


def step(database: Database, settings: Settings, sealed: erase.Sealed | None = None) -> int:
    """Do a part of one erasure; 1 when there was one. With plain identifiers Delta's rows wait for `conclave erase --resume`."""
    if erase.database_part(database, sealed=sealed) is not None:
        return 1
    if settings.privacy.identifiers != "tokenised":
        return 0
    return int(finish(database, settings, erase.TOKENISED) is not None)


def finish(
    database: Database, settings: Settings, delta: Sequence[erase.Line], erasure_id: str | None = None
) -> tuple[str, list[erase.Line]] | None:
    """Files, then the proof of absence: done, or failed when something still names the subject. The report, None: nothing to do.

    `delta`: what the Delta tables' part reports. A failed one is taken up again only by its id.
    """
    states = ["files"] if erasure_id is None else ["files", "failed"]
    with database.connection() as connection:
        taken = erase.take(connection, states, erasure_id)
        if taken is None:
            return None
        taken_id, subject, before = taken
        known = {line.store for line in (*delta, *erase.ELSEWHERE)}
        lines = [line for line in before if line.store not in known and not (line.kept and line.store not in erase.CHAIN)]
        lines += [*delta, *files.forget(settings, subject), *erase.ELSEWHERE]
        named = [erase.Line(f"file {name}", kept=1, note="still names it") for name in files.left(settings, subject)]
        named += [line for line in erase.left(connection, subject) if line.store not in erase.CHAIN]
        error = f"{len(named)} tables or files still name it; {HOW}" if named else ""
        erase.put(connection, taken_id, subject, "failed" if named else "done", [*lines, *named], error)
    return taken_id, [*lines, *named]
