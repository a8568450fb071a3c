"""Who is calling, and what each role may do."""

from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """Each role may do all that the ones before it may."""

    viewer = 1  # reads; personal data stays masked
    analyst = 2  # works on cases, gives feedback, asks, sends events
    admin = 3  # keys, pipelines, channels, schedules, erasure


@dataclass(frozen=True)
class Caller:
    """An authenticated caller; `actor` is how the audit log and timelines name it."""

    tenant: str
    actor: str  # `key:ID` or `oidc:SUBJECT`
    name: str
    role: Role
    scopes: frozenset[str] = field(default_factory=frozenset)  # empty: all that the role may; else route groups, as `events`

    def may(self, role: Role, scope: str = "") -> bool:
        return self.role >= role and (not self.scopes or not scope or scope in self.scopes)
