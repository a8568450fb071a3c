"""How actors are called: a key by its name, the reader as `you`, parts of the product by what they do."""

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

NOBODY: Mapping[str, str] = MappingProxyType({})
NAMES: ContextVar[Mapping[str, str]] = ContextVar("names", default=NOBODY)  # actor → name, set where a page begins


def called(actor: str | None) -> str:
    """`key:0f3a` is its key's name, `system:desk` the desk, nobody is nobody; a name that was typed stays as it is.

    >>> called("system:desk"), called(None), called("Maria")
    ('the desk', 'nobody', 'Maria')
    """
    if not actor:
        return "nobody"
    if (known := NAMES.get().get(actor)) is not None:
        return known
    kind, _, rest = actor.partition(":")
    return {"system": f"the {rest}", "policy": f"the policy for {rest.replace('_', ' ')}"}.get(kind, actor) if rest else actor
