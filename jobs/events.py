"""The canonical event: its schema, its validation, and in plain words why a record is refused."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WATCHED = ("transaction", "request", "measurement")
NEEDS = {
    "transaction": ("account_id", "amount"),
    "request": ("service", "status"),
    "measurement": ("service", "metric", "value"),
}
LONGEST_ID = 200
LARGEST = 1e100  # its square, summed over any time, still is a number
UTC_TIME = Annotated[datetime, msgspec.Meta(tz=True)]


class Event(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """One transaction, request, measurement, or an event of a kind that has no window (kept, not watched).

    Amounts are in `currency`, latencies in milliseconds; a status of 500 or more is an error.
    """

    event_id: str
    event_time: UTC_TIME
    kind: str
    account_id: str | None = None
    amount: float | None = None
    currency: str | None = None
    counterparty_id: str | None = None
    service: str | None = None
    status: int | None = None
    latency_ms: float | None = None
    metric: str | None = None
    value: float | None = None
    message: str | None = None
    attributes: dict[str, str] | None = None
    tenant: str | None = None


class LooseEvent(Event, forbid_unknown_fields=False, frozen=True, gc=False):
    """The same with unknown fields allowed; the raw record is then kept beside it."""


@dataclass(frozen=True)
class Accepted:
    """A valid event; `raw` is set when the record holds more than the event does."""

    event: Event
    raw: bytes | None = None


@dataclass(frozen=True)
class Refused:
    """Why a record is not an event, and the field at fault (empty for the whole record)."""

    reason: str
    field: str = ""


@dataclass(frozen=True)
class Rules:
    """What a record may be. `now` is the batch's arrival time: an event may be `max_future_s` ahead of it."""

    now: datetime
    max_future_s: float = 3_600  # as the setting
    max_record_bytes: int = 65_536
    tenant: str = "main"


STRICT = msgspec.json.Decoder(Event)
LOOSE = msgspec.json.Decoder(LooseEvent)
ANYTHING = msgspec.json.Decoder()
NOT_NUMBERS = re.compile(rb"[:\[,]\s*-?(NaN|Infinity)\b")
TYPE_WORDS = {
    "event_time": "a time with a zone, such as 2026-05-01T12:00:00Z",
    "amount": "a number",
    "latency_ms": "a number of milliseconds",
    "value": "a number",
    "status": "a whole number",
    "attributes": "an object of texts",
}


def validate(raw: bytes, rules: Rules) -> Accepted | Refused:
    """The event in one JSON record, or why there is none."""
    if len(raw) > rules.max_record_bytes:
        return Refused(f"the record has {len(raw):,} bytes; at most {rules.max_record_bytes:,} are taken")
    try:
        event, kept = STRICT.decode(raw), None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        loose = second_look(raw)
        if isinstance(loose, Refused):
            return loose
        event, kept = loose, raw
    fault = _fault(event, rules)
    if fault is not None:
        return fault
    return Accepted(event, kept if kept is not None or event.kind in WATCHED else raw)


def validate_all(raws: Iterable[bytes | None], rules: Rules) -> list[Accepted | Refused]:
    """Each record's outcome, in order; an absent value (a Kafka tombstone) is refused."""
    return [Refused("the record is empty") if not raw else validate(raw, rules) for raw in raws]


def as_json(event: Event) -> bytes:
    """The event as one JSON line, without its empty fields."""
    fields = {name: value for name in event.__struct_fields__ if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(fields)


def micros(time: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (time - EPOCH) // timedelta(microseconds=1)


def second_look(raw: bytes) -> LooseEvent | Refused:
    """Told apart only when the fast way failed: not UTF-8, not JSON, not an object, a wrong type, unknown fields."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return Refused(f"the record is not valid UTF-8 (byte {error.start + 1})")
    try:
        record = ANYTHING.decode(raw)
    except msgspec.DecodeError as error:
        return Refused(_not_json(raw, str(error)))
    except RecursionError:
        return Refused("the record is nested too deeply")
    if not isinstance(record, dict):
        return Refused("the record is not a JSON object")
    try:
        return LOOSE.decode(raw)
    except msgspec.ValidationError as error:
        return _wrong_type(record, str(error))


def _not_json(raw: bytes, said: str) -> str:
    if NOT_NUMBERS.search(raw):
        return "NaN and Infinity are not numbers in JSON"
    if "surrogate" in said or "escape" in said:
        return "a text holds half of a surrogate pair or a broken escape"
    if "out of range" in said:
        return "a number is too large"
    where = said.rpartition("(")[2].rstrip(")") if "(" in said else said
    return f"the record is not valid JSON ({where})"


def _wrong_type(record: dict[str, Any], said: str) -> Refused:
    if "missing required field" in said:
        field = said.split("`")[1]
        return Refused(f"{field} is missing", field)
    field = said.rpartition("$.")[2].rstrip("`").split("[")[0].split(".")[0]
    if field not in Event.__struct_fields__:
        return Refused("the record does not fit the event's schema")
    if field == "event_time" and isinstance(record.get(field), str) and _is_naive(record[field]):
        return Refused("event_time has no time zone; write it like 2026-05-01T12:00:00Z", field)
    return Refused(f"{field} must be {TYPE_WORDS.get(field, 'a text')}", field)


def _is_naive(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _fault(event: Event, rules: Rules) -> Refused | None:
    if not event.event_id:
        return Refused("event_id is empty", "event_id")
    for name in NEEDS.get(event.kind, ()):
        if getattr(event, name) in (None, ""):
            return Refused(f"a {event.kind} needs {name}", name)
    return _number_fault(event) or _text_fault(event) or _time_fault(event, rules)


def _number_fault(event: Event) -> Refused | None:
    for name in ("amount", "value", "latency_ms"):
        number = getattr(event, name)
        if number is not None and not math.isfinite(number):
            return Refused(f"{name} is not a finite number", name)
        if number is not None and abs(number) > LARGEST:
            return Refused(f"{name} is larger than {LARGEST:g}", name)
    if event.latency_ms is not None and event.latency_ms < 0:
        return Refused("latency_ms is negative", "latency_ms")
    if event.status is not None and not 0 <= event.status <= 999:
        return Refused("status is not between 0 and 999", "status")
    return None


def _text_fault(event: Event) -> Refused | None:
    texts: Sequence[tuple[str, str | None]] = (
        ("event_id", event.event_id), ("kind", event.kind), ("account_id", event.account_id), ("currency", event.currency),
        ("counterparty_id", event.counterparty_id), ("service", event.service), ("metric", event.metric),
        ("tenant", event.tenant),
    )  # fmt: skip
    for name, text in texts:
        if text is not None and (len(text) > LONGEST_ID or "\0" in text):
            return Refused(
                f"{name} holds a zero byte" if "\0" in text else f"{name} is longer than {LONGEST_ID} characters", name
            )
    if event.message is not None and "\0" in event.message:
        return Refused("message holds a zero byte", "message")
    if event.attributes and any("\0" in name or "\0" in text for name, text in event.attributes.items()):
        return Refused("attributes hold a zero byte", "attributes")
    return None


def _time_fault(event: Event, rules: Rules) -> Refused | None:
    if event.event_time < EPOCH:
        return Refused("event_time is before 1970", "event_time")
    ahead_s = (event.event_time - rules.now).total_seconds()
    if ahead_s > rules.max_future_s:
        return Refused(f"event_time lies {ahead_s / 3600:,.0f} hours in the future", "event_time")
    return None
