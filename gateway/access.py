"""Who is calling, and whether they may: every route says so with `Annotated[Caller, Needs(Role.viewer)]`."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from gateway.problems import Problem
from store.database import Database, Tenant
from store.settings import Settings
from trust import keys
from trust.roles import Caller, Role

BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="An API key of `conclave keys create`, or an OIDC token.")
HEADER = APIKeyHeader(name="X-Api-Key", auto_error=False, scheme_name="key header", description="The same key in a header.")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="conclave"'}


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def clock_of(request: Request) -> datetime:
    clock: Callable[[], datetime] = request.app.state.clock
    return clock()


def signed_in(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
    header: Annotated[str | None, Security(HEADER)],
) -> Caller:
    """The caller, or 401: without a valid key nothing is answered."""
    presented = bearer.credentials if bearer is not None else header
    limits, address = request.app.state.limits, request.client.host if request.client is not None else "unknown"
    limits.check_address(address)
    if not presented:
        raise Problem(401, detail="Send `Authorization: Bearer KEY`; `conclave keys create` makes one.", headers=CHALLENGE)
    caller = identify(request, presented)
    if caller is None:
        limits.count_failure(address)
        raise Problem(401, detail="This key or token opens nothing: unknown, expired or revoked.", headers=CHALLENGE)
    limits.count(f"{caller.tenant} {caller.actor}")
    request.state.caller = caller
    return caller


def identify(request: Request, presented: str) -> Caller | None:
    """Who presents a key of ours or, where a provider is set, its token."""
    now, provider = clock_of(request), request.app.state.provider
    if presented.startswith(f"{keys.PREFIX}_") or provider is None:
        return keys.verify(database_of(request), presented, now)
    try:
        caller: Caller | None = provider.verify(presented, now)
    except httpx.HTTPError as error:
        raise Problem(503, detail="The sign-in provider cannot be reached; API keys still work.") from error
    return caller


class Requirement:
    """A route's least role and its scope. A key with scopes opens only routes that name one of them."""

    def __init__(self, role: Role, scope: str) -> None:
        self.role, self.scope = role, scope

    def __call__(self, caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
        if caller.role < self.role:
            raise Problem(403, detail=f"This needs the role {self.role.name}; yours is {caller.role.name}.")
        if not in_scope(caller, self.scope):
            raise Problem(403, detail=f"Your key is limited to: {', '.join(sorted(caller.scopes))}.")
        return caller


def in_scope(caller: Caller, scope: str) -> bool:
    """No scopes: everything. `traces:shop` opens what `traces` names; the route then narrows it to `shop`."""
    return not caller.scopes or any(own == scope or own.startswith(f"{scope}:") for own in caller.scopes if scope)


def scopes_of(routes: Iterable[Any]) -> frozenset[str]:
    """Every scope that a route names: what a key may be limited to."""
    calls = [call for route in routes if (found := getattr(route, "dependant", None)) is not None for call in _calls(found)]
    return frozenset(call.scope for call in calls if isinstance(call, Requirement) and call.scope)


def _calls(dependant: Any) -> list[Any]:
    return [dependant.call] + [call for inner in dependant.dependencies for call in _calls(inner)]


def Needs(role: Role, scope: str = "") -> Any:
    """The dependency that gives the caller when they have `role` (or more) and, for a scoped key, `scope`."""
    return Depends(Requirement(role, scope))


def _store(request: Request, caller: Annotated[Caller, Depends(signed_in)]) -> Tenant:
    return database_of(request).of(caller.tenant)


Store = Annotated[Tenant, Depends(_store)]  # the caller's tenant's rows, held by row-level security
Owner = Annotated[Database, Depends(database_of)]  # everything; only where a service checks the tenant itself
App = Annotated[Settings, Depends(settings_of)]
Now = Annotated[datetime, Depends(clock_of)]


def utc_now() -> datetime:
    return datetime.now(UTC)
