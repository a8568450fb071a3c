"""CEL's operators over whole columns. An error in CEL's sense is a place in `bad`; only `&&` and `||` may absorb it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.frame import Bits, Frame, Value, truth

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INT_LIMIT = 2.0**62  # below it a float estimate proves that 64 bits are enough
TEXT_TESTS: dict[str, Callable[..., Any]] = {
    "startsWith": pc.starts_with, "endsWith": pc.ends_with, "contains": pc.match_substring, "matches": pc.match_substring_regex,
}  # fmt: skip
COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
COMPARE_TEXT = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "==": pc.equal}
TIME_PARTS: dict[str, tuple[Callable[..., Any], int]] = {  # with what CEL's count is behind Arrow's
    "getFullYear": (pc.year, 0), "getMonth": (pc.month, 1), "getDayOfMonth": (pc.day, 1), "getDate": (pc.day, 0),
    "getDayOfYear": (pc.day_of_year, 1), "getHours": (pc.hour, 0), "getMinutes": (pc.minute, 0), "getSeconds": (pc.second, 0),
    "getMilliseconds": (pc.millisecond, 0),
}  # fmt: skip


def union(*masks: Bits | None) -> Bits | None:
    """Where any mask holds; no mask is nowhere."""
    found: Bits | None = None
    for mask in masks:
        found = mask if found is None else found if mask is None else found | mask
    return found


def strict(*values: Value) -> Bits | None:
    """Where an operator that takes neither nulls nor errors has one."""
    return union(*(mask for value in values for mask in (value.null, value.bad)))


def compare(op: str, a: Value, b: Value) -> Value:
    """`<`, `<=`, `>`, `>=` of two values of one type; a null is an error."""
    return Value(_compared(op, a.data, b.data), None, strict(a, b))


def equal(a: Value, b: Value) -> Value:
    """A null equals a null and nothing else."""
    same = _compared("==", a.data, b.data)
    if a.null is not None or b.null is not None:
        left, right = _mask(a.null), _mask(b.null)
        same = np.where(left | right, left & right, same)
    return Value(same, None, union(a.bad, b.bad))


def is_null(a: Value, frame: Frame) -> Value:
    return Value(np.zeros(len(frame), bool) if a.null is None else a.null, None, a.bad)


def _mask(mask: Bits | None) -> Any:
    return np.False_ if mask is None else mask


def _compared(op: str, a: Any, b: Any) -> Any:
    if not _text(a) and not _text(b):
        return COMPARE[op](a, b)
    if isinstance(b, str) and not isinstance(a, str):
        return by_value(a, lambda texts: COMPARE_TEXT[op](texts, b))
    if isinstance(a, str) and isinstance(b, str):
        return np.bool_({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b}[op])
    return truth(COMPARE_TEXT[op](plain(a), plain(b)))


def _text(data: Any) -> bool:
    return isinstance(data, str | pa.Array)


def plain(data: Any) -> Any:
    """Texts without a dictionary."""
    return data.dictionary_decode() if isinstance(data, pa.DictionaryArray) else data


def by_value(data: Any, test: Callable[[Any], Any]) -> Bits:
    """A test of texts, made once for each distinct one where they lie in a dictionary."""
    if not isinstance(data, pa.DictionaryArray):
        return truth(test(data))
    answers = truth(test(data.dictionary))
    if not len(answers):
        return np.zeros(len(data), bool)
    found: Bits = answers[pc.fill_null(data.indices, 0).to_numpy(zero_copy_only=False)]
    return found


def equals(data: Any, wanted: str) -> Bits:
    """Texts that are the wanted one."""
    return by_value(data, lambda texts: pc.equal(texts, wanted))


def test_text(name: str, a: Value, wanted: str) -> Value:
    """`startsWith`, `endsWith`, `contains`, `matches` (RE2, anywhere in the text)."""
    if isinstance(a.data, str):
        return Value(truth(TEXT_TESTS[name](pa.array([a.data]), wanted))[0], None, strict(a))
    return Value(by_value(a.data, lambda texts: TEXT_TESTS[name](texts, wanted)), None, strict(a))


def among(a: Value, items: Any) -> Value:
    """Membership in a list; a null is in none."""
    if isinstance(items, pa.Array):
        column = pa.array([a.data]) if isinstance(a.data, str) else a.data
        found: Any = by_value(column, lambda texts: pc.is_in(texts, value_set=items))
        found = found[0] if isinstance(a.data, str) else found
    else:
        found = np.isin(a.data, items)
    if a.null is not None:
        found = found & ~a.null
    return Value(found, None, a.bad)


def both(a: Value, b: Value) -> Value:
    """`&&`: false whenever one side is false, whatever the other one is."""
    return Value(a.data & b.data, None, _absorbed(a, b, np.logical_not))


def either(a: Value, b: Value) -> Value:
    """`||`: true whenever one side is true, whatever the other one is."""
    left = a.data if a.bad is None else a.data & ~a.bad
    right = b.data if b.bad is None else b.data & ~b.bad
    return Value(left | right, None, _absorbed(a, b, lambda data: data))


def _absorbed(a: Value, b: Value, decides: Callable[[Any], Any]) -> Bits | None:
    """Where an error stays: the other side does not decide."""
    left = None if a.bad is None else a.bad & ~_decided(b, decides)
    right = None if b.bad is None else b.bad & ~_decided(a, decides)
    return union(left, right)


def _decided(value: Value, decides: Callable[[Any], Any]) -> Any:
    answer = decides(value.data)
    return answer if value.bad is None else answer & ~value.bad


def negate(a: Value) -> Value:
    return Value(np.logical_not(a.data), None, a.bad)


def choose(condition: Value, a: Value, b: Value, frame: Frame, *, texts: bool) -> Value:
    """`?:`: only the chosen side's errors count."""
    which = np.broadcast_to(condition.data, len(frame))

    def pick(left: Bits | None, right: Bits | None) -> Bits | None:
        return None if left is None and right is None else np.where(which, _mask(left), _mask(right))

    data = pc.if_else(pa.array(which), plain(a.data), plain(b.data)) if texts else np.where(which, a.data, b.data)
    return Value(data, pick(a.null, b.null), union(condition.bad, pick(a.bad, b.bad)))


