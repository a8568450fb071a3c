"""The runbook in the database: documents cut into sections, each with a vector; only what changed is embedded again."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.embed import EMBEDDER, embed, literal
from rag.errors import EmptyRunbook, UnreadableRunbook
from rag.sections import (
    ACTIONS,
    CAUTIONS,
    Section,
    cautions,
    items,
    searchable,
    sections_of,
    shortened,
    slug_of,
    steps,
    title_of,
)
from store.database import Connection, Queries, fetch, run

__all__ = [
    "ACTIONS",
    "CAUTIONS",
    "Added",
    "Document",
    "Section",
    "Text",
    "add_file",
    "add_text",
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


@dataclass(frozen=True)
class Text:
    """A document on its way in: `body` as Markdown, `size` and `sha256` of the bytes as they came."""

    doc_id: str
    title: str
    source: str  # file name, no machine path
    body: str
    size: int
    sha256: str
    format: str = "markdown"


def add_file(
    database: Queries, path: Path, on_progress: Progress | None = None, *, tenant: str = "main", actor: str = "system:cli"
) -> Added:
    """Add a Markdown file, or bring it up to date; a document is known by its file name.

    Raises UnreadableRunbook and EmptyRunbook.
    """
    raw, body = _read(path)
    title = title_of(body) or path.stem
    given = Text(doc_id_of(path.name), title, path.name, body, len(raw), hashlib.sha256(raw).hexdigest())
    return add_text(database, given, on_progress, tenant=tenant, actor=actor)


def add_text(
    database: Queries, given: Text, on_progress: Progress | None = None,
    *, tenant: str = "main", actor: str, version: int | None = None,
) -> Added:  # fmt: skip
    """Make this text what its document says; one transaction, so readers see the old document or the new one.

    What its sections said before is kept (`section_as_of`). Without a `version` a changed text is written as the next one.
    `on_progress(done, total)` counts sections that are embedded. Raises EmptyRunbook.
    """
    sections = shortened(sections_of(given.body, given.doc_id))
    if not sections:
        raise EmptyRunbook(given.source)
    key = {"tenant": tenant, "doc_id": given.doc_id}
    with database.connection() as connection:
        number = _numbered(connection, given, sections, tenant, actor, version)
        row = key | {"title": given.title, "source": given.source, "sha256": _hash(sections), "version": number}
        run(connection, "put_document", **row)
        known = {old["section_id"]: old for old in fetch(connection, "stored_sections", **key)}
        fresh = [one for one in sections if _differs(one, known.get(one.section_id))]
        _write(connection, fresh, on_progress, tenant)
        for one in sections:
            if one not in fresh and known[one.section_id]["position"] != one.position:
                run(connection, "move_section", tenant=tenant, section_id=one.section_id, position=one.position)
        removed = run(connection, "drop_sections", **key, kept=[one.section_id for one in sections])
        run(connection, "keep_section_versions", **key, version=number)
    added = sum(one.section_id not in known for one in fresh)
    return Added(given.doc_id, added, len(fresh) - added, len(sections) - len(fresh), removed)


def _numbered(
    connection: Connection, given: Text, sections: Sequence[Section], tenant: str, actor: str, version: int | None
) -> int:
    """The version's number, after taking the document's lock; a new one is written down when none was given."""
    key = {"tenant": tenant, "doc_id": given.doc_id}
    fetch(connection, "lock_document", **key)
    head = fetch(connection, "document_head", **key)[0]
    if version is not None:
        return version
    if head["sha256"] == _hash(sections):
        return int(head["version"])
    number = int(head["newest"] or 0) + 1
    row = {name: value for name, value in vars(given).items() if name not in ("body", "doc_id")} | {"text": given.body}
    run(connection, "put_ready_version", **key, **row, version=number, sections=len(sections), actor=actor)
    return number


def list_documents(database: Queries, *, tenant: str = "main") -> list[Document]:
    """Every document, ordered by id."""
    return [Document(**row) for row in database.fetch("runbook_documents", tenant=tenant, embedder=EMBEDDER)]


def section(database: Queries, section_id: str, *, tenant: str = "main") -> Section | None:
    """The section with this id, or None when the runbook has none (any more)."""
    rows = database.fetch("runbook_section", section_id=section_id.replace("\0", ""), tenant=tenant)
    return section_from(rows[0]) if rows else None


def section_as_of(database: Queries, section_id: str, at: datetime, *, tenant: str = "main") -> Section | None:
    """The section as it was at a moment, perhaps gone or changed since; None when it never was."""
    rows = database.fetch("section_as_of", section_id=section_id.replace("\0", ""), at=at, tenant=tenant)
    return section_from(rows[0]) if rows else None


def section_last(database: Queries, section_id: str, *, tenant: str = "main") -> Section | None:
    """The section as it is, or as it was last; None when it never was."""
    return section_as_of(database, section_id, datetime.max.replace(tzinfo=UTC), tenant=tenant)


def section_from(row: dict[str, Any]) -> Section:
    return Section(row["section_id"], row["doc_id"], row["position"], tuple(row["heading_path"]), row["body"], tuple(row["tags"]))


def reembed(database: Queries, *, tenant: str = "main") -> int:
    """Give sections and remembered cases of another embedder a vector of today's; how many there were.

    Until then they are found by their words only: vectors of two embedders are never compared.
    """
    with database.connection() as connection:
        sections = fetch(connection, "stale_sections", tenant=tenant, embedder=EMBEDDER)
        for row, vector in zip(sections, embed([searchable(row["heading_path"], row["body"]) for row in sections]), strict=True):
            run(
                connection,
                "set_section_vector",
                tenant=tenant,
                section_id=row["section_id"],
                embedder=EMBEDDER,
                embedding=literal(vector),
            )
        memories = fetch(connection, "stale_memories", tenant=tenant, embedder=EMBEDDER)
        for row, vector in zip(memories, embed([row["summary"] for row in memories]), strict=True):
            run(
                connection,
                "set_memory_vector",
                tenant=tenant,
                case_id=row["case_id"],
                embedder=EMBEDDER,
                embedding=literal(vector),
            )
    return len(sections) + len(memories)


def _made(tenant: str, vector: NDArray[np.float32]) -> dict[str, str]:
    return {"tenant": tenant, "embedder": EMBEDDER, "embedding": literal(vector)}


def doc_id_of(name: str) -> str:
    """The id of the document in a file of this name.

    >>> doc_id_of('On Call.md')
    'on-call'
    """
    return slug_of(PurePath(name).stem)


def _read(path: Path) -> tuple[bytes, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableRunbook(f"{path.name}: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise UnreadableRunbook(f"{path.name}: {len(raw):,} bytes, more than {MAX_BYTES:,}")
    try:
        return raw, raw.decode("utf-8-sig")
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
