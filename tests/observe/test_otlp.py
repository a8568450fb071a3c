"""OTLP: attributes of both conventions, protobuf and JSON, what is refused, what hostile bytes do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from observe import otlp
from observe.conventions import fields, spoken
from observe.errors import BadTrace
from observe.intake import Arrival, Refusal, Taken

MESSAGES = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "How long?"}, {"type": "blob", "content": "x"}]},
]


def test_genai_attributes() -> None:
    said = fields({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3,
        "gen_ai.conversation.id": "c7", "gen_ai.input.messages": json.dumps(MESSAGES), "enduser.id": "u1",
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "3 days."}]}]),
    })  # fmt: skip
    assert (said["kind"], said["model"], said["tokens_in"], said["tokens_out"]) == ("llm", "gpt-4o-2024-08-06", 12, 3)
    assert (said["input"], said["output"], said["session"], said["user"]) == ("How long?", "3 days.", "c7", "u1")
    assert said["attributes"] == {"gen_ai.provider.name": "openai"}


def test_messages_as_events_of_the_span() -> None:
    older = [("gen_ai.user.message", {"content": "How long?"}), ("gen_ai.choice", {"content": '{"content": "3 days."}'})]
    said = fields({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}, older)
    assert (said["kind"], said["input"], said["output"]) == ("llm", "How long?", "3 days.")


def test_openllmetry_attributes() -> None:
    said = fields({
        "llm.request.type": "chat", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "How long?",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "3 days.", "gen_ai.usage.prompt_tokens": "5",
    })  # fmt: skip
    assert (said["kind"], said["input"], said["output"], said["tokens_in"]) == ("llm", "How long?", "3 days.", 5)


def test_openinference_attributes() -> None:
    said = fields({
        "openinference.span.kind": "RETRIEVER", "input.value": "refunds", "retrieval.documents.1.document.content": "second",
        "retrieval.documents.0.document.content": "first", "retrieval.documents.0.document.score": 0.5,
        "metadata": '{"user_id": "ann", "release": "4"}',
    })  # fmt: skip
    assert (said["kind"], said["contexts"]) == ("retriever", ("first", "second"))
    assert (said["user"], said["metadata"]) == ("ann", {"release": "4"})
    assert "ann" not in str(said["attributes"])


def test_unknown_is_none_and_never_zero() -> None:
    said = fields({"openinference.span.kind": "LLM", "llm.token_count.prompt": "many", "llm.cost.total": float("nan")})
    assert (said["tokens_in"], said["tokens_out"], said["cost"], said["model"]) == (None, None, None, "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ('{"type": "ai", "data": {"content": "Hello."}}', "Hello."),
        ('{"generations": [[{"text": "Hi."}]]}', "Hi."),
        ('{"answer": "A", "context": ["c"]}', "A"),
        ('{"messages": [{"content": "q"}, {"content": "a"}]}', "a"),
        ('{"no": "known name"}', '{"no": "known name"}'),
        ("{broken", "{broken"),
        (None, ""),
    ],
)
def test_the_text_inside_json(value: Any, text: str) -> None:
    assert spoken(value, ("content", "output", "answer", "text")) == text


def request() -> dict[str, Any]:
    """A request in OTLP's JSON, whose ids are hexadecimal."""
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat gpt-4o", "kind": 3,
        "startTimeUnixNano": "1777636800000000000", "endTimeUnixNano": "1777636800250000000",
        "attributes": [
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"boolValue": True}]}}},
        ],
        "status": {"code": 2, "message": "rate limited"},
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "Shop Assistant"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}


def read(given: dict[str, Any], default: str | None = None) -> tuple[list[Arrival], Taken]:
    taken = Taken()
    return otlp.arrivals(otlp.read(json.dumps(given).encode(), otlp.JSON), default, taken), taken


def test_json_and_protobuf_say_the_same() -> None:
    body = json.dumps(request()).encode()
    first = otlp.read(body, otlp.JSON)
    assert otlp.read(first.SerializeToString(), otlp.PROTOBUF) == first
    (arrival,), _ = read(request())
    span = arrival.span
    assert (arrival.project, span.trace_id, span.span_id) == (
        "shop-assistant",
        "5b8efff798038103d269b633813fc60c",
        "eee19b7ec3c1b174",
    )
    assert (span.latency_ms, span.error, span.tokens_in, span.attributes) == (250.0, "rate limited", 12, {"tags": ["a", True]})
    assert read(request(), "mine")[0][0].project == "mine"


def test_a_broken_span_is_refused_and_the_rest_goes_on() -> None:
    given = request()
    spans = given["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.append(spans[0] | {"spanId": "00"})
    found, taken = read(given)
    assert len(found) == 1
    assert [one.why for one in taken.refused] == ["a trace id has 16 bytes and a span id 8"]


def test_the_answer_counts_what_was_refused() -> None:
    taken = Taken(refused=[Refusal("t", "s", "why"), Refusal("t", "s2", "why")])
    for media in (otlp.JSON, otlp.PROTOBUF):
        body = otlp.answer(taken, media)
        if media == otlp.JSON:
            assert json.loads(body) == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}}
        else:
            assert ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans == 2
    assert otlp.answer(Taken(), otlp.PROTOBUF) == b""


@given(st.binary(max_size=300), st.sampled_from([otlp.JSON, otlp.PROTOBUF]))
def test_bytes_of_any_kind_are_read_or_refused(body: bytes, media: str) -> None:
    try:
        found = otlp.read(body, media)
    except BadTrace:
        return
    assert isinstance(found, ExportTraceServiceRequest)
    otlp.arrivals(found, None, Taken())


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "openinference.span.kind", "input.value", "output.value", "metadata", "gen_ai.input.messages", "gen_ai.output.messages",
    "llm.input_messages.0.message.content", "retrieval.documents.0.document.content", "gen_ai.retrieval.documents",
    "gen_ai.usage.input_tokens", "llm.cost.total", "gen_ai.prompt.0.content", "user.id", "conclave.contexts",
])  # fmt: skip


@given(st.dictionaries(NAMES, ANY | ANY.map(lambda value: json.dumps(value, default=str)), max_size=6))
def test_attributes_of_any_kind_are_read(attributes: dict[str, Any]) -> None:
    said = fields(attributes)
    assert isinstance(said["input"], str)
    assert isinstance(said["output"], str)
    assert all(isinstance(text, str) for text in said["contexts"])
