"""Expressions in CEL, checked once and then evaluated over whole batches, with the outcome cel-python gives for each event.

    rule = compile_expression('kind == "transaction" && amount > 900.0', Scope())
    outcome = rule.evaluate(Frame(table))           # outcome.hit, outcome.error: (N,) truths

What is taken of CEL: `&& || ! ?: == != < <= > >= in + - * / %`, texts, ints, doubles, truths, null, lists of constants, the
functions startsWith, endsWith, contains, matches, size, has, int, double, string, timestamp and the parts of a time. A whole
number written beside a double is read as a double. What is absent is null: comparing it by size is an error, which is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.compiling import Compiler, Typed
from pipelines.errors import BadExpression
from pipelines.fields import Scope
from pipelines.frame import Bits, Frame, Lookups, Value
from pipelines.syntax import parse

FAULTS = (pa.ArrowException, ValueError, TypeError, OverflowError, LookupError)
ARROW = {
    "string": pa.string(), "double": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "timestamp": pa.timestamp("us", "UTC"),
    "map": pa.map_(pa.string(), pa.string()),
}  # fmt: skip
SAMPLES: dict[str, Any] = {"string": "a", "double": 1.5, "int": 7, "bool": True, "timestamp": 0, "map": [("a", "1")]}


@dataclass(frozen=True)
class Outcome:
    """(N,) rows for which the expression is true, and rows for which it could not be told."""

    hit: Bits
    error: Bits


@dataclass(frozen=True)
class Expression:
    """A checked expression: `fields`, `lists` and `enriched` are the names that it uses."""

    text: str
    run: Callable[[Frame], Value] = field(repr=False)
    fields: frozenset[str]
    lists: frozenset[str]
    enriched: frozenset[str]

    def evaluate(self, frame: Frame) -> Outcome:
        """Every row's outcome; never raises for what the rows hold."""
        value, size = self.run(frame), len(frame)
        bad = np.zeros(size, bool) if value.bad is None else np.broadcast_to(value.bad, size)
        null = np.zeros(size, bool) if value.null is None else np.broadcast_to(value.null, size)
        error = bad | null
        return Outcome(np.broadcast_to(value.data, size) & ~error, error)


def compile_expression(text: str, scope: Scope) -> Expression:
    """Check the expression against what may be named; raises BadExpression with place and known names."""
    try:
        typed, compiler = _checked(text, scope)
    except RecursionError:
        raise BadExpression("it is nested too deeply") from None
    if typed.kind != "bool":
        raise BadExpression(f"it must come out true or false, but it is a {typed.kind}", text)
    made = Expression(text, typed.run, frozenset(compiler.fields), frozenset(compiler.lists), frozenset(compiler.enriched))
    try:
        made.evaluate(sample(scope))
    except FAULTS as error:
        raise BadExpression(f"it cannot be run ({str(error)[:120]})", text) from None
    return made


def sample(scope: Scope) -> Frame:
    """Two rows, one of them empty: what cannot be run on them never goes live."""
    columns = {name: pa.array([None, SAMPLES[kind]], ARROW[kind]) for name, kind in scope.fields.items()}
    lists = {name: pa.array(["a"]) for name in scope.lists}
    nothing = pa.array([None, 0], pa.int64())
    enriched = {name: Lookups(nothing, {one: pa.array(["a"]) for one in columns}) for name, columns in scope.enriched.items()}
    return Frame(pa.table(columns), lists, enriched)


def _checked(text: str, scope: Scope) -> tuple[Typed, Compiler]:
    compiler = Compiler(text, scope)
    return compiler.compiled(parse(text)), compiler
