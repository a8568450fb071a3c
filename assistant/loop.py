"""The documents' worker: takes the next version that waits, reads it, looks for its likes, cuts and embeds it.

A worker that dies leaves a lease that runs out; everything it did is done again from the text it had kept, to the same end.
"""

import time
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from assistant.errors import DocumentTooLarge, UnreadableDocument
from assistant.formats import to_markdown
from assistant.likeness import nearest, signature
from rag.errors import EmptyRunbook
from rag.runbook import Text, add_text
from rag.sections import sections_of, shortened, title_of
from store.database import Database, Jsonb
from store.errors import ConclaveError
from store.sections.assistant import Assistant
from store.settings import Settings

Row = dict[str, Any]
SWEEP_S = 3600.0
RETRY_S = 20.0

log = structlog.get_logger("assistant")
_swept: WeakKeyDictionary[Database, float] = WeakKeyDictionary()


def step(database: Database, settings: Settings) -> int:
    """Work on one waiting version, if there is one; how many were worked on."""
    _sweep(database, settings.assistant, time.monotonic())
    taken = database.fetch("take_upload", lease_s=settings.assistant.document_lease_s)
    if not taken:
        return 0
    work(database, taken[0], settings.assistant)
    return 1


def work(database: Database, row: Row, settings: Assistant) -> None:
    """Bring a leased version to its end: ready, failed for a reason a person understands, or to be tried again."""
    key = {"tenant": row["tenant"], "doc_id": row["doc_id"], "version": row["version"]}
    if row["attempts"] > settings.document_attempts:
        _end(database, key, "failed", f"Given up after {settings.document_attempts} attempts.")
        return
    try:
        text = row["text"] if row["text"] is not None else _read(database, row, key, settings)
        sections = _index(database, row, key, text, settings)
    except (UnreadableDocument, DocumentTooLarge, EmptyRunbook) as error:
        _end(database, key, "failed", str(error))
    except ConclaveError:
        raise  # the database: the lease runs out, or the next step finds it again
    except Exception as error:
        log.exception("a document could not be worked on", **key)
        database.run("return_upload", **key, wait_s=RETRY_S, why=f"Tried again soon ({type(error).__name__}).")
    else:
        if _end(database, key, "ready", "", sections) == 0:  # removed while it was worked on
            _drop(database, key)


def _read(database: Database, row: Row, key: Row, settings: Assistant) -> str:
    """The upload as Markdown, kept with its signature and its likes."""
    database.run("mark_upload", **key, state="reading", sections=None, done=None, lease_s=settings.document_lease_s)
    stem = row["source"].rpartition(".")[0] or row["source"]
    if row["raw"] is None:
        raise UnreadableDocument("Its bytes are gone.")
    text = to_markdown(bytes(row["raw"]), row["format"], most_pages=settings.max_pages, title=stem)
    own = signature(text)
    others = database.fetch("signatures", tenant=row["tenant"], doc_id=row["doc_id"])
    near = nearest(own, ((one["doc_id"], one["version"], one["minhash"]) for one in others), settings.near_duplicate)
    kept = {"text": text, "title": (title_of(text) or stem)[:300], "minhash": own or None, "near": Jsonb(near)}
    database.run("keep_text", **key, **kept)
    return text


def _index(database: Database, row: Row, key: Row, text: str, settings: Assistant) -> int:
    """Cut and embed it, telling how far it has come; the number of sections."""
    total = len(shortened(sections_of(text, row["doc_id"])))
    if total > settings.max_sections:
        raise DocumentTooLarge(f"It has {total:,} sections, more than {settings.max_sections:,}.")
    unchanged = total

    def report(done: int, fresh: int) -> None:
        marked = {"state": "indexing", "sections": total, "done": max(0, unchanged - fresh) + done}
        database.run("mark_upload", **key, **marked, lease_s=settings.document_lease_s)

    stem = row["source"].rpartition(".")[0] or row["source"]
    given = Text(row["doc_id"], (title_of(text) or stem)[:300], row["source"], text, row["size"], row["sha256"], row["format"])
    add_text(database, given, report, tenant=row["tenant"], actor=row["uploaded_by"], version=row["version"])
    return total


def _end(database: Database, key: Row, state: str, why: str, sections: int | None = None) -> int:
    return database.run("end_upload", **key, state=state, why=why, sections=sections)


def _drop(database: Database, key: Row) -> None:
    whole = {"tenant": key["tenant"], "doc_id": key["doc_id"]}
    database.run("drop_document", **whole)
    database.run("forget_sections", **whole, all=False)
    database.run("close_sections", **whole)


def _sweep(database: Database, settings: Assistant, now_s: float) -> None:
    """Remove old conversations and answers now and then."""
    if now_s - _swept.get(database, -SWEEP_S) >= SWEEP_S:
        _swept[database] = now_s
        database.run("old_conversations", days=settings.conversation_days)
        database.run("old_answers", days=settings.cache_days)
