"""Browsers that are signed in: a random token for each, and behind it the key that was presented.

Kept in the memory of the process only. The key is verified again every few seconds, so that revoking it ends its sessions;
after a restart of the dashboard everyone signs in again. A token is known by its hash, as a key in the database is.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

COOKIE = "conclave_session"
MOST = 5_000


@dataclass
class Sessions:
    """Sessions by the hash of their token; one that was silent for `idle` is over."""

    idle: timedelta
    _kept: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def open(self, key: str, now: datetime) -> str:
        """A token for a key that was just verified; the longest silent session makes room when there are too many."""
        self._sweep(now)
        if len(self._kept) >= MOST:
            self._kept.pop(min(self._kept, key=lambda hashed: self._kept[hashed][1]), None)
        token = secrets.token_urlsafe(32)
        self._kept[_hashed(token)] = (key, now)
        return token

    def key(self, token: str, now: datetime) -> str | None:
        """The key behind a token, whose time begins anew; None when there is no such session or it is over."""
        found = self._kept.get(_hashed(token))
        if found is None or now - found[1] > self.idle:
            self._kept.pop(_hashed(token), None)
            return None
        self._kept[_hashed(token)] = (found[0], now)
        return found[0]

    def close(self, token: str) -> None:
        self._kept.pop(_hashed(token), None)

    def _sweep(self, now: datetime) -> None:
        for hashed in [hashed for hashed, (_, seen) in self._kept.items() if now - seen > self.idle]:
            self._kept.pop(hashed, None)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def put_cookie(token: str, hours: int, secure: bool) -> str:
    """JavaScript that keeps the token in the browser; the token is of the URL alphabet and needs no quoting."""
    return _cookie(token, hours * 3600, secure)


def drop_cookie(secure: bool) -> str:
    return _cookie("", 0, secure)


def _cookie(value: str, age_s: int, secure: bool) -> str:
    parts = f"{COOKIE}={value}; Path=/; Max-Age={age_s}; SameSite=Strict{'; Secure' if secure else ''}"
    return f"<script>document.cookie = '{parts}';</script>"
