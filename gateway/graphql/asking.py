"""What a resolver has: the caller, their tenant's rows, the settings; and how it calls a service without blocking others."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import strawberry
from starlette.concurrency import run_in_threadpool

from gateway import reading
from gateway.problems import Problem
from store.database import Tenant
from store.settings import Settings
from trust.roles import Caller, Role

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Context:
    """Given with each query."""

    caller: Caller
    store: Tenant
    settings: Settings
    now: datetime


Info = strawberry.Info[Context, Any]


def described(text: str) -> Callable[[F], F]:
    """A field with its description in the schema."""
    decorate: Callable[[F], F] = strawberry.field(description=text)
    return decorate


async def ask(service: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A service's answer, from a thread."""
    return await run_in_threadpool(service, *args, **kwargs)


def first_of(first: int) -> int:
    """A page's length. Raises Problem 422."""
    if not 1 <= first <= reading.MOST:
        raise Problem(422, detail=f"first: must be between 1 and {reading.MOST}", field="first")
    return first


def needs(info: Info, role: Role) -> Context:
    """The context of a caller who may. Raises Problem 403."""
    if info.context.caller.role < role:
        raise Problem(403, detail=f"This needs the role {role.name}; yours is {info.context.caller.role.name}.")
    return info.context
