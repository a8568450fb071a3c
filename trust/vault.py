"""The vault: identifiers as random tokens that only it can lead back, and free text sealed with its subject's own key.

Keys in three layers: the master key (trust/master.py) wraps a tenant's keys, the tenant's data key wraps each subject's key, the
subject's key seals the identifier and the subject's free text. Whoever destroys a subject's key has erased all three at once,
wherever copies of the ciphertext lie. Identifiers are found by their HMAC under the tenant's lookup key, never by themselves.

    vault = Vault.of(settings)
    vault.tokens(database, "account", ["A12"])      # {'A12': Subject(token='tok_…')}
    vault.resolve(database, ["tok_…"])              # {'tok_…': 'A12'}
    vault.find(database, "account:A12")             # 'account:tok_…'
"""

import base64
import binascii
import contextlib
import hmac
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag

from store.database import Connection, Queries, fetch, run
from store.settings import Settings
from trust.errors import NoSubject
from trust.master import KEY_BYTES, Ring, context_of, ring, seal, unseal

TOKEN = re.compile(r"tok_[a-z2-7]{26}")
SEALED = re.compile(r"sealed:1:(tok_[a-z2-7]{26}):([A-Za-z0-9+/]+={0,2})")
CUT = re.compile(r"sealed:1:[\w:+/=]*")
KINDS = ("account", "counterparty")
UNOWNED = "unowned"  # the subject of records that name nobody
CHUNK = 20_000
Keys = dict[tuple[str, int], bytes]


@dataclass(frozen=True)
class Subject:
    """Somebody as the rest of the system knows them; `key` seals their free text."""

    token: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Wrapped:
    """A subject whose key is still wrapped: most have no free text to seal."""

    token: str
    generation: int
    content: bytes = field(repr=False)


