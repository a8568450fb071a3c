"""The compiler against cel-python's own evaluation, event by event; nulls as the specification has them; bad expressions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import celpy
import pyarrow as pa
import pytest
from celpy import celtypes
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from pipelines.errors import BadExpression
from pipelines.expression import compile_expression
from pipelines.fields import Scope
from pipelines.frame import Frame, Lookups

ENVIRONMENT = celpy.Environment()
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = ("", "a", "A1", "ab", "é€", "x.y", "transaction")
DOUBLES = (0.0, -0.0, 1.5, 10.0, -3.25, 1e12, 9e-3)
WHOLE = (0, 1, -1, 7, 200, 503, 2**40, 9223372036854775807)
SCHEMA = pa.schema(
    [
        ("kind", pa.string()), ("account_id", pa.string()), ("amount", pa.float64()), ("value", pa.float64()),
        ("status", pa.int32()), ("event_time", pa.timestamp("us", "UTC")), ("attributes", pa.map_(pa.string(), pa.string())),
    ]
)  # fmt: skip
TO_CEL: dict[str, Any] = {
    "kind": celtypes.StringType, "account_id": celtypes.StringType, "amount": celtypes.DoubleType,
    "value": celtypes.DoubleType, "status": celtypes.IntType, "event_time": celtypes.TimestampType,
}  # fmt: skip


def quoted(text: str) -> str:
    return '"' + text + '"'


def ints_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    leaf = st.one_of(
        st.just("status"), st.sampled_from(WHOLE).map(lambda n: f"({n})"), texts.map(lambda t: f"size({t})"),
        st.just("size(attributes)"), st.just("int(amount)"), st.just("int(attributes.x)"),
        st.sampled_from(["getHours()", 'getHours("Asia/Kolkata")', "getDayOfWeek()", "getMonth()", "getDate()"])
        .map(lambda call: f"event_time.{call}"),
    )  # fmt: skip
    return st.recursive(
        leaf,
        lambda inner: st.one_of(st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
                                inner.map(lambda i: f"-({i})")),
        max_leaves=3,
    )  # fmt: skip


bases = st.sampled_from(
    ["kind", "account_id", "attributes.x", 'attributes["y"]', *map(quoted, TEXTS)]
)  # cel-python's sums have no methods
strings = st.recursive(
    bases,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} + {p[1]})"), ints_of(inner).map(lambda i: f"string({i})")
    ),
    max_leaves=3,
)
ints = ints_of(st.sampled_from(["kind", "account_id", '"é€"']))
doubles = st.recursive(
    st.one_of(st.sampled_from(["amount", "value", "double(attributes.x)"]), st.sampled_from(DOUBLES).map(lambda x: f"({x!r})"),
              ints.map(lambda i: f"double({i})")),
    lambda inner: st.one_of(st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
                            inner.map(lambda i: f"-({i})")),
    max_leaves=3,
)  # fmt: skip
ORDER = st.sampled_from(["<", "<=", ">", ">="])
tests = st.one_of(
    st.tuples(doubles, st.one_of(ORDER, st.just("==")), doubles).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
    st.tuples(ints, st.one_of(ORDER, st.sampled_from(["==", "!="])), ints).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
    st.tuples(strings, st.one_of(ORDER, st.sampled_from(["==", "!="])), strings).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
    st.tuples(bases, st.sampled_from(["startsWith", "endsWith", "contains"]), st.sampled_from(TEXTS)).map(
        lambda p: f'{p[0]}.{p[1]}("{p[2]}")'),
    st.tuples(bases, st.sampled_from(["^a", "[0-9]+$", "é", "a|b", "^$"])).map(lambda p: f'{p[0]}.matches("{p[1]}")'),
    st.tuples(strings, st.lists(st.sampled_from(TEXTS), max_size=3)).map(lambda p: f"{p[0]} in [{', '.join(map(quoted, p[1]))}]"),
    st.tuples(ints, st.lists(st.sampled_from(WHOLE), max_size=3)).map(lambda p: f"{p[0]} in {p[1]}"),
    st.sampled_from(["has(attributes.x)", '"y" in attributes', "true", "false"]),
    st.sampled_from(["2026-03-01T00:00:00Z", "2026-03-01T06:30:00+05:30"]).map(lambda t: f'event_time >= timestamp("{t}")'),
)  # fmt: skip
expressions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]}) ? ({p[1]}) : ({p[2]})"),
    ),
    max_leaves=4,
)
maybe_text = st.one_of(st.none(), st.sampled_from(TEXTS))
maybe_double = st.one_of(st.none(), st.sampled_from(DOUBLES))
rows = st.fixed_dictionaries(
    {
        "kind": maybe_text, "account_id": maybe_text, "amount": maybe_double, "value": maybe_double,
        "status": st.one_of(st.none(), st.sampled_from([0, 200, 503, -7])),
        "event_time": st.sampled_from([MARCH + timedelta(hours=h, microseconds=h) for h in (-1, 0, 19, 500)]),
        "attributes": st.dictionaries(st.sampled_from(["x", "y", "z"]), st.sampled_from(["1.5", "12", "a", ""]), max_size=2),
    }
)  # fmt: skip


def same(a: Any, b: Any) -> Any:
    """Equality as the specification has it where a null meets something else; cel-python raises there."""
    if isinstance(a, Exception) or isinstance(b, Exception):
        return a if isinstance(a, Exception) else b
    return celtypes.BoolType((a is None) == (b is None) and (a is None or a == b))


def other(a: Any, b: Any) -> Any:
    held = same(a, b)
    return held if isinstance(held, Exception) else celtypes.BoolType(not held)


def of_something(function: Any) -> Any:
    """A null has no text, no size and is no number in the specification; cel-python says `None` and 0."""
    return lambda a: celpy.CELEvalError("no such overload") if a is None else a if isinstance(a, Exception) else function(a)


SPECIFIED = {"_==_": same, "_!=_": other} | {
    name: of_something(kind)
    for name, kind in (
        ("string", celtypes.StringType),
        ("int", celtypes.IntType),
        ("double", celtypes.DoubleType),
        ("size", celpy.evaluation.function_size),
    )
}


def by_cel_python(program: Any, row: dict[str, Any]) -> bool | None:
    """True, false, or None for an error."""
    given = {name: None if row[name] is None else made(row[name]) for name, made in TO_CEL.items()}
    given["attributes"] = celtypes.MapType({celtypes.StringType(k): celtypes.StringType(v) for k, v in row["attributes"].items()})
    try:
        return bool(program.evaluate(given))
    except celpy.CELEvalError:
        return None
    except IndexError:  # cel-python breaks while it words an error that `&&` or `||` met, so it says nothing
        reject()


def table_of(events: list[dict[str, Any]]) -> pa.Table:
    plain = [event | {"attributes": list(event["attributes"].items())} for event in events]
    return pa.Table.from_pylist(plain, schema=SCHEMA)


def ours(text: str, table: pa.Table) -> list[bool | None]:
    found = compile_expression(text, Scope()).evaluate(Frame(table))
    assert not (found.hit & found.error).any()
    return [None if bad else bool(hit) for hit, bad in zip(found.hit, found.error, strict=True)]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, st.lists(rows, min_size=1, max_size=5), st.booleans())
def test_every_event_gets_the_outcome_that_cel_python_gives_it(text: str, events: list[dict[str, Any]], encoded: bool) -> None:
    table = table_of(events)
    if encoded:
        for name in ("kind", "account_id"):
            table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    program = ENVIRONMENT.program(ENVIRONMENT.compile(text), SPECIFIED)
    assert ours(text, table) == [by_cel_python(program, event) for event in events], text


EVENT = {
    "kind": "transaction", "account_id": None, "amount": 5.0, "value": None, "status": 200,
    "event_time": datetime(2026, 3, 4, 23, 5, tzinfo=UTC), "attributes": {"x": "y"},
}  # fmt: skip


@pytest.mark.parametrize(("text", "outcome"), [
    ("amount == null", False), ("amount != null", True), ("account_id == null", True), ("account_id == kind", False),
    ("amount > 4", True), ("4 < amount && amount in [5, 6.5]", True), ("amount * 2 == 10", True),
    ("value > 1", None), ("value > 1 || amount > 1", True), ("value > 1 && amount < 1", False), ("null == null", True),
    ("attributes.nothing == 'a'", None), ("size(account_id) > 0", None), ("status / 0 == 1", None),
])  # fmt: skip
def test_nulls_are_as_specified_and_whole_numbers_may_stand_beside_doubles(text: str, outcome: bool | None) -> None:
    assert ours(text, table_of([EVENT])) == [outcome]


@pytest.mark.parametrize(("text", "line", "column", "said"), [
    ("amout > 3", 1, 1, "did you mean `amount`?"), ("kind == 'a' &&\n amount > 'x'", 2, 2, "both sides must be of one type"),
    ("amount >", 1, 8, "cannot be read as CEL"), ("account_id in lists.vipp", 1, 15, "lists are vip"),
    ("amount + 1.0", 1, 1, "true or false"), ("a" * 5000, 1, 1, "at most 4,000"),
    ("kind.matches('(')", 1, 1, "pattern"), ("[1].exists(x, x > 1)", 1, 1, "to the right of `in`"), ("", 1, 1, "nothing written"),
    ("event_time.getHours('Mars') == 1", 1, 1, "no time zone"),
    ("enriched.geo.x == 'a'", 1, 1, "enriched.merchant.country"),
    ("amount in [1, 'a']", 1, 15, "a double is looked for"), ("(" * 1200 + "true" + ")" * 1200, 1, 1, "nested too deeply"),
    ("kind == '\\ud800'", 1, 9, "surrogate"), ("amount < null", 1, 1, "does not work on null"),
    ("9223372036854775808 == status", 1, 1, "64 bits"), ("'a' == 1 ? true : false", 1, 1, "one type"),
])  # fmt: skip
def test_a_bad_expression_is_refused_with_its_place_and_what_is_known(text: str, line: int, column: int, said: str) -> None:
    scope = Scope(lists=frozenset({"vip"}), enriched={"merchant": ("country",)})
    with pytest.raises(BadExpression) as error:
        compile_expression(text, scope)
    assert (error.value.line, error.value.column) == (line, column)
    assert said in str(error.value)


def test_lists_and_enrichments_are_looked_up_and_named() -> None:
    table = table_of([EVENT, EVENT | {"account_id": "A1"}])
    frame = Frame(table, {"vip": pa.array(["A1", "A2"])}, {"geo": Lookups(pa.array([0, None]), {"land": pa.array(["CH"])})})
    scope = Scope(lists=frozenset({"vip"}), enriched={"geo": ("land",)})
    rule = compile_expression('account_id in lists.vip || enriched.geo["land"] == "CH"', scope)
    assert rule.evaluate(frame).hit.tolist() == [True, True]
    assert (rule.fields, rule.lists, rule.enriched) == ({"account_id"}, {"vip"}, {"geo"})
    assert rule.evaluate(frame.take(rule.evaluate(frame).hit)).hit.tolist() == [True, True]
