"""Opaque cursors of pages: where the last page ended, as text that callers hand back unread."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from gateway.problems import Problem


def closed(*values: Any) -> str:
    """The cursor of a row's sort values (texts, numbers, times).

    >>> opened(closed(7, "a"), int, str)
    [7, 'a']
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def opened(cursor: str, *kinds: Callable[[Any], Any]) -> list[Any]:
    """The values of a cursor, each read by its kind. Raises Problem 422 for one that nobody was given."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int | float])
        if len(values) != len(kinds):
            raise ValueError
        return [kind(value) for kind, value in zip(kinds, values, strict=True)]
    except (binascii.Error, msgspec.DecodeError, ValueError, TypeError, OverflowError):
        raise Problem(422, detail="after: is not a cursor that an answer gave", field="after") from None


def time(value: Any) -> datetime:
    """A time in a cursor; it must have a zone."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError
    return at


def text(value: Any) -> str:
    """A text that Postgres takes."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def big(value: Any) -> int:
    """A whole number that Postgres' bigint holds."""
    if not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError
    return value
