"""What a topic asks of its events beyond the rules for all: their kind, and its JSON schema."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.batch import Record
from gateway.problems import Problem
from jobs.events import Refused

ANY = "mixed"
NOTHING_FETCHED: dict[str, Any] = {"registry": Registry()}  # empty: a reference to elsewhere is refused


def held(records: Sequence[Record], topic: dict[str, Any]) -> list[Record]:
    """The records with those refused that the topic does not take. Raises Problem 409 when its schema cannot be used."""
    validator = _validator(topic) if topic["schema"] else None
    if validator is None and topic["kind"] == ANY:
        return list(records)
    return [record if record.refused else _held(record, topic, validator) for record in records]


def _held(record: Record, topic: dict[str, Any], validator: Draft202012Validator | None) -> Record:
    event = msgspec.json.decode(record.line)
    if topic["kind"] not in (ANY, event.get("kind")):
        return replace(record, refused=Refused(f"the topic {topic['topic']} takes {topic['kind']}s", "kind"))
    fault = _fault(event, topic, validator) if validator is not None else None
    return record if fault is None else replace(record, refused=fault)


def _fault(event: Any, topic: dict[str, Any], validator: Draft202012Validator) -> Refused | None:
    del event["tenant"]  # ours, not the sender's
    try:
        error = next(iter(validator.iter_errors(event)), None)
    except Unresolvable:
        raise _unusable(topic, "it refers to a schema that is not in it") from None
    if error is None:
        return None
    return Refused(f"the topic {topic['topic']} asks: {error.message[:200]}", ".".join(str(part) for part in error.absolute_path))


def _validator(topic: dict[str, Any]) -> Draft202012Validator:
    try:
        Draft202012Validator.check_schema(topic["schema"])
    except SchemaError as error:
        raise _unusable(topic, error.message[:200]) from None
    return Draft202012Validator(topic["schema"], **NOTHING_FETCHED)


def _unusable(topic: dict[str, Any], why: str) -> Problem:
    return Problem(409, detail=f"The schema of the topic {topic['topic']} cannot be used: {why}.")
