"""The settings as they are in force, in rows; secrets are only said to be set."""

import re
from typing import Any

from pydantic import BaseModel, SecretStr

SECRET = re.compile(r"pass|secret|token|jaas|credential|(^|[._-])key", re.IGNORECASE)
LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
HIDDEN = "set, not shown"


def rows(settings: BaseModel, inside: str = "") -> list[dict[str, Any]]:
    """One row per setting: `name` (`section.field`), `value` as text, `changed` from the default, `said` by its description."""
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found += rows(value, f"{inside}{name}.")
        else:
            changed = value != field.get_default(call_default_factory=True)
            found.append(
                {"name": inside + name, "value": shown(name, value), "changed": changed, "said": field.description or ""}
            )
    return found


def shown(name: str, value: Any) -> str:
    """A value as text without anything secret.

    >>> shown("kafka_options", {"sasl.password": "x", "acks": "all"})
    'sasl.password = set, not shown, acks = all'
    """
    if isinstance(value, SecretStr):
        return HIDDEN
    if value is None or value == "":
        return "not set"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_plain(str(key), one)}" for key, one in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_plain(name, one) for one in value) or "none"
    return _plain(name, value)


def _plain(name: str, value: Any) -> str:
    if isinstance(value, BaseModel):
        return " ".join(f"{field}={_plain(field, one)}" for field, one in value)
    if isinstance(value, SecretStr) or (isinstance(value, str) and value and SECRET.search(name)):
        return HIDDEN
    return LOGIN.sub("…@", str(value))
