"""Which messages a route or subscription takes: short conditions that must all hold, as Prometheus Alertmanager's.

kind=case.opened              is
entity!=account:test          is not
kind~case.*|ruling.*          like one of these patterns, * being anything (globs cannot hang as regular expressions can)
entity!~service:internal-*    like none of these
severity>=0.8                 a number at least; also >, <, <=
tag=vip                       one of payload.tags is; !=: none is
payload.project=checkout      a value of the payload
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from notify.errors import BadRoute
from store.outbox import Message

FORM = re.compile(r"^\s*(?P<name>[a-z_]+(?:\.[A-Za-z0-9_.-]+)?)\s*(?P<op>!~|!=|>=|<=|=|~|>|<)\s*(?P<value>.*?)\s*$", re.DOTALL)
FIELDS = ("topic", "kind", "subject", "entity", "title", "severity", "tag")
LONGEST, READ = 300, 500


@dataclass(frozen=True)
class Matcher:
    """One condition on one field."""

    name: str
    op: str
    value: str

    def holds(self, message: Message) -> bool:
        values = read(message, self.name)
        if self.op in (">=", "<=", ">", "<"):
            return any(_compared(number, self.op, float(self.value)) for number in values if _is_number(number))
        like = any(_alike(str(value)[:READ], self.value, glob=self.op in ("~", "!~")) for value in values)
        return like == (not self.op.startswith("!"))


def parse(text: str) -> Matcher:
    """A condition from its text; raises BadRoute that names what is wrong.

    >>> parse("severity>=0.8")
    Matcher(name='severity', op='>=', value='0.8')
    """
    found = FORM.match(text)
    if found is None or len(text) > LONGEST:
        raise BadRoute(f"`{text[:80]}`: a condition is a field, one of = != ~ !~ >= <= > <, and a value.")
    matcher = Matcher(**found.groupdict())
    if matcher.name not in FIELDS and not matcher.name.startswith("payload."):
        raise BadRoute(f"`{text[:80]}`: the fields are {', '.join(FIELDS)} and payload.NAME.")
    if matcher.op in (">=", "<=", ">", "<") and not _is_text_of_number(matcher.value):
        raise BadRoute(f"`{text[:80]}`: {matcher.op} asks for a number.")
    if matcher.name == "severity" and matcher.op not in (">=", "<=", ">", "<"):
        raise BadRoute(f"`{text[:80]}`: severity is compared by >=, <=, > or <.")
    return matcher


def matches(matchers: tuple[Matcher, ...], message: Message) -> bool:
    """Whether all hold; none given take every message."""
    return all(matcher.holds(message) for matcher in matchers)


def read(message: Message, name: str) -> tuple[Any, ...]:
    """The values of a field, none when it is not there."""
    if name == "tag":
        tags = message.payload.get("tags")
        return tuple(tags) if isinstance(tags, list) else ()
    if not name.startswith("payload."):
        return (getattr(message, name),)
    found: Any = message.payload
    for step in name.split(".")[1:]:
        found = found.get(step) if isinstance(found, dict) else None
    return () if found is None or isinstance(found, dict) else tuple(found) if isinstance(found, list) else (found,)


def _alike(value: str, wanted: str, *, glob: bool) -> bool:
    return any(fnmatchcase(value, part.strip()) for part in wanted.split("|")) if glob else value == wanted


def _compared(number: float, op: str, bound: float) -> bool:
    return {">=": number >= bound, "<=": number <= bound, ">": number > bound, "<": number < bound}[op]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text_of_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d+)?", text) is not None