class Within(Queries):
    """Queries inside a transaction that is open already."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        yield self._connection


class Vault:
    """One tenant's vault. Unwrapped keys stay in this object's memory and go nowhere else."""

    def __init__(self, tenant: str, masters: Ring) -> None:
        self.tenant, self._masters = tenant, masters
        self._keys: Keys = {}

    @classmethod
    def of(cls, settings: Settings, tenant: str | None = None) -> "Vault":
        """Raises MasterKeyMissing or MasterKeyBad."""
        return cls(settings.tenant if tenant is None else tenant, ring(settings))

    def tokens(self, queries: Queries, kind: str, identifiers: Iterable[str]) -> dict[str, Subject]:
        """The subjects of these identifiers, made where they are new and committed before this returns.

        An identifier that is a token of this vault already stands for itself and is left out.
        """
        return {one: Subject(held.token, self.key(held)) for one, held in self.wrapped(queries, kind, identifiers).items()}

    def wrapped(self, queries: Queries, kind: str, identifiers: Iterable[str]) -> dict[str, Wrapped]:
        """The same with keys that are still wrapped; `key` unwraps one."""
        wanted = set(identifiers)
        posing = [one for one in wanted if is_token(one)]
        own = {row["token"] for row in queries.fetch("known_tokens", tenant=self.tenant, tokens=posing)} if posing else set()
        rest = sorted(wanted - own)
        found: dict[str, Wrapped] = {}
        for start in range(0, len(rest), CHUNK):
            found |= self._chunk(queries, kind, rest[start : start + CHUNK])
        return found

    def key(self, held: Wrapped) -> bytes:
        """What seals the subject's free text."""
        return unseal(self._keys["data", held.generation], held.content, held.token)

    def known(self, queries: Queries, kind: str, identifiers: Iterable[str]) -> dict[str, str]:
        """Identifier → token of those that have one."""
        lookups = {self._lookup(queries, kind, one): one for one in set(identifiers)}
        rows = queries.fetch("subjects_by_lookup", tenant=self.tenant, lookups=list(lookups))
        return {lookups[bytes(row["lookup"])]: row["token"] for row in rows}

    def find(self, queries: Queries, real: str) -> str | None:
        """The token of `A12` (an account), or the entity `account:tok_…/EUR` of `account:A12/EUR`; None when there is none."""
        if ":" not in real:
            return self.known(queries, "account", [real]).get(real)
        kind, identifier, rest = split(real)
        token = self.known(queries, kind, [identifier]).get(identifier) if kind in KINDS else None
        return None if token is None else f"{kind}:{token}{rest}"

    def resolve(self, queries: Queries, tokens: Iterable[str]) -> dict[str, str]:
        """Token → identifier; tokens that are unknown or erased are left out."""
        rows = self._subjects(queries, [token for token in set(tokens) if is_token(token)])
        return {
            row["token"]: unseal(key, bytes(row["sealed"]), row["token"]).decode() for row, key in rows if row["kind"] != UNOWNED
        }

    def real(self, queries: Queries, texts: Iterable[str]) -> dict[str, str]:
        """Each text with its tokens as what they stand for: `account:tok_…/EUR` → `account:A12/EUR`."""
        kept = list(texts)
        names = self.resolve(queries, {token for text in kept for token in TOKEN.findall(text)})
        return {text: TOKEN.sub(lambda match: names.get(match[0], match[0]), text) for text in kept}

    def open(self, queries: Queries, texts: Iterable[str]) -> dict[str, str]:
        """Each sealed text in clear, `[erased]` once its subject's key is gone, `[sealed]` when it was cut; others as is."""
        kept = list(texts)
        owners = {match[1] for text in kept for match in SEALED.finditer(text)}
        keys = {row["token"]: key for row, key in self._subjects(queries, sorted(owners))}
        return {text: hide(SEALED.sub(lambda match: _opened(match, keys), text)) for text in kept}

    def open_bytes(self, queries: Queries, sealed: str) -> bytes | None:
        """What one sealed text holds, of any bytes; None once its subject's key is gone."""
        match = SEALED.fullmatch(sealed)
        rows = self._subjects(queries, [match[1]]) if match is not None else []
        return unseal(rows[0][1], base64.b64decode(match[2]), match[1]) if match is not None and rows else None

    def destroy(self, connection: Connection, token: str) -> bool:
        """Forget the subject inside the caller's transaction: nothing sealed for it opens again. False: there was no such key."""
        return run(connection, "destroy_subject", tenant=self.tenant, token=token) == 1

    def renew(self, queries: Queries) -> int:
        """A new data key for the tenant, and every subject's key wrapped under it; how many. Safe to break off and repeat."""
        self._load(queries)
        generation = self._newest() + 1
        self._add(queries, "data", generation)
        self._load(queries)
        done = 0
        while part := self._renew_some(queries):
            done += part
        return done

    def _renew_some(self, queries: Queries) -> int:
        generation = self._newest()
        with queries.connection() as connection:
            rows = fetch(connection, "subjects_under", tenant=self.tenant, generation=generation, limit=1000)
            for row in rows:
                wrapped = seal(self._keys["data", generation], self._subject_key(row), row["token"])
                run(connection, "rewrap_subject", tenant=self.tenant, token=row["token"], wrapped=wrapped, generation=generation)
        return len(rows)

    def _chunk(self, queries: Queries, kind: str, identifiers: Sequence[str]) -> dict[str, Wrapped]:
        lookups = {self._lookup(queries, kind, one): one for one in identifiers}
        found = self._by_lookup(queries, lookups)
        if missing := [lookup for lookup, one in lookups.items() if one not in found]:
            queries.run("put_subjects", **self._made(kind, [(lookup, lookups[lookup]) for lookup in missing]))
            found |= self._by_lookup(queries, {lookup: lookups[lookup] for lookup in missing})
        return found

    def _by_lookup(self, queries: Queries, lookups: dict[bytes, str]) -> dict[str, Wrapped]:
        rows = queries.fetch("subjects_by_lookup", tenant=self.tenant, lookups=list(lookups))
        if any(("data", row["generation"]) not in self._keys for row in rows):
            self._load(queries)
        return {lookups[row["lookup"]]: Wrapped(row["token"], row["generation"], row["wrapped"]) for row in rows}

    def _made(self, kind: str, new: list[tuple[bytes, str]]) -> dict[str, Any]:
        """The columns of new subjects."""
        generation = self._newest()
        outer = self._keys["data", generation]
        tokens = [new_token() for _ in new]
        keys = [secrets.token_bytes(KEY_BYTES) for _ in new]
        rows = list(zip(tokens, keys, new, strict=True))
        return {
            "tenant": self.tenant, "kind": kind, "generation": generation, "tokens": tokens,
            "lookups": [lookup for lookup, _ in new],
            "sealed": [seal(key, identifier.encode(), token) for token, key, (_, identifier) in rows],
            "wrapped": [seal(outer, key, token) for token, key, _ in rows],
        }  # fmt: skip

    def _subjects(self, queries: Queries, tokens: list[str]) -> list[tuple[dict[str, Any], bytes]]:
        rows = queries.fetch("subjects_by_token", tenant=self.tenant, tokens=tokens) if tokens else []
        if any(("data", row["generation"]) not in self._keys for row in rows):
            self._load(queries)
        return [(row, self._subject_key(row)) for row in rows]

    def _subject_key(self, row: dict[str, Any]) -> bytes:
        return unseal(self._keys["data", row["generation"]], bytes(row["wrapped"]), row["token"])

    def _lookup(self, queries: Queries, kind: str, identifier: str) -> bytes:
        if not self._keys:
            self._load(queries)
        return hmac.digest(self._keys["lookup", 1], f"{kind}\0{identifier}".encode(), "sha256")

    def _newest(self) -> int:
        return max(generation for purpose, generation in self._keys if purpose == "data")

    def _load(self, queries: Queries) -> None:
        """Unwrap the tenant's keys; the first call of a new tenant makes them."""
        rows = queries.fetch("vault_keys_of", tenant=self.tenant)
        if missing := {"lookup", "data"} - {row["purpose"] for row in rows}:
            for purpose in missing:
                self._add(queries, purpose, 1)
            rows = queries.fetch("vault_keys_of", tenant=self.tenant)
        for row in rows:
            context = context_of(self.tenant, row["purpose"], row["generation"])
            self._keys[row["purpose"], row["generation"]] = self._masters.unwrap(bytes(row["wrapped"]), row["master"], context)

    def _add(self, queries: Queries, purpose: str, generation: int) -> None:
        wrapped = self._masters.wrap(secrets.token_bytes(KEY_BYTES), context_of(self.tenant, purpose, generation))
        place = {"tenant": self.tenant, "purpose": purpose, "generation": generation}
        queries.run("put_vault_key", wrapped=wrapped, master=self._masters.current, **place)


