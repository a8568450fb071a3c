"""Access tokens of an OpenID provider: signature by its published keys, audience, time, the claims that name role and tenant."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt

from trust.roles import Caller, Role

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")  # none with a shared secret
KEYS_LIVE = timedelta(hours=1)
ASK_AGAIN = timedelta(
    seconds=30
)  # an unknown key id may be a new key, or somebody's invention: the provider is not asked each time
LEEWAY_S = 30
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Expected:
    """What a token must say. `roles` maps a claim's value to a role's name; a role's own name needs no entry."""

    issuer: str
    audience: str
    role_claim: str = "roles"
    tenant_claim: str = "tenant"
    roles: Mapping[str, str] = field(default_factory=dict)


class Provider:
    """An issuer with its keys, fetched when needed and kept for an hour. Safe to share between threads."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._asked: datetime | None = None
        self._lock = threading.Lock()

    def verify(self, token: str, now: datetime) -> Caller | None:
        """The caller whom a token names; None when it does not hold. Raises httpx.HTTPError when the issuer is away."""
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"), now)
            return None if key is None else read(token, key, self.expected, now)
        except jwt.PyJWTError:
            return None

    def _key(self, kid: str | None, now: datetime) -> jwt.PyJWK | None:
        with self._lock:
            age = None if self._asked is None else now - self._asked
            if age is None or age > KEYS_LIVE or (kid not in self._keys and age > ASK_AGAIN):
                self._asked = now
                self._keys = published(self.expected.issuer)
            return self._keys.get(kid)


def published(issuer: str) -> dict[str | None, jwt.PyJWK]:
    """The issuer's signing keys by id, through its discovery document."""
    with httpx.Client(timeout=TIMEOUT_S) as client:
        about = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
        keys = client.get(about["jwks_uri"]).raise_for_status().json()
    return {key.key_id: key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use in (None, "sig")}


def read(token: str, key: jwt.PyJWK, expected: Expected, now: datetime) -> Caller | None:
    """The caller of a token signed by `key`; None without role or tenant. Raises jwt.PyJWTError for one that does not hold."""
    claims = jwt.decode(
        token, key, algorithms=list(ALGORITHMS), audience=expected.audience, issuer=expected.issuer,
        options={"require": ["exp", "sub", "aud", "iss"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )  # fmt: skip
    at = now.astimezone(UTC).timestamp()
    if at > float(claims["exp"]) + LEEWAY_S or at < float(claims.get("nbf", 0)) - LEEWAY_S:
        return None
    return caller_of(claims, expected)


def caller_of(claims: Mapping[str, Any], expected: Expected) -> Caller | None:
    """Who the claims name: the highest role among theirs.

    >>> expected = Expected("https://id", "conclave", role_claim="realm.roles", roles={"fraud-desk": "analyst"})
    >>> caller_of({"sub": "u1", "tenant": "main", "realm": {"roles": ["other", "fraud-desk"]}}, expected).role.name
    'analyst'
    """
    told = claim(claims, expected.role_claim)
    names = told if isinstance(told, list) else str(told or "").split()
    roles = [role for name in names if (role := expected.roles.get(str(name), str(name))) in Role.__members__]
    tenant, subject = claim(claims, expected.tenant_claim), str(claims["sub"])
    if not roles or not isinstance(tenant, str) or not tenant:
        return None
    name = str(claims.get("name") or claims.get("preferred_username") or claims.get("email") or subject)
    return Caller(tenant, f"oidc:{subject}", name, max(Role[role] for role in roles))


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by the way inwards with dots; None when it is not there."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