def arithmetic(op: str, a: Value, b: Value, kind: str) -> Value:
    """`+ - * / %` of two doubles (IEEE) or two ints (64 bits; overflow and division by zero are errors); `+` of two texts."""
    bad = strict(a, b)
    if kind == "string":
        if isinstance(a.data, str) and isinstance(b.data, str):
            return Value(a.data + b.data, None, bad)
        return Value(pc.binary_join_element_wise(plain(a.data), plain(b.data), ""), None, bad)
    with np.errstate(all="ignore"):
        if kind == "double":
            functions: dict[str, Any] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
            return Value(functions[op](np.asarray(a.data, np.float64), b.data), None, bad)
        data, wrong = _whole(op, np.asarray(a.data, np.int64), np.asarray(b.data, np.int64))
    return Value(data, None, union(bad, wrong))


def _whole(op: str, a: Any, b: Any) -> tuple[Any, Any]:
    if op in "/%":
        zero = (b == 0) | ((a == np.iinfo(np.int64).min) & (b == -1))
        safe = np.where(zero, 1, b)
        quotient = np.trunc(a / safe).astype(np.int64) if _small(a) and _small(safe) else _truncated(a, safe)
        return (quotient if op == "/" else a - quotient * safe), zero
    exact = {"+": np.add, "-": np.subtract, "*": np.multiply}[op](a, b)
    about = {"+": np.add, "-": np.subtract, "*": np.multiply}[op](a.astype(float), b.astype(float))
    wide = np.abs(about) > INT_LIMIT
    if np.any(wide):  # rare enough for Python's own integers
        many = {"+": np.add, "-": np.subtract, "*": np.multiply}[op](a.astype(object), b.astype(object))
        wide = (many > np.iinfo(np.int64).max) | (many < np.iinfo(np.int64).min)
        return exact, np.asarray(wide, bool)
    return exact, None


def _small(a: Any) -> bool:
    return bool(np.all(np.abs(a.astype(float)) < 2.0**52))


def _truncated(a: Any, b: Any) -> Any:
    floor = a // b
    return floor + ((a % b != 0) & ((a < 0) != (b < 0)))


def minus(a: Value, kind: str) -> Value:
    if kind == "double":
        return Value(np.negative(a.data), None, strict(a))
    with np.errstate(all="ignore"):
        lowest = np.asarray(a.data, np.int64) == np.iinfo(np.int64).min
        return Value(
            np.negative(np.asarray(a.data, np.int64)), None, union(strict(a), np.asarray(lowest) if np.any(lowest) else None)
        )


def time_part(name: str, a: Value, zone: str) -> Value:
    """A part of the time in the zone; CEL counts days of the week from Sunday, months and days of the month from 0."""
    times = pa.array(np.atleast_1d(a.data), pa.int64()).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone))
    if name == "getDayOfWeek":
        part, less = pc.day_of_week(times, count_from_zero=True, week_start=7), 0
    else:
        function, less = TIME_PARTS[name]
        part = function(times)
    return Value(part.cast(pa.int64()).to_numpy() - less, None, strict(a))


def length(a: Value) -> Value:
    """Characters of a text, entries of a map."""
    if isinstance(a.data, str):
        return Value(np.int64(len(a.data)))
    data = plain(a.data)
    if pa.types.is_map(data.type):
        sizes = np.diff(data.offsets.to_numpy()).astype(np.int64)
        return Value(np.where(data.is_null().to_numpy(zero_copy_only=False), 0, sizes), None, strict(a))
    return Value(pc.fill_null(pc.utf8_length(data), 0).cast(pa.int64()).to_numpy(), None, strict(a))


def entry(a: Value, key: str) -> Value:
    """A map's text under the key; a missing one is an error."""
    found = pc.map_lookup(a.data, pa.scalar(key), "first")
    missing = found.is_null().to_numpy(zero_copy_only=False) if found.null_count else None
    return Value(found, None, union(a.bad, missing))


def has_entry(a: Value, key: str) -> Value:
    return Value(truth(pc.is_valid(pc.map_lookup(a.data, pa.scalar(key), "first"))), None, a.bad)


def parsed(a: Value, number: Callable[[str], Any], kind: Any) -> Value:
    """Texts as numbers; what is none is an error."""
    if isinstance(a.data, str):
        return Value(kind(number(a.data) or 0), None, union(strict(a), None))
    data = plain(a.data)
    answers = [None if text is None else number(text) for text in data.to_pylist()]
    wrong = np.fromiter((one is None for one in answers), bool, len(answers))
    return Value(np.array([one if one is not None else 0 for one in answers], kind), None, union(strict(a), wrong))


def double_of(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def int_of(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 else None


def truncated(a: Value) -> Value:
    """A double as an int, toward zero; one that does not fit is an error."""
    wild = ~(np.abs(a.data) < 2.0**63)
    return Value(np.where(wild, 0, a.data).astype(np.int64), None, union(strict(a), np.asarray(wild) if np.any(wild) else None))


def micros_of(text: str) -> int:
    """A written time in µs since 1970; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, as in 2026-05-01T12:00:00Z")
    return (moment - EPOCH) // timedelta(microseconds=1)
