"""Secrets of channels: database and API only ever see a reference, `env:NAME` or `file:NAME`; the value is read to send."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from notify.errors import SecretForbidden, SecretMissing
from store.settings import Settings

LARGEST = 65_536


@dataclass(frozen=True)
class Vault:
    """What one tenant's channels may refer to, and what was read, so that it can be struck out of what is kept."""

    environment: Mapping[str, str]
    patterns: tuple[str, ...]
    folder: Path
    read: dict[str, str] = field(default_factory=dict, compare=False)

    def value(self, reference: str) -> str:
        """The secret itself; raises SecretForbidden, SecretMissing (both name the reference, never the value)."""
        kind, _, name = reference.partition(":")
        found = self._variable(name) if kind == "env" else self._file(name) if kind == "file" else None
        if found is None:
            raise SecretForbidden(f"`{kind}`: a reference is env:NAME or file:NAME.")
        if not found:
            raise SecretMissing(f"({reference})")
        self.read[reference] = found
        return found

    def _variable(self, name: str) -> str:
        if not any(fnmatchcase(name, pattern) for pattern in self.patterns):
            raise SecretForbidden(f"(env:{name}; allowed: {', '.join(self.patterns)})")
        return self.environment.get(name, "").strip()

    def _file(self, name: str) -> str:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise SecretForbidden(f"(file:{name} is outside of the folder of secrets)")
        try:
            return path.read_bytes()[:LARGEST].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def without_secrets(self, text: str, cap: int = 500) -> str:
        """Text that may be kept and shown: each secret that was read is struck out of it, at most `cap` characters."""
        found = {part: reference for reference, value in self.read.items() for part in parts(value) if len(part) >= 6}
        for part in sorted(found, key=len, reverse=True):
            text = text.replace(part, f"[{found[part]}]")
        return text.replace("\x00", "")[:cap]


def parts(secret: str) -> list[str]:
    """A secret, and what follows the host when it is an address.

    >>> parts("https://hooks.example/T0/abcdef?key=ghijkl")
    ['https://hooks.example/T0/abcdef?key=ghijkl', 'T0', 'abcdef', 'key', 'ghijkl']
    """
    _, found, rest = secret.partition("://")
    return [secret, *re.split(r"[/?&=]", rest)[1:]] if found else [secret]


def vault_of(tenant: str, settings: Settings, environment: Mapping[str, str]) -> Vault:
    """The references open to a tenant; another one than the settings' own has variables and a folder of its own."""
    own = tenant == settings.tenant
    folder = settings.notify.secrets_folder or settings.home / "secrets"
    patterns = settings.notify.secret_variables
    return Vault(
        environment,
        patterns if own else tuple(pattern.replace("_", f"_{label(tenant)}__", 1) for pattern in patterns if "_" in pattern),
        folder if own else folder / "tenants" / label(tenant),
    )


def label(tenant: str) -> str:
    """A tenant's name in variables; no tenant's is the beginning of another's up to the two underscores.

    >>> label("acme-eu")
    'ACME_EU'
    """
    simple = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", tenant)
    return tenant.replace("-", "_").upper() if simple else "X" + sha256(tenant.encode()).hexdigest()[:16].upper()
