"""Type checking: from a tree to a function over frames. Every fault names its place, and the names that are known."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import operators
from pipelines.errors import BadExpression
from pipelines.fields import Scope
from pipelines.frame import Frame, Value
from pipelines.syntax import Node

NUMBERS = ("int", "double")
ORDERED = (*NUMBERS, "string", "timestamp")
Run = Callable[[Frame], Value]
ARITHMETIC = {(kind, sign) for kind in NUMBERS for sign in "+-*/%"} - {("double", "%")} | {("string", "+")}
MISSING: Any = object()


@dataclass(frozen=True)
class Typed:
    """A checked part: its type, what it does, and its value when that is written out."""

    kind: str
    run: Run
    constant: Any = MISSING


class Compiler:
    """Checks one expression and remembers which names it uses."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope
        self.fields: set[str] = set()
        self.lists: set[str] = set()
        self.enriched: set[str] = set()

    def fault(self, node: Node, why: str) -> NoReturn:
        raise BadExpression(why, self.text, node.line, node.column)

    def compiled(self, node: Node) -> Typed:
        match node.kind:
            case "ident":
                return self.named(node)
            case "select" | "index":
                return self.member(node)
            case "binary":
                return self.binary(node)
            case "||" | "&&":
                return self.logical(node)
            case "?:":
                return self.conditional(node)
            case "unary":
                return self.unary(node)
            case "call":
                return self.call(node)
            case "method":
                return self.method(node)
            case "list":
                self.fault(node, "a list may only stand to the right of `in`")
        return self.literal(node)

    def named(self, node: Node) -> Typed:
        name = node.word
        if name not in self.scope.fields:
            near = difflib.get_close_matches(name, self.scope.known(), 1)
            hint = f" (did you mean `{near[0]}`?)" if near else ""
            self.fault(node, f"`{name}` is not known{hint}; known are {', '.join(self.scope.known())}")
        self.fields.add(name)
        return Typed(self.scope.fields[name], lambda frame: frame.column(name))

    def literal(self, node: Node) -> Typed:
        if node.kind == "INT_LIT":
            number = int(node.word, 16 if "x" in node.word else 10)
            if not -(2**63) <= number < 2**63:
                self.fault(node, "this number does not fit in 64 bits")
            return constant("int", np.int64(number))
        if node.kind == "FLOAT_LIT":
            return constant("double", np.float64(node.word))
        if node.kind == "BOOL_LIT":
            return constant("bool", np.bool_(node.word == "true"))
        if node.kind == "NULL_LIT":
            return Typed("null", lambda frame: Value(None), None)
        if node.kind in ("STRING_LIT", "MLSTRING_LIT"):
            from celpy.evaluation import celstr
            from lark import Token

            return constant("string", self.readable(node, str(celstr(Token(node.kind, node.word)))))
        self.fault(node, "unsigned numbers and bytes are not supported here")

    def readable(self, node: Node, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fault(node, "this text holds half of a surrogate pair")
        return text

    def member(self, node: Node) -> Typed:
        """`attributes.x`, `attributes["x"]`, `enriched.NAME.COLUMN`."""
        path = self.path(node)
        if path is not None and path[0] == "enriched":
            return self.looked_up(node, path)
        if path is not None and path[0] == "lists":
            self.fault(node, f"a list may only stand to the right of `in`, as in `account_id in lists.{path[-1]}`")
        holder = self.compiled(node.parts[0])
        if holder.kind != "map":
            self.fault(node, f"a {holder.kind} has nothing inside; only attributes have")
        key = self.key(node)
        return Typed("string", lambda frame: operators.entry(holder.run(frame), key))

    def key(self, node: Node) -> str:
        if node.kind == "select":
            return node.word
        key = self.compiled(node.parts[1])
        if key.kind != "string" or key.constant is MISSING:
            self.fault(node.parts[1], "the name of an attribute must be written out as a text")
        return str(key.constant)

    def path(self, node: Node) -> list[str] | None:
        """The names of `lists.vip` or `enriched.merchant.country`; None for what begins otherwise."""
        names: list[str] = []
        while node.kind in ("select", "index"):
            names.append(self.key(node))
            node = node.parts[0]
        if node.kind == "ident" and node.word in ("lists", "enriched") and node.word not in self.scope.fields:
            return [node.word, *reversed(names)]
        return None

    def looked_up(self, node: Node, path: list[str]) -> Typed:
        if len(path) != 3 or path[2] not in self.scope.enriched.get(path[1], ()):
            known = ", ".join(name for name in self.scope.known() if name.startswith("enriched.")) or "none before this processor"
            self.fault(node, f"`{'.'.join(path)}` is not known; enrichments are {known}")
        self.enriched.add(path[1])
        return Typed("string", lambda frame: frame.enriched[path[1]][path[2]])

    def binary(self, node: Node) -> Typed:
        if node.word == "in":
            return self.membership(node)
        a, b = self.alike(node, self.compiled(node.parts[0]), self.compiled(node.parts[1]))
        if node.word in ("==", "!="):
            run = self.equality(node, a, b)
            return Typed("bool", run if node.word == "==" else lambda frame: operators.negate(run(frame)))
        if "null" in (a.kind, b.kind):
            self.fault(node, f"`{node.word}` does not work on null; `== null` does")
        if (a.kind, node.word) in ARITHMETIC:
            return Typed(a.kind, lambda frame: operators.arithmetic(node.word, a.run(frame), b.run(frame), a.kind))
        if node.word in ("<", "<=", ">", ">=") and a.kind in ORDERED:
            return Typed("bool", lambda frame: operators.compare(node.word, a.run(frame), b.run(frame)))
        self.fault(node, f"`{node.word}` does not work on a {a.kind}")

    def alike(self, node: Node, a: Typed, b: Typed) -> tuple[Typed, Typed]:
        """Both of one type; a written whole number beside a double becomes one."""
        if a.kind == b.kind or "null" in (a.kind, b.kind):
            return a, b
        if {a.kind, b.kind} == {"int", "double"}:
            if a.kind == "int" and a.constant is not MISSING:
                return constant("double", np.float64(a.constant)), b
            if b.kind == "int" and b.constant is not MISSING:
                return a, constant("double", np.float64(b.constant))
            self.fault(node, f"`{node.word}` of a {a.kind} and a {b.kind}: write double(…) around the int")
        self.fault(node, f"`{node.word}` of a {a.kind} and a {b.kind}: both sides must be of one type")

    def equality(self, node: Node, a: Typed, b: Typed) -> Run:
        if a.kind == "map" or b.kind == "map":
            self.fault(node, "attributes cannot be compared as a whole; compare one of them")
        if a.kind == "null" and b.kind == "null":
            return lambda frame: Value(np.True_)
        if "null" in (a.kind, b.kind):
            other = b if a.kind == "null" else a
            return lambda frame: operators.is_null(other.run(frame), frame)
        return lambda frame: operators.equal(a.run(frame), b.run(frame))

    def membership(self, node: Node) -> Typed:
        left, right = self.compiled(node.parts[0]), node.parts[1]
        path = self.path(right)
        if path is not None and path[0] == "lists":
            return self.listed(node, left, path)
        if right.kind == "list":
            items = self.items(node, left, right)
            return Typed("bool", lambda frame: operators.among(left.run(frame), items))
        holder = self.compiled(right)
        if holder.kind != "map" or left.kind != "string" or left.constant is MISSING:
            self.fault(right, 'to the right of `in` stands a list of constants, lists.NAME, or attributes (`"x" in attributes`)')
        return Typed("bool", lambda frame: operators.has_entry(holder.run(frame), str(left.constant)))

    def listed(self, node: Node, left: Typed, path: list[str]) -> Typed:
        if len(path) != 2 or path[1] not in self.scope.lists:
            known = ", ".join(sorted(self.scope.lists)) or "none"
            self.fault(node.parts[1], f"there is no list `{'.'.join(path[1:])}`; lists are {known}")
        if left.kind != "string":
            self.fault(node.parts[0], f"lists hold texts, not a {left.kind}")
        self.lists.add(path[1])
        return Typed("bool", lambda frame: operators.among(left.run(frame), frame.lists[path[1]]))

    def items(self, node: Node, left: Typed, right: Node) -> Any:
        found = []
        for part in right.parts:
            item = self.compiled(part)
            if item.constant is MISSING or item.kind == "null":
                self.fault(part, "a list may only hold constants")
            if item.kind != left.kind and (left.kind, item.kind) != ("double", "int"):
                self.fault(part, f"a {left.kind} is looked for among values of type {item.kind}")
            found.append(item.constant)
        if left.kind == "string":
            return pa.array(found, pa.string())
        if left.kind not in NUMBERS:
            self.fault(node.parts[0], f"`in` does not work on a {left.kind}")
        return np.array(found, np.float64 if left.kind == "double" else np.int64)

    def logical(self, node: Node) -> Typed:
        a, b = (self.truth(part) for part in node.parts)
        joined = operators.both if node.kind == "&&" else operators.either
        return Typed("bool", lambda frame: joined(a.run(frame), b.run(frame)))

    def truth(self, node: Node) -> Typed:
        typed = self.compiled(node)
        if typed.kind != "bool":
            self.fault(node, f"this must be true or false, but it is a {typed.kind}")
        return typed

    def conditional(self, node: Node) -> Typed:
        condition = self.truth(node.parts[0])
        a, b = self.alike(node, self.compiled(node.parts[1]), self.compiled(node.parts[2]))
        if a.kind != b.kind or a.kind == "map":
            self.fault(node, "both outcomes of `?:` must be of one type")
        texts = a.kind == "string"
        return Typed(a.kind, lambda frame: operators.choose(condition.run(frame), a.run(frame), b.run(frame), frame, texts=texts))

    def unary(self, node: Node) -> Typed:
        if node.word == "!":
            inner = self.truth(node.parts[0])
            return Typed("bool", lambda frame: operators.negate(inner.run(frame)))
        inner = self.compiled(node.parts[0])
        if inner.kind not in NUMBERS:
            self.fault(node, f"`-` does not work on a {inner.kind}")
        return Typed(inner.kind, lambda frame: operators.minus(inner.run(frame), inner.kind))

    def call(self, node: Node) -> Typed:
        if node.word == "has":
            return self.has(node)
        if node.word not in ("size", "int", "double", "string", "timestamp"):
            self.fault(node, f"there is no function `{node.word}`; there are size, has, int, double, string, timestamp")
        if len(node.parts) != 1:
            self.fault(node, f"`{node.word}` takes one argument")
        return self.converted(node, self.compiled(node.parts[0]))

    def has(self, node: Node) -> Typed:
        inner = node.parts[0] if len(node.parts) == 1 else None
        if inner is None or inner.kind != "select":
            self.fault(node, "`has` takes one attribute, as in has(attributes.country)")
        holder = self.compiled(inner.parts[0])
        if holder.kind != "map":
            self.fault(node, "`has` takes one attribute, as in has(attributes.country); for a field compare it with null")
        return Typed("bool", lambda frame: operators.has_entry(holder.run(frame), inner.word))

    def converted(self, node: Node, inner: Typed) -> Typed:
        run = inner.run
        match node.word, inner.kind:
            case "size", "string" | "map":
                return Typed("int", lambda frame: operators.length(run(frame)))
            case ("int", "int") | ("double", "double") | ("string", "string"):
                return Typed(inner.kind, lambda frame: Value((v := run(frame)).data, None, operators.strict(v)))
            case "double", "int":
                return Typed("double", lambda frame: Value(np.float64((v := run(frame)).data), None, operators.strict(v)))
            case "double", "string":
                return Typed("double", lambda frame: operators.parsed(run(frame), operators.double_of, np.float64))
            case "int", "string":
                return Typed("int", lambda frame: operators.parsed(run(frame), operators.int_of, np.int64))
            case "int", "double":
                return Typed("int", lambda frame: operators.truncated(run(frame)))
            case "string", "int":
                return Typed("string", lambda frame: written(run(frame), frame))
            case "timestamp", "string" if inner.constant is not MISSING:
                return self.moment(node, str(inner.constant))
        self.fault(node, f"`{node.word}` does not work on a {inner.kind}")

    def moment(self, node: Node, text: str) -> Typed:
        try:
            return constant("timestamp", np.int64(operators.micros_of(text)))
        except ValueError:
            self.fault(node, "a time is written like 2026-05-01T12:00:00Z")

    def method(self, node: Node) -> Typed:
        holder = self.compiled(node.parts[0])
        arguments = [self.compiled(part) for part in node.parts[1:]]
        if node.word == "size" and not arguments:
            return self.converted(node, holder)
        if any(one.kind != "string" or one.constant is MISSING for one in arguments):
            self.fault(node, f"what `{node.word}` is given must be written out as a text")
        given = [str(one.constant) for one in arguments]
        if holder.kind == "timestamp" and len(given) <= 1 and (node.word in operators.TIME_PARTS or node.word == "getDayOfWeek"):
            return self.part_of_time(node, holder, given[0] if given else "UTC")
        if holder.kind != "string" or node.word not in operators.TEXT_TESTS or len(given) != 1:
            has = "texts have startsWith, endsWith, contains, matches and size; times have getHours, getDayOfWeek …"
            self.fault(node, f"a {holder.kind} has no `{node.word}({', '.join('…' for _ in given)})`: {has}")
        if node.word == "matches":
            self.pattern(node, given[0])
        return Typed("bool", lambda frame: operators.test_text(node.word, holder.run(frame), given[0]))

    def pattern(self, node: Node, pattern: str) -> None:
        try:
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid as error:
            self.fault(node, f"the pattern cannot be used: {str(error).rpartition(': ')[2][:120]}")

    def part_of_time(self, node: Node, holder: Typed, zone: str) -> Typed:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            self.fault(node, f"`{zone[:60]}` is no time zone; write it like Europe/Berlin")
        return Typed("int", lambda frame: operators.time_part(node.word, holder.run(frame), zone))


def constant(kind: str, value: Any) -> Typed:
    return Typed(kind, lambda frame: Value(value), value)


def written(value: Value, frame: Frame) -> Value:
    """Whole numbers as texts."""
    numbers = pa.array(np.broadcast_to(np.asarray(value.data, np.int64), len(frame)))
    return Value(numbers.cast(pa.string()), None, operators.strict(value))
