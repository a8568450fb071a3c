"""Ingest with privacy.identifiers = tokenised: identifiers leave as tokens, free text leaves sealed with its subject's key.

Each Python worker asks the vault itself, once per identifier that it does not remember, and new subjects are committed before
anything goes to Delta, so a batch that is run again gets the same tokens. Nothing that a worker returns is in the clear.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.check import PERSONAL
from jobs.quick import TYPES, maps
from store.database import Database, Queries, url, wait_for
from store.settings import Settings
from trust.master import Ring, ring
from trust.vault import KINDS, UNOWNED, Subject, Vault, Wrapped, sealed_text

NAMED = {kind: re.compile(rf'"{kind}_id"\s*:\s*"([^"\\]{{1,200}})"') for kind in KINDS}  # in a record that was refused
WITHHELD = "[withheld]"  # without a key nothing may pass in the clear
NOBODY = (UNOWNED, "")
Owner = tuple[str, str]  # kind, identifier


@dataclass(frozen=True)
class Access:
    """What a worker needs to reach the vault. It stays in memory on its way: `repr` shows none of it.

    `mark` changes whenever a subject was erased: what a worker remembers is then forgotten.
    """

    address: str = field(repr=False)
    masters: Ring = field(repr=False)
    remembered: int
    wait_s: float
    mark: str = ""

    @classmethod
    def of(cls, settings: Settings, queries: Queries) -> "Access | None":
        """None when identifiers stay plain. Raises MasterKeyMissing."""
        if settings.privacy.identifiers != "tokenised":
            return None
        [marked] = queries.fetch("erasures_mark")
        at = settings.privacy.remembered_subjects
        return cls(url(settings), ring(settings), at, settings.detect.database_wait_s, marked["mark"])


class Book:
    """The subjects that a process has met; keeps one vault per tenant."""

    def __init__(self, access: Access, queries: Queries) -> None:
        self._access, self._queries = access, queries
        self._vaults: dict[str, Vault] = {}
        self._held: dict[tuple[str, str], dict[str, Wrapped | None]] = {}
        self._subjects: dict[tuple[str, Owner], Subject] = {}

    def close(self) -> None:
        """Leave the database."""
        if isinstance(self._queries, Database):
            self._queries.close()

    def tokens(self, tenant: str, kind: str, identifiers: Sequence[str]) -> list[str]:
        """Each identifier's token; one that is a token of this vault already stays."""
        held = self._known(tenant, kind, identifiers)
        return [one if (found := held[one]) is None else found.token for one in identifiers]

    def subject(self, tenant: str, owner: Owner) -> Subject | None:
        """Who seals; None for an identifier that is a token already, since its key may be gone."""
        found = self._subjects.get((tenant, owner))
        if found is None:
            kind, identifier = owner
            held = self._known(tenant, kind, [identifier])[identifier]
            if held is None:
                return None
            found = self._subjects[tenant, owner] = Subject(held.token, self._vault(tenant).key(held))
        return found

    def _known(self, tenant: str, kind: str, identifiers: Iterable[str]) -> dict[str, Wrapped | None]:
        held = self._held.setdefault((tenant, kind), {})
        new = {one for one in identifiers if one not in held}
        if new:
            if len(held) + len(new) > self._access.remembered:
                held.clear()
                self._subjects.clear()
                new = set(identifiers)
            found = wait_for(lambda: self._vault(tenant).wrapped(self._queries, kind, new), self._access.wait_s)
            held |= {one: found.get(one) for one in new}
        return held

    def _vault(self, tenant: str) -> Vault:
        return self._vaults.setdefault(tenant, Vault(tenant, self._access.masters))


_books: dict[str, tuple[Access, Book]] = {}  # one per process: a Python worker lives on from batch to batch


def book_of(access: Access) -> Book:
    """This process's book; a new one when the database has moved, a key was changed or somebody was erased."""
    held = _books.get("book")
    if held is not None and held[0] == access:
        return held[1]
    if held is not None:
        held[1].close()
    book = Book(access, Database(access.address, 1))
    _books["book"] = (access, book)
    return book


