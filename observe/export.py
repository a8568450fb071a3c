"""Spans of the SDK sent over HTTP as OTLP's JSON, to a gateway of ours or to any other collector. Standard library only."""

import gzip
import json
from typing import Any

from observe.queue import Record

PATH = "/v1/otlp/v1/traces"
NAMES = {
    "input": "input.value", "output": "output.value", "model": "llm.model_name", "prompt": "conclave.prompt",
    "tokens_in": "llm.token_count.prompt", "tokens_out": "llm.token_count.completion", "cost": "llm.cost.total",
    "reference": "conclave.reference", "contexts": "conclave.contexts", "user": "user.id", "session": "session.id",
    "metadata": "metadata",
}  # fmt: skip
AS_JSON = ("contexts", "metadata")


class HttpExporter:
    """`url`: the gateway's address. `key` may send traces: an analyst's, or one with the scope `traces:PROJECT`."""

    def __init__(self, url: str, key: str, *, project: str = "", timeout_s: float = 5.0, path: str = PATH) -> None:
        self._url, self._key, self._project, self._timeout_s = url.rstrip("/") + path, key, project, timeout_s

    def export(self, batch: list[Record], dropped: int) -> None:
        """Raises OSError (urllib.error.URLError, HTTPError) when it did not arrive."""
        from urllib.request import Request, urlopen

        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Authorization": f"Bearer {self._key}"}
        body = gzip.compress(json.dumps(request(batch, self._project, dropped)).encode(), 3)
        with urlopen(Request(self._url, body, headers), timeout=self._timeout_s) as answer:  # noqa: S310 - the host's own setting
            answer.read()


def request(batch: list[Record], project: str, dropped: int) -> dict[str, Any]:
    """An ExportTraceServiceRequest; `dropped` spans are told as an attribute of the resource."""
    resource = {"conclave.project": project, "conclave.dropped": dropped or None}
    return {"resourceSpans": [{
        "resource": {"attributes": _attributes({name: value for name, value in resource.items() if value})},
        "scopeSpans": [{"scope": {"name": "conclave.sdk"}, "spans": [_span(record) for record in batch]}],
    }]}  # fmt: skip


def attributes_of(record: Record) -> dict[str, Any]:
    """What a record says, as attributes of OpenInference and our own."""
    said = {"openinference.span.kind": str(record["kind"]).upper(), **_plain(record.get("attributes"))}
    for name, theirs in NAMES.items():
        if record.get(name) is not None:
            value = record[name]
            said[theirs] = json.dumps(value) if name in AS_JSON or not isinstance(value, str | bool | int | float) else value
    return said


def _span(record: Record) -> dict[str, Any]:
    span = {
        "traceId": record["trace_id"], "spanId": record["span_id"], "name": str(record["name"]),
        "attributes": _attributes(attributes_of(record)), "startTimeUnixNano": str(record["started_ns"]),
        "endTimeUnixNano": str(record["started_ns"] + int(record["latency_ms"] * 1e6)),
    }  # fmt: skip
    if record["parent_id"] is not None:
        span["parentSpanId"] = record["parent_id"]
    if record.get("error") is not None:
        span["status"] = {"code": 2, "message": str(record["error"])}
    return span


def _plain(given: Any) -> dict[str, Any]:
    return {str(name): value for name, value in given.items()} if isinstance(given, dict) else {}


def _attributes(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in said.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and abs(value) < 1 << 63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if abs(value) < float("inf") else str(value)}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value, default=str)}
