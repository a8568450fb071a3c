"""A posted batch: the body cut into records, each checked by the same rules as in the stream, stamped with its tenant."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.problems import Problem
from jobs.events import Accepted, Refused, Rules, validate

ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
JSON, LINES = ("application/json",), ("application/x-ndjson", "application/jsonl", "application/json-lines", "application/ndjson")
FOREIGN = Refused("tenant is not yours: leave it out, your key says it", "tenant")


@dataclass(frozen=True)
class Record:
    """One record's fate. `id_hash` and `content_hash` (64 bits, signed) and `line` are set for an acceptable one only."""

    index: int
    event_id: str | None = None
    refused: Refused | None = None
    line: bytes = b""
    key: bytes | None = None
    id_hash: int = 0
    content_hash: int = 0


def records(body: bytes, media: str, most: int) -> list[bytes]:
    """The records of a JSON array, one JSON object or JSON lines. Raises Problem: 400, 413 (over `most`), 415."""
    kind = media.split(";")[0].strip().lower()
    if kind not in JSON + LINES:
        raise Problem(415, detail="Send application/json (an array of events) or application/x-ndjson (one event a line).")
    found = _array(body) if kind in JSON else [line for line in (raw.strip() for raw in body.split(b"\n")) if line]
    if not found:
        raise Problem(422, detail="There is no event in the body.")
    if len(found) > most:
        raise Problem(413, detail=f"{len(found):,} events in one request; at most {most:,} are taken.")
    return found


def _array(body: bytes) -> list[bytes]:
    if body.lstrip()[:1] == b"{":
        return [body.strip()]
    try:
        return [bytes(raw) for raw in ARRAY.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, detail=f"The body is not a JSON array of events: {str(error)[:200]}.") from None


def check(raws: Sequence[bytes], rules: Rules, tenant: str) -> list[Record]:
    """Each record's outcome, in order."""
    return [_one(index, raw, rules, tenant) for index, raw in enumerate(raws)]


def _one(index: int, raw: bytes, rules: Rules, tenant: str) -> Record:
    outcome = validate(raw, rules)
    if isinstance(outcome, Accepted) and outcome.event.tenant not in (None, tenant):
        return Record(index, outcome.event.event_id, FOREIGN)
    if isinstance(outcome, Refused):
        return Record(index, _event_id(raw), outcome)
    event = outcome.event
    line = stamped(raw, tenant)
    key = event.account_id or event.service
    return Record(
        index, event.event_id, None, line, key.encode() if key else None, hashed(event.event_id.encode()), hashed(line)
    )  # fmt: skip


def stamped(raw: bytes, tenant: str) -> bytes:
    """The record as one line with its tenant; the last of equal names counts in JSON, so one that is there already is overruled.

    >>> stamped(b'{"event_id": "e1",\\n"tenant": null}', "main")
    b'{"event_id":"e1","tenant":null,"tenant":"main"}'
    """
    line = raw.strip()
    if b"\n" in line or b"\r" in line:
        line = msgspec.json.format(line, indent=-1)
    return b'%s,"tenant":%s}' % (line[:-1].rstrip(), msgspec.json.encode(tenant))


def hashed(content: bytes) -> int:
    """64 bits as Postgres' bigint; among a hundred million, one event in 10^11 would be taken for another."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


def _event_id(raw: bytes) -> str | None:
    """The id of a refused record, so that its sender finds it; None when it has none that can be read."""
    try:
        told: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = told.get("event_id") if isinstance(told, dict) else None
    return found[:200] if isinstance(found, str) else None
