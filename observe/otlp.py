"""OTLP/HTTP: spans of OpenTelemetry clients, as protobuf or JSON, and the answers they expect."""

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtelSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from observe.conventions import fields
from observe.errors import BadTrace
from observe.intake import Arrival, Refusal, Taken
from observe.projects import named
from observe.span import Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
PROJECTS = ("conclave.project", "openinference.project.name", "service.name")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDS = ("traceId", "spanId", "parentSpanId")
DEEPEST = 20


def read(body: bytes, media: str) -> ExportTraceServiceRequest:
    """The request of a body; `media` without parameters. Raises BadTrace."""
    request = ExportTraceServiceRequest()
    try:
        if media == JSON:
            json_format.ParseDict(_with_base64_ids(json.loads(body)), request, ignore_unknown_fields=True)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadTrace(f"(not OTLP as {media}: {str(error)[:200]})") from error
    return request


def _with_base64_ids(given: Any, depth: int = 0) -> Any:
    """OTLP's JSON writes ids in hex where protobuf's own JSON has base64."""
    if depth > DEEPEST:
        return given
    if isinstance(given, list):
        return [_with_base64_ids(one, depth + 1) for one in given]
    if isinstance(given, dict):
        return {
            name: _base64(value) if name in IDS and isinstance(value, str) else _with_base64_ids(value, depth + 1)
            for name, value in given.items()
        }
    return given


def _base64(hexed: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(hexed)).decode()
    except ValueError:
        raise BadTrace(f"(an id is not hexadecimal: {hexed[:40]!r})") from None


def arrivals(request: ExportTraceServiceRequest, default: str | None, taken: Taken) -> list[Arrival]:
    """Every span of the request with its project: `default` when the key has just one, else what its resource is called.

    Spans that cannot be read are refused in `taken`, the others go on.
    """
    found = []
    for resource in request.resource_spans:
        said = _attributes(resource.resource.attributes)
        named_so = next((str(said[name]) for name in PROJECTS if said.get(name)), "")
        project = default or named(named_so.removeprefix("unknown_service:"))
        for scope in resource.scope_spans:
            for one in scope.spans:
                span = _span(one, taken)
                found += [] if span is None else [Arrival(project, span)]
    return found


def _span(one: OtelSpan, taken: Taken) -> Span | None:
    span_id = one.span_id.hex()
    if len(one.trace_id) != 16 or len(one.span_id) != 8:
        taken.refused.append(Refusal(one.trace_id.hex()[:64], span_id[:64], "a trace id has 16 bytes and a span id 8"))
        return None
    attributes = _attributes(one.attributes)
    events = [(event.name, _attributes(event.attributes)) for event in one.events]
    try:
        started, latency = _time(one.start_time_unix_nano), _latency(one)
    except OverflowError:
        taken.refused.append(Refusal(one.trace_id.hex(), span_id, "its time cannot be read"))
        return None
    return Span(
        trace_id=one.trace_id.hex(), span_id=span_id, parent_id=one.parent_span_id.hex() or None, name=one.name or "span",
        started_at=started, latency_ms=latency, error=_error(one, events), **fields(attributes, events),
    )  # fmt: skip


def _time(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _latency(one: OtelSpan) -> float | None:
    return (one.end_time_unix_nano - one.start_time_unix_nano) / 1e6 if one.end_time_unix_nano else None


def _error(one: OtelSpan, events: Iterable[tuple[str, dict[str, Any]]]) -> str | None:
    if one.status.code != Status.STATUS_CODE_ERROR:
        return None
    raised = next((more for name, more in events if name == "exception"), {})
    said = [one.status.message, str(raised.get("exception.type", "")), str(raised.get("exception.message", ""))]
    return ": ".join(dict.fromkeys(part for part in said if part)) or "error"


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _plain(pair.value, 0) for pair in pairs}


def _plain(value: AnyValue, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > DEEPEST:
        return None
    if kind == "array_value":
        return [_plain(one, depth + 1) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return binascii.hexlify(value.bytes_value).decode()
    return getattr(value, kind)


def answer(taken: Taken, media: str) -> bytes:
    """The answer in the form of the request; rejected spans are counted, with the first reasons."""
    response = ExportTraceServiceResponse()
    if taken.refused:
        response.partial_success.rejected_spans = len(taken.refused)
        reasons = dict.fromkeys(one.why for one in taken.refused)
        response.partial_success.error_message = "; ".join(list(reasons)[:5])
    if media == JSON:
        return str(json_format.MessageToJson(response, indent=None)).encode()
    return bytes(response.SerializeToString())
