"""The master key: outside of the database, it wraps every tenant's keys. In the environment, or in a file that only we read."""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store.database import Database, fetch, is_embedded, run
from store.settings import Settings
from trust.errors import MasterKeyBad, MasterKeyGiven, MasterKeyMissing, MasterKeyWrong

KEY_BYTES, NONCE_BYTES = 32, 12


def seal(key: bytes, content: bytes, context: str) -> bytes:
    """AES-256-GCM: nonce, then ciphertext and tag; opens only with the same key and context."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, context.encode())


def unseal(key: bytes, sealed: bytes, context: str) -> bytes:
    """Raises cryptography.exceptions.InvalidTag for another key, context or content."""
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())


@dataclass(frozen=True)
class Ring:
    """Master keys, the one in use first; older ones open what has not been wrapped anew."""

    keys: tuple[bytes, ...] = field(repr=False)

    @property
    def current(self) -> str:
        return name_of(self.keys[0])

    def wrap(self, content: bytes, context: str) -> bytes:
        return seal(self.keys[0], content, context)

    def unwrap(self, sealed: bytes, master: str, context: str) -> bytes:
        """Raises MasterKeyWrong when the ring lacks the key called `master`, or the content was tampered with."""
        for key in self.keys:
            if name_of(key) == master:
                with contextlib.suppress(InvalidTag):
                    return unseal(key, sealed, context)
        raise MasterKeyWrong(f"(wanted: {master})")


def name_of(key: bytes) -> str:
    """What a key is called in the database; says nothing about the key."""
    return hashlib.sha256(b"conclave master key " + key).hexdigest()[:16]


def ring(settings: Settings) -> Ring:
    """The master keys that the settings name. With the embedded database a first one is made when there is none."""
    given = settings.privacy.master_key
    if given is not None:
        return Ring(parse(given.get_secret_value().split(",")))
    file = place(settings)
    if not file.exists() and settings.privacy.master_key_file is None and is_embedded(settings):
        create(file)
    if not file.exists():
        raise MasterKeyMissing
    return Ring(parse(file.read_text(encoding="ascii").split()))


def place(settings: Settings) -> Path:
    return settings.privacy.master_key_file or settings.home / "keys" / "master.key"


def create(file: Path) -> None:
    """A new master key in a file that only its owner can read; one that is there already stays."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        _write(draft, [secrets.token_bytes(KEY_BYTES)])
        try:
            os.link(draft, file)  # whole or not at all, and never over another's
        finally:
            draft.unlink()


def parse(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Raises MasterKeyBad."""
    try:
        keys = tuple(base64.b64decode(text.strip(), validate=True) for text in texts if text.strip())
    except (binascii.Error, ValueError) as error:
        raise MasterKeyBad from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise MasterKeyBad
    return keys


def rotate(settings: Settings, database: Database) -> int:
    """Wrap every tenant's keys anew under a new master key; how many. Tokens and what is sealed stay as they are.

    The new key stands beside the old one in the file until all is wrapped, so it can be broken off anywhere and run again.
    With the key in the environment: set it to `new,old` first.
    """
    held = ring(settings)
    if settings.privacy.master_key is None:
        held = Ring((secrets.token_bytes(KEY_BYTES), *held.keys))
        _replace(place(settings), list(held.keys))
    elif len(held.keys) == 1:
        raise MasterKeyGiven
    done = _rewrap(database, held)
    if settings.privacy.master_key is None:
        _replace(place(settings), [held.keys[0]])
    return done


def _rewrap(database: Database, held: Ring) -> int:
    with database.connection() as connection:
        rows = [row for row in fetch(connection, "vault_keys_all") if row["master"] != held.current]
        for row in rows:
            context = context_of(row["tenant"], row["purpose"], row["generation"])
            key = held.unwrap(row["wrapped"], row["master"], context)
            place_of = {name: row[name] for name in ("tenant", "purpose", "generation")}
            run(connection, "rewrap_vault_key", wrapped=held.wrap(key, context), master=held.current, **place_of)
    return len(rows)


def context_of(tenant: str, purpose: str, generation: int) -> str:
    """What a wrapped key is bound to: moved to another row it does not open."""
    return f"{tenant}\0{purpose}\0{generation}"


def _write(file: Path, keys: Sequence[bytes]) -> None:
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="ascii") as out:
        out.write("".join(base64.b64encode(key).decode() + "\n" for key in keys))
        out.flush()
        os.fsync(out.fileno())


def _replace(file: Path, keys: Sequence[bytes]) -> None:
    draft = file.with_name(f".{file.name}.new")
    _write(draft, keys)
    draft.replace(file)
