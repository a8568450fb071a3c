"""What an answer may rest on: marked exhibits whose numbers are said by reference, and lines that refer to them. Pure.

A line is written as `{{f1.count}} payments`; its digits are put in from the exhibit, so an answer cannot invent one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from assistant.errors import UnknownReference
from rag import items, quoting
from rag.evidence import clean, split_entity
from rag.items import Item

REFERENCE = re.compile(r"\{\{(\w+)\.(\w+)\}\}")
UNKNOWN = "unknown"
EXCERPT = 300


@dataclass(frozen=True)
class Exhibit:
    """A fact, a ruling, a section: `fields` may be referred to, `text` is what it says in words (untrusted, made tame)."""

    mark: str  # f1, f2 …: its name in lines and prompts
    kind: str  # activity | flag | ruling | count | list | stream | section | memory | entity
    source_id: str  # case-…, entity, section id, name of the query
    title: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def ref(self, name: str) -> str:
        """How a line says a field."""
        return f"{{{{{self.mark}.{name}}}}}"

    def some(self, name: str, one: str, many: str = "") -> str:
        """A count with its noun: `1 payment`, `3 payments`."""
        return f"{self.ref(name)} {one if self.fields.get(name) == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Line:
    """A sentence of an answer; what it refers to it cites, and `cites` beside that."""

    text: str
    cites: tuple[str, ...] = ()


def exhibit(kind: str, source_id: str, title: str, text: str = "", /, **fields: Any) -> Exhibit:
    """An exhibit without a mark yet; values that are unknown are left out, names and text are made tame."""
    kept = {name: known for name, value in fields.items() if (known := clean(value)) is not None}
    tame = {name: quoting.plain(value, 200) if isinstance(value, str) else value for name, value in kept.items()}
    return Exhibit("", kind, source_id, quoting.plain(title, 200), tame, text)


def marked(exhibits: Sequence[Exhibit], first: int = 1) -> list[Exhibit]:
    return [replace(one, mark=f"f{number}") for number, one in enumerate(exhibits, first)]


def said(one: Exhibit, name: str, zone: ZoneInfo) -> str:
    """A field in words, with its unit and in the reader's time."""
    value = one.fields.get(name)
    if value is None:
        return UNKNOWN
    if name.endswith("_at"):
        return moment(datetime.fromisoformat(str(value)), zone)
    if name == "total" and isinstance(value, int | float):
        return items.measured(value, "amount", str(one.fields.get("currency", "")))
    if name == "change" and isinstance(value, int | float):
        return f"{value:+.0%}"
    return items.say(Item(one.mark, one.kind, one.title, dict(one.fields)), name)


def rendered(line: Line, exhibits: Mapping[str, Exhibit], zone: ZoneInfo) -> tuple[str, tuple[str, ...]]:
    """The line with its references filled, and the marks it rests on. Raises UnknownReference."""
    used: list[str] = []

    def fill(match: re.Match[str]) -> str:
        if match[1] not in exhibits:
            raise UnknownReference(f"({match[0]})")
        used.append(match[1])
        return said(exhibits[match[1]], match[2], zone)

    text = REFERENCE.sub(fill, line.text)
    return text, tuple(dict.fromkeys([*used, *line.cites]))


def evidence(one: Exhibit, zone: ZoneInfo) -> str:
    """Everything that an exhibit says, as a model reads it and as a sentence is held against."""
    values = "; ".join(f"{name.removesuffix('_at').replace('_', ' ')} = {said(one, name, zone)}" for name in one.fields)
    return " | ".join(part for part in (one.title, values, one.text) if part)


def moment(at: datetime, zone: ZoneInfo) -> str:
    """
    >>> from datetime import UTC
    >>> moment(datetime(2026, 3, 4, 13, 2, tzinfo=UTC), ZoneInfo('Europe/Berlin'))
    '4 Mar 2026 14:02'
    """
    there = at.astimezone(zone)
    return f"{there.day} {there:%b %Y %H:%M}"


def period(since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """A span in the reader's time: `4 Mar 2026`, `18:00 to 06:00 …`.

    >>> from datetime import UTC
    >>> period(datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC), ZoneInfo('UTC'))
    '4 Mar 2026'
    """
    first, last = since.astimezone(zone), until.astimezone(zone)
    midnights = (first.hour, first.minute, last.hour, last.minute) == (0, 0, 0, 0)
    if midnights and (last.date() - first.date()).days == 1:
        return f"{first.day} {first:%b %Y}"
    if first.date() == last.date():
        return f"{moment(since, zone)} to {last:%H:%M}"
    return f"{moment(since, zone)} to {moment(until, zone)}"


def entity_words(entity: str) -> str:
    """How an entity is called in a sentence.

    >>> entity_words('account:A12/EUR'), entity_words('series:catalog/cpu')
    ('account A12 (EUR)', 'series cpu of catalog')
    """
    kind, subject, qualifier = split_entity(entity)
    subject, qualifier = quoting.name(subject), quoting.name(qualifier)
    if kind == "series":
        return f"series {qualifier} of {subject}"
    return f"{kind} {subject} ({qualifier})" if qualifier else f"{kind} {subject}"


def excerpt(one: Exhibit, zone: ZoneInfo) -> str:
    """The beginning of what an exhibit says, to be shown beside its citation."""
    words = " ".join(one.text.split()) if one.text else evidence(one, zone)
    return words if len(words) <= EXCERPT else words[: EXCERPT - 1] + "…"
