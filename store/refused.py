"""What is wrong with given settings, in words: each sentence names the key, and the nearest known one where it is unknown."""

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

PREFIX = "CONCLAVE_"
OTHERS = ("CONCLAVE_CONFIG", "CONCLAVE_JARS")  # variables that are no settings


@cache
def variables(model: type[BaseModel]) -> dict[str, Any]:
    """Every variable that sets something → the type that it is read as."""
    named: dict[str, Any] = dict.fromkeys(OTHERS, str)
    for name, field in model.model_fields.items():
        named[f"{PREFIX}{name.upper()}"] = field.annotation
        if section := model_in(field.annotation):
            inner = section.model_fields.items()
            named |= {f"{PREFIX}{name.upper()}__{key.upper()}": one.annotation for key, one in inner}
    return named


def unknown_variables(environment: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each variable of ours that means nothing; those for tests are left alone."""
    names = set(known)
    strange = sorted(name for name in environment if name.upper().startswith(PREFIX) and name not in names)
    return [
        f"{name}: there is no such variable{nearest(name.upper(), names)}"
        for name in strange
        if not name.startswith("CONCLAVE_TEST_")
    ]


def broken_json(environment: Mapping[str, str], known: Mapping[str, Any]) -> list[str]:
    """Variables of tables and lists whose value is no JSON."""
    return [
        f"{name}: is read as JSON, and is none"
        for name, value in sorted(environment.items())
        if name in known and is_structured(known[name]) and not _is_json(value)
    ]


def is_structured(kind: Any) -> bool:
    """Whether a value of this type is written as JSON in a variable."""
    parts = [kind, *get_args(kind)]
    return any(get_origin(one) in (dict, list, tuple) for one in parts) or model_in(kind) is not None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def words(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A sentence for each fault that pydantic found. Values are not repeated: some are secret."""
    return [_sentence(fault, model) for fault in error.errors(include_input=False, include_url=False)]


def _sentence(fault: Any, model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        before, name = fault["loc"][:-1], str(fault["loc"][-1])
        where = section_at(model, before)
        return f"{path}: there is no such setting{nearest(name, where.model_fields if where else (), '.'.join(map(str, before)))}"
    said = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{path}: {said}" if path else said


def nearest(name: str, known: Iterable[str], before: str = "") -> str:
    """` (did you mean …?)`, or nothing when nothing is near."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {f'{before}.' * bool(before)}{near[0]}?)" if near else ""


def section_at(model: type[BaseModel], path: Iterable[Any]) -> type[BaseModel] | None:
    """The section that a path of keys leads to."""
    at: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and at is not None and part in at.model_fields:
            at = model_in(at.model_fields[part].annotation)
    return at


def model_in(kind: Any) -> type[BaseModel] | None:
    """The section in a type: itself, or what a list holds."""
    found = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)]
    return found[0] if found else None