def sealed(batch: pa.RecordBatch, book: Book) -> tuple[pa.RecordBatch, list[bytes]]:
    """A batch of jobs.check.CHECKED with tokens for identifiers, message, raw record and personal attributes sealed; and of each
    refused row, in order, its raw record with tokens in place of identifiers, for a person to see."""
    tenants = pc.unique(batch["tenant"]).to_pylist()
    if len(tenants) == 1:
        return _sealed(batch, tenants[0], book)
    rows = [np.flatnonzero(_bits(pc.equal(batch["tenant"], tenant))) for tenant in tenants]
    parts = [_sealed(batch.take(pa.array(at)), tenant, book) for tenant, at in zip(tenants, rows, strict=True)]
    order = np.argsort(np.concatenate(rows)) if rows else np.empty(0, np.int64)
    whole = pa.Table.from_batches([part for part, _ in parts], schema=batch.schema).take(pa.array(order))
    shown = {int(at): raw for (part, raws), place in zip(parts, rows, strict=True)
             for at, raw in zip(place[_refused(part)], raws, strict=True)}  # fmt: skip
    return (whole.combine_chunks().to_batches() or [batch])[0], [shown[at] for at in sorted(shown)]


def _sealed(batch: pa.RecordBatch, tenant: str, book: Book) -> tuple[pa.RecordBatch, list[bytes]]:
    columns = {name: batch[name] for name in batch.schema.names}
    refused = _refused(batch)
    named = {int(at): _named(columns["raw"][int(at)].as_py()) for at in refused}
    owners = _Owners(dict(columns), named)
    columns |= {f"{kind}_id": _tokens(columns[f"{kind}_id"], tenant, kind, book) for kind in KINDS}
    shown = [_shown(batch["raw"][at].as_py(), tenant, named[at], book) for at in map(int, refused)]

    def lock(at: int, content: str | bytes) -> str:
        subject = book.subject(tenant, owners.of(at))
        return WITHHELD if subject is None else sealed_text(subject, content)

    columns["message"] = _each(columns["message"], lambda at, text: lock(at, text) if owners.of(at) != NOBODY else text)
    columns["raw"] = _each(columns["raw"], lambda at, raw: lock(at, raw).encode())
    columns["attributes"] = _attributes(columns["attributes"], lock)
    return pa.RecordBatch.from_arrays([columns[name] for name in batch.schema.names], schema=batch.schema), shown


class _Owners:
    """Whose key seals a row: its account's, else its counterparty's, else nobody's."""

    def __init__(self, columns: dict[str, pa.Array], refused: dict[int, dict[str, str]]) -> None:
        self._columns, self._refused = columns, refused

    @cached_property
    def _names(self) -> list[tuple[str, list[str | None]]]:
        return [(kind, self._columns[f"{kind}_id"].to_pylist()) for kind in KINDS]

    def of(self, at: int) -> Owner:
        if at in self._refused:
            return next(iter(self._refused[at].items()), NOBODY)
        for kind, names in self._names:
            if (name := names[at]) is not None:
                return kind, name
        return NOBODY


def _tokens(names: pa.Array, tenant: str, kind: str, book: Book) -> pa.Array:
    if names.null_count == len(names):
        return names
    coded = names.dictionary_encode()
    return pa.array(book.tokens(tenant, kind, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)


def _named(raw: bytes) -> dict[str, str]:
    """The identifiers of a refused record as far as its bytes name them."""
    text = raw.decode("utf-8", "replace")
    return {kind: match[1] for kind, pattern in NAMED.items() if (match := pattern.search(text)) is not None}


def _shown(raw: bytes, tenant: str, named: dict[str, str], book: Book) -> bytes:
    for kind, identifier in named.items():
        [token] = book.tokens(tenant, kind, [identifier])
        raw = raw.replace(identifier.encode(), token.encode())
    return raw


def _each(held: pa.Array, change: Callable[[int, Any], Any]) -> pa.Array:
    """The column with each value that is there changed."""
    if held.null_count == len(held):
        return held
    values = held.to_pylist()
    return pa.array([None if value is None else change(at, value) for at, value in enumerate(values)], held.type)


def _attributes(held: pa.Array, lock: Callable[[int, str], str]) -> pa.Array:
    if held.null_count == len(held) or not _bits(pc.starts_with(held.items, PERSONAL)).any():
        return held
    rows = [None if row is None else dict(row) for row in held.to_pylist()]
    for at, row in enumerate(rows):
        for name, value in (row or {}).items():
            if value.startswith(PERSONAL):
                rows[at] = (rows[at] or {}) | {name: lock(at, value[1:])}
    return maps(rows).cast(TYPES["attributes"])


def _refused(batch: pa.RecordBatch) -> Any:
    return np.flatnonzero(_bits(pc.is_valid(batch["reason"])))


def _bits(found: pa.Array) -> Any:
    return found.fill_null(False).to_numpy(zero_copy_only=False)
