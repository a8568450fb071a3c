"""The runbook in the database: documents cut into sections, each with a vector; only what changed is embedded again."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rag.embed import EMBEDDER, embed, literal
from rag.errors import EmptyRunbook, UnreadableRunbook
from rag.sections import ACTIONS, CAUTIONS, Section, cautions, items, searchable, sections_of, slug_of, steps, title_of
from store.database import Database, fetch, run

__all__ = [
    "ACTIONS",
    "CAUTIONS",
    "Added",
    "Document",
    "Section",
    "add_file",
    "cautions",
    "items",
    "list_documents",
    "reembed",
    "section",
    "sections_of",
    "steps",
]

MAX_BYTES = 8_000_000
CHUNK = 32  # sections embedded between two reports of progress
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Added:
    """What adding a document did to its sections: how many are new, changed, as they were, and gone."""

    doc_id: str
    added: int
    changed: int
    unchanged: int
    removed: int


@dataclass(frozen=True)
class Document:
    """A document of the runbook; `stale` counts sections that wait for a vector of today's embedder."""

    doc_id: str
    title: str
    source: str
    sha256: str
    added_at: datetime
    sections: int
    stale: int


def add_file(database: Database, path: Path, on_progress: Progress | None = None, *, tenant: str = "main") -> Added:
    """Add a Markdown file, or bring it up to date; one transaction, so readers see the old document or the new one.

    A document is known by its file name. `on_progress(done, total)` counts sections that are embedded.
    Raises UnreadableRunbook and EmptyRunbook.
    """
    text = _read(path)
    doc_id = doc_id_of(path, tenant)
    sections = sections_of(text, doc_id)
    if not sections:
        raise EmptyRunbook(path.name)
    title = title_of(text) or path.stem
    row = {"doc_id": doc_id, "tenant": tenant, "title": title, "source": path.name, "sha256": _hash(sections)}
    with database.connection() as connection:
        run(connection, "put_document", **row)
        known = {old["section_id"]: old for old in fetch(connection, "stored_sections", doc_id=doc_id)}
        fresh = [one for one in sections if _differs(one, known.get(one.section_id))]
        _write(connection, fresh, on_progress, tenant)
        for one in sections:
            if one not in fresh and known[one.section_id]["position"] != one.position:
                run(connection, "move_section", section_id=one.section_id, position=one.position)
        removed = run(connection, "drop_sections", doc_id=doc_id, kept=[one.section_id for one in sections])
    added = sum(one.section_id not in known for one in fresh)
    return Added(doc_id, added, len(fresh) - added, len(sections) - len(fresh), removed)


def list_documents(database: Database, *, tenant: str = "main") -> list[Document]:
    """Every document, ordered by id."""
    return [Document(**row) for row in database.fetch("runbook_documents", tenant=tenant, embedder=EMBEDDER)]


def section(database: Database, section_id: str, *, tenant: str = "main") -> Section | None:
    """The section with this id, or None when the runbook has none (any more)."""
    rows = database.fetch("runbook_section", section_id=section_id.replace("\0", ""), tenant=tenant)
    return section_from(rows[0]) if rows else None


def section_from(row: dict[str, Any]) -> Section:
    return Section(row["section_id"], row["doc_id"], row["position"], tuple(row["heading_path"]), row["body"], tuple(row["tags"]))


def reembed(database: Database, *, tenant: str = "main") -> int:
    """Give sections and remembered cases of another embedder a vector of today's; how many there were.

    Until then they are found by their words only: vectors of two embedders are never compared.
    """
    with database.connection() as connection:
        sections = fetch(connection, "stale_sections", tenant=tenant, embedder=EMBEDDER)
        for row, vector in zip(sections, embed([searchable(row["heading_path"], row["body"]) for row in sections]), strict=True):
            run(connection, "set_section_vector", section_id=row["section_id"], embedder=EMBEDDER, embedding=literal(vector))
        memories = fetch(connection, "stale_memories", tenant=tenant, embedder=EMBEDDER)
        for row, vector in zip(memories, embed([row["summary"] for row in memories]), strict=True):
            run(connection, "set_memory_vector", case_id=row["case_id"], embedder=EMBEDDER, embedding=literal(vector))
    return len(sections) + len(memories)


def doc_id_of(path: Path, tenant: str = "main") -> str:
    """The id of the document in this file: its name as a slug, below the tenant's name when that is not `main`."""
    return slug_of(path.stem) if tenant == "main" else f"{tenant}/{slug_of(path.stem)}"


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableRunbook(f"{path.name}: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise UnreadableRunbook(f"{path.name}: {len(raw):,} bytes, more than {MAX_BYTES:,}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableRunbook(f"{path.name}: not UTF-8 at byte {error.start}") from error


def _hash(sections: Sequence[Section]) -> str:
    """Of what was cut, not of the file: a better splitter is a new version too."""
    return hashlib.sha256("\n".join(f"{one.section_id} {one.sha256}" for one in sections).encode()).hexdigest()


def _differs(one: Section, old: dict[str, Any] | None) -> bool:
    return old is None or old["sha256"] != one.sha256 or old["embedder"] != EMBEDDER


def _write(connection: Any, sections: Sequence[Section], on_progress: Progress | None, tenant: str) -> None:
    report = on_progress or (lambda done, total: None)
    report(0, len(sections))
    for start in range(0, len(sections), CHUNK):
        chunk = sections[start : start + CHUNK]
        for one, vector in zip(chunk, embed([one.text for one in chunk]), strict=True):
            row = {
                "section_id": one.section_id, "tenant": tenant, "doc_id": one.doc_id, "position": one.position,
                "heading_path": list(one.heading_path), "body": one.body, "tags": list(one.tags), "sha256": one.sha256,
            }  # fmt: skip
            run(connection, "put_section", **row, embedder=EMBEDDER, embedding=literal(vector))
        report(min(start + CHUNK, len(sections)), len(sections))
