"""Uploaded documents: taken in, listed, read by version, removed. What takes long is done by assistant/loop.py."""

import hashlib
from datetime import datetime
from typing import Any

from assistant.errors import BadName, DocumentTooLarge, UnknownDocument
from assistant.formats import Format, check, format_of
from rag import quoting
from rag.runbook import doc_id_of
from store.database import Connection, Jsonb, Queries, fetch, run
from store.sections.assistant import Assistant
from trust import audit
from trust.roles import Caller

Row = dict[str, Any]
WAITING = ("queued", "reading", "indexing")
NAME_CAP = 200


def upload(
    database: Queries, caller: Caller, name: str, raw: bytes,
    *, now: datetime, settings: Assistant, media: str = "", given: str = "", keep_duplicate: bool = False,
) -> Row:  # fmt: skip
    """Take a document in as the next version of its name; the version's row, `unchanged` when its newest has these very bytes.

    The very bytes of another document are recorded as its duplicate and not searched twice, unless `keep_duplicate`.
    Raises BadName, UnknownFormat, UnreadableDocument, DocumentTooLarge.
    """
    name = named(name)
    if len(raw) > settings.max_upload_bytes:
        raise DocumentTooLarge(f"It has {len(raw):,} bytes, more than {settings.max_upload_bytes:,}.")
    kind = format_of(name, media, given)
    check(raw, kind)
    key = {"tenant": caller.tenant, "doc_id": doc_id_of(name)}
    with database.connection() as connection:
        fetch(connection, "lock_document", **key)
        digest = hashlib.sha256(raw).hexdigest()
        newest = next(iter(fetch(connection, "newest_version", **key)), None)
        if newest is not None and newest["sha256"] == digest and newest["state"] in ("ready", *WAITING):
            return _row(connection, key, newest["version"]) | {"unchanged": True}
        twin = None if keep_duplicate else next(iter(fetch(connection, "same_bytes", **key, sha256=digest)), None)
        version = _put(connection, key, name, kind, raw, digest, twin, caller.actor, now)
        detail = {"version": version, "bytes": len(raw), "sha256": digest, "format": kind}
        taken = _row(connection, key, version) | {"unchanged": False}
        audit.record(connection, caller.tenant, caller.actor, "document.upload", key["doc_id"], detail)
    return taken


def named(name: str) -> str:
    """A file's name without folders and what cannot be shown. Raises BadName."""
    bare = quoting.plain(name.replace("\\", "/").rpartition("/")[2], NAME_CAP)
    if not any(letter.isalnum() for letter in bare.rpartition(".")[0] or bare):
        raise BadName()
    return bare


def _put(
    connection: Connection, key: dict[str, str], name: str, kind: Format, raw: bytes, digest: str, twin: Row | None, actor: str,
    now: datetime,
) -> int:  # fmt: skip
    state, why, near = "queued", "", []
    if twin is not None:
        state, why = "duplicate", f"The very same bytes as {twin['doc_id']}, version {twin['version']}."
        near = [{"doc_id": twin["doc_id"], "version": twin["version"], "similarity": 1.0}]
    row = {"source": name, "format": kind, "title": "", "sha256": digest, "size": len(raw), "state": state, "why": why,
           "raw": raw if twin is None else None, "near": Jsonb(near), "actor": actor, "now": now}  # fmt: skip
    version = int(fetch(connection, "put_upload", **key, **row)[0]["version"])
    fetch(connection, "wake_documents", doc_id=key["doc_id"])
    return version


def _row(connection: Connection, key: dict[str, str], version: int) -> Row:
    return fetch(connection, "versions_of", **key, version=version)[0]


def listed(database: Queries, tenant: str, *, limit: int, after: str = "") -> list[Row]:
    """Each document's newest version and the one in use, by id."""
    return database.fetch("uploads_by_name", tenant=tenant, after=after, limit=limit)


def versions(database: Queries, tenant: str, doc_id: str) -> list[Row]:
    """Every version, the newest first. Raises UnknownDocument."""
    rows = database.fetch("versions_of", tenant=tenant, doc_id=_plain(doc_id), version=None)
    if not rows:
        raise UnknownDocument(quoting.name(doc_id))
    return rows


def version(database: Queries, tenant: str, doc_id: str, number: int) -> Row:
    """One version. Raises UnknownDocument."""
    rows = database.fetch("versions_of", tenant=tenant, doc_id=_plain(doc_id), version=number)
    if not rows:
        raise UnknownDocument(f"{quoting.name(doc_id)}, version {number}")
    return rows[0]


def text_of(database: Queries, tenant: str, doc_id: str, number: int) -> str | None:
    """What a version said, as Markdown; None when it has not been read or was removed. Raises UnknownDocument."""
    rows = database.fetch("version_text", tenant=tenant, doc_id=_plain(doc_id), version=number)
    if not rows:
        raise UnknownDocument(f"{quoting.name(doc_id)}, version {number}")
    text: str | None = rows[0]["text"]
    return text


def delete(database: Queries, caller: Caller, doc_id: str, *, purge: bool = False) -> Row:
    """Take a document out of search and empty its versions; how much went.

    What its sections said stays readable where a ruling or an answer cites it, unless `purge`. Raises UnknownDocument.
    """
    key = {"tenant": caller.tenant, "doc_id": _plain(doc_id)}
    with database.connection() as connection:
        fetch(connection, "lock_document", **key)
        emptied = run(connection, "forget_versions", **key)
        dropped = run(connection, "drop_document", **key)
        forgotten = run(connection, "forget_sections", **key, all=purge)
        kept = run(connection, "close_sections", **key)
        if not emptied + dropped + forgotten:
            raise UnknownDocument(quoting.name(doc_id))
        gone = {"versions": emptied, "sections_forgotten": forgotten, "sections_kept_for_citations": kept}
        audit.record(connection, caller.tenant, caller.actor, "document.delete", key["doc_id"], gone | {"purge": purge})
    return gone


def _plain(text: str) -> str:
    return text.replace("\0", "")
