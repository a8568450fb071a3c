"""What real sources also deliver: records that must be refused, repeated deliveries, and late ones; each is counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np

LATE = timedelta(hours=3)
FAR_FUTURE = "2124-01-01T00:00:00.000Z"
HUGE = 70_000


@dataclass(frozen=True)
class Delivered:
    """Lines in the order in which they arrive, and the faults among them."""

    lines: list[bytes]
    refused: Counter[str]
    duplicates: int
    late: int


def _without(line: bytes, field: str) -> bytes:
    event = msgspec.json.decode(line)
    event.pop(field)
    return msgspec.json.encode(event)


def _with(line: bytes, field: str, value: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(line) | {field: value})


def _naive(line: bytes) -> bytes:
    return _with(line, "event_time", msgspec.json.decode(line)["event_time"].removesuffix("Z"))


def _raw(line: bytes, field: str, text: bytes) -> bytes:
    """A value that no JSON encoder would write."""
    return _with(line, field, "@@").replace(b'"@@"', text)


TRANSACTION_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "malformed": lambda line: line[: len(line) * 2 // 3],
    "not_a_number": lambda line: _raw(line, "amount", b"NaN"),
    "infinite": lambda line: _raw(line, "amount", b"-Infinity"),
    "wrong_type": lambda line: _with(line, "amount", "12,50"),
    "no_account": lambda line: _without(line, "account_id"),
    "no_time": lambda line: _without(line, "event_time"),
    "naive_time": _naive,
    "far_future": lambda line: _with(line, "event_time", FAR_FUTURE),
    "invalid_utf8": lambda line: _raw(line, "account_id", b'"A\xff\xfe1"'),
    "not_an_object": lambda line: b"[" + line + b"]",
}
REQUEST_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "malformed": lambda line: line[:-1] + b",",
    "negative_latency": lambda line: _with(line, "latency_ms", -3.5),
    "wrong_type": lambda line: _with(line, "status", "OK"),
    "naive_time": _naive,
    "zero_byte": lambda line: _with(line, "message", "before\0after"),
    "lone_surrogate": lambda line: _raw(line, "message", rb'"half \ud83d of a pair"'),
    "oversize": lambda line: _with(line, "message", "x" * HUGE),
}
MEASUREMENT_FAULTS: dict[str, Callable[[bytes], bytes]] = {"not_a_number": lambda line: _raw(line, "value", b"NaN")}


def deliver(
    rng: np.random.Generator, events: list[dict[str, object]], wrong: dict[str, Callable[[bytes], bytes]], each: int,
    duplicates: int, late: int, keep: frozenset[str] = frozenset(),
) -> Delivered:  # fmt: skip
    """The events as lines, with `each` refused records of every kind, repeated and late ones between them.

    Events named in `keep` (the injected ones) are left alone, so that a label never hangs on a fault.
    """
    lines = [msgspec.json.encode(event) for event in events]
    free = np.array([row for row, event in enumerate(events) if event["event_id"] not in keep and row >= len(events) // 3])
    picked = rng.choice(free, each * len(wrong) + duplicates + late, replace=False)
    broken, rest = np.split(picked, [each * len(wrong)])
    again, delayed = np.split(rest, [duplicates])
    extra = [(int(row), _fault(lines[row], name, wrong)) for row, name in zip(broken, sorted(wrong) * each, strict=True)]
    extra += [(int(row) + 1, lines[row]) for row in again]
    extra += [(int(row) + 1, _late(events[row])) for row in delayed]
    return Delivered(_woven(lines, extra), Counter(sorted(wrong) * each), duplicates, late)


def _fault(line: bytes, name: str, wrong: dict[str, Callable[[bytes], bytes]]) -> bytes:
    """A broken copy under an id of its own, so that no good record is missing or repeated by it."""
    return wrong[name](_with(line, "event_id", f"{msgspec.json.decode(line)['event_id']}-bad"))


def _late(event: dict[str, object]) -> bytes:
    at = datetime.fromisoformat(str(event["event_time"])) - LATE
    told = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode(event | {"event_id": f"{event['event_id']}-late", "event_time": told})


def _woven(lines: list[bytes], extra: list[tuple[int, bytes]]) -> list[bytes]:
    """Each extra line before the line of that row."""
    woven: list[bytes] = []
    after = 0
    for row, line in sorted(extra, key=lambda item: item[0]):
        woven += [*lines[after:row], line]
        after = row
    return woven + lines[after:]
