"""Projects: whose traces they are, how long and in what form they are kept, and which keys may send to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from observe.errors import BadProject, Changed, NotThisProject, UnknownProject
from observe.texts import MODES
from store.database import Connection, Queries, fetch, run
from store.sections.observe import Observe
from trust import audit
from trust.roles import Caller

SCOPE = "traces"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CHANGEABLE = ("title", "retention_days", "keep_share", "slow_ms", "costly", "low_score", "text_mode", "judged")


@dataclass(frozen=True)
class Project:
    """A row of trace_projects. None for `slow_ms` and `costly`: the setting's."""

    tenant: str
    project: str
    title: str
    retention_days: int
    keep_share: float
    slow_ms: float | None
    costly: float | None
    low_score: float
    text_mode: str
    judged: bool
    created_by: str
    created_at: Any
    version: int
    tidied_at: Any = None


def allowed(caller: Caller) -> frozenset[str] | None:
    """The projects that a key is limited to; None for all: it has no scopes, or the scope `traces`."""
    if not caller.scopes or SCOPE in caller.scopes:
        return None
    return frozenset(scope.partition(":")[2] for scope in caller.scopes if scope.startswith(f"{SCOPE}:"))


def check_allowed(caller: Caller, project: str) -> None:
    """Raises NotThisProject."""
    limits = allowed(caller)
    if limits is not None and project not in limits:
        raise NotThisProject(f"(`{project}`)")


def default_project(caller: Caller) -> str:
    """Where traces go that name no project: to the key's only one, else to `default`."""
    limits = allowed(caller)
    return next(iter(limits)) if limits is not None and len(limits) == 1 else "default"


def named(text: str) -> str:
    """A project's name made from any text, as a service's name.

    >>> named("Shop Assistant (EU)")
    'shop-assistant-eu'
    """
    made = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:64]
    return made or "default"


def listed(queries: Queries, tenant: str, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Every project with how many traces it holds and when the newest came."""
    wanted = None if only is None else sorted(only)
    return queries.fetch("trace_projects", tenant=tenant, only=wanted)


def get(queries: Queries, tenant: str, project: str) -> Project:
    """Raises UnknownProject."""
    rows = queries.fetch("trace_project", tenant=tenant, project=project)
    if not rows:
        raise UnknownProject(f"(`{project}`)")
    return Project(**rows[0])


def ensure(connection: Connection, tenant: str, project: str, defaults: Observe, actor: str) -> bool:
    """Make the project with the settings' defaults unless it is there; whether it was made."""
    if fetch(connection, "trace_project", tenant=tenant, project=project):
        return False
    try:
        return create(connection, tenant, project, {}, defaults, actor)
    except BadProject:
        raise BadProject(f"(`{project}` is not a name: {NAME.pattern})") from None


def create(
    connection: Connection, tenant: str, project: str, values: dict[str, Any], defaults: Observe, actor: str
) -> bool:  # fmt: skip
    """Make a project; False when there is one of this name. Raises BadProject."""
    if not NAME.fullmatch(project):
        raise BadProject(f"(`{project}` is not a name: {NAME.pattern})")
    kept = {
        "title": "", "retention_days": defaults.retention_days, "keep_share": defaults.keep_share, "slow_ms": None,
        "costly": None, "low_score": 0.5, "text_mode": defaults.text_mode, "judged": False,
    } | values  # fmt: skip
    _check(kept)
    made = run(connection, "put_trace_project", tenant=tenant, project=project, actor=actor, **kept) == 1
    if made:
        audit.record(connection, tenant, actor, "traces.project.create", project, kept)
    return made


def change(connection: Connection, tenant: str, project: str, values: dict[str, Any], version: int, actor: str) -> Project:
    """Change some of CHANGEABLE; `version` is the one that was looked at. Raises UnknownProject, BadProject, Changed."""
    rows = fetch(connection, "lock_trace_project", tenant=tenant, project=project)
    if not rows:
        raise UnknownProject(f"(`{project}`)")
    if rows[0]["version"] != version:
        raise Changed(f"(it has version {rows[0]['version']}, you saw {version})")
    kept = {name: rows[0][name] for name in CHANGEABLE} | values
    _check(kept)
    changed = fetch(connection, "change_trace_project", tenant=tenant, project=project, **kept)[0]
    audit.record(connection, tenant, actor, "traces.project.change", project, values)
    return Project(**changed)


def _check(values: dict[str, Any]) -> None:
    if unknown := set(values) - set(CHANGEABLE):
        raise BadProject(f"(unknown: {', '.join(sorted(unknown))})")
    if not 0 < values["keep_share"] <= 1 or values["retention_days"] < 1 or not 0 <= values["low_score"] <= 1:
        raise BadProject("(keep_share lies in 0 (left out) to 1, low_score in 0 to 1, retention_days is 1 or more)")
    if values["text_mode"] not in MODES:
        raise BadProject(f"(text_mode is one of {', '.join(MODES)})")