def vault_of(settings: Settings, tenant: str | None = None) -> Vault | None:
    """The tenant's vault when identifiers are tokenised, else None. Raises MasterKeyMissing or MasterKeyBad."""
    return Vault.of(settings, tenant) if settings.privacy.identifiers == "tokenised" else None


def sealed_text(subject: Subject, text: str | bytes) -> str:
    """Free text that opens only with its subject's key."""
    content = text.encode() if isinstance(text, str) else text
    return f"sealed:1:{subject.token}:{base64.b64encode(seal(subject.key, content, subject.token)).decode()}"


def hide(text: str) -> str:
    """The text with everything sealed in it, whole or cut, as `[sealed]`."""
    return CUT.sub("[sealed]", text) if "sealed:1:" in text else text


def is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


def new_token() -> str:
    return "tok_" + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def split(entity: str) -> tuple[str, str, str]:
    """Kind, identifier and the rest of an entity's name; raises NoSubject.

    >>> split("account:A12/EUR"), split("counterparty:T9")
    (('account', 'A12', '/EUR'), ('counterparty', 'T9', ''))
    """
    kind, colon, rest = entity.partition(":")
    if not colon or not rest:
        raise NoSubject(f"(`{entity}`)")
    currency = re.search(r"/[^/]{0,10}$", rest)
    at = currency.start() if currency is not None and currency.start() > 0 else len(rest)
    return kind, rest[:at], rest[at:]


def _opened(match: re.Match[str], keys: dict[str, bytes]) -> str:
    token, content = match[1], match[2]
    if token not in keys:
        return "[erased]"
    with contextlib.suppress(InvalidTag, binascii.Error, ValueError):
        return unseal(keys[token], base64.b64decode(content), token).decode()
    return match[0]
