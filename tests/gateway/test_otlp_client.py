"""A real LangChain program, instrumented by OpenInference, sends its spans over OTLP/HTTP to a real server."""

import gzip
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from gateway_keys import key_of

from observe import loop
from observe.export import HttpExporter
from observe.sdk import Tracer, current, span, traced
from store.database import Database
from store.settings import Settings

DOCUMENT = "Refunds are processed by the Berlin office in 3 business days."
ANSWER = "Refunds are processed in 3 business days."


@pytest.fixture
def address(gateway: FastAPI) -> Iterator[str]:
    """The gateway served by uvicorn on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(gateway, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def program(tracers: Any) -> Any:
    """Retrieve, prompt, answer: a chain of LangChain's own parts, instrumented."""
    from langchain_core.documents import Document
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.runnables import RunnablePassthrough

    class Shelf(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document(page_content=DOCUMENT)]

    usage = {"input_tokens": 20, "output_tokens": 6, "total_tokens": 26}
    message = AIMessage(content=ANSWER, usage_metadata=usage, response_metadata={"model_name": "gpt-4o-mini"})
    prompt = ChatPromptTemplate.from_messages([("system", "Answer from {context}"), ("user", "{question}")])
    return {"context": Shelf(), "question": RunnablePassthrough()} | prompt | GenericFakeChatModel(messages=iter([message]))


@pytest.mark.parametrize("packing", ["none", "gzip"])
def test_langchain_by_openinference(address: str, database: Database, gateway_settings: Settings, packing: str) -> None:
    from openinference.instrumentation.langchain import LangChainInstrumentor
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    headers = {"Authorization": f"Bearer {key_of(database, 'analyst')}"}
    exporter = OTLPSpanExporter(f"{address}/v1/otlp/v1/traces", headers=headers, compression=Compression(packing))
    tracers = TracerProvider(resource=Resource({"service.name": "Shop Assistant"}))
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    LangChainInstrumentor().instrument(tracer_provider=tracers)
    try:
        program(tracers).invoke("How long do refunds take?", config={"metadata": {"session_id": "s1"}})
    finally:
        LangChainInstrumentor().uninstrument()
        tracers.shutdown()
    loop.work(database, gateway_settings, datetime.now(UTC) + timedelta(minutes=1))
    (trace,) = database.fetch("trace_list", **EVERYTHING)
    assert (trace["project"], trace["query"], trace["response"]) == ("shop-assistant", "How long do refunds take?", ANSWER)
    assert (trace["model"], trace["tokens_in"], trace["tokens_out"], trace["session"]) == ("gpt-4o-mini", 20, 6, "s1")
    assert trace["cost"] == pytest.approx((20 * 0.15 + 6 * 0.6) / 1e6)
    assert trace["hallucination"] is False
    kinds = {row["name"]: row["kind"] for row in database.fetch("spans_of", tenant="main", trace_ids=[trace["trace_id"]])}
    assert kinds["Shelf"] == "retriever"
    assert kinds["GenericFakeChatModel"] == "llm"
    assert kinds["RunnableSequence"] == "chain"


EVERYTHING = dict.fromkeys(
    ("project", "only", "model", "status", "hallucination", "user_hash", "session", "after_at", "after_id")
) | {"tenant": "main", "limit": 10}  # fmt: skip


def post(address: str, key: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    wanted = urllib.request.Request(f"{address}/v1/otlp/v1/traces", body, given)
    try:
        with urllib.request.urlopen(wanted, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def spans(*ids: str) -> bytes:
    made = [
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": one, "name": "chat", "startTimeUnixNano": "1777636800000000000",
         "endTimeUnixNano": "1777636800250000000"} for one in ids
    ]  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}).encode()


def test_partial_success_gzip_and_refusals(address: str, database: Database) -> None:
    key = key_of(database, "analyst")
    status, body = post(address, key, gzip.compress(spans("eee19b7ec3c1b174", "00")), Content_Encoding="gzip")
    assert status == 200
    assert json.loads(body)["partialSuccess"]["rejectedSpans"] == "1"
    assert post(address, key, spans("eee19b7ec3c1b174")) == (200, b"{}")  # again: nothing new, nothing wrong
    assert len(database.fetch("spans_of", tenant="main", trace_ids=["5b8efff798038103d269b633813fc60c"])) == 1
    assert post(address, key, b"{broken")[0] == 400
    assert post(address, key, b"x", Content_Type="text/plain")[0] == 415
    assert post(address, "conclave_no_key", spans("eee19b7ec3c1b174"))[0] == 401
    assert post(address, key_of(database, "viewer"), spans("eee19b7ec3c1b174"))[0] == 403


def test_a_project_keys_spans_go_to_its_project(address: str, database: Database) -> None:
    key = key_of(database, "analyst", scopes=("traces:bank",))
    assert post(address, key, spans("eee19b7ec3c1b174")) == (200, b"{}")
    assert database.fetch("trace_list", **EVERYTHING)[0]["project"] == "bank"


def test_our_own_sdk_over_http(address: str, database: Database) -> None:
    tracer = Tracer(HttpExporter(address, key_of(database, "analyst", scopes=("traces:shop",))), every_s=0.01)

    @traced(tracer=tracer, name="answer", kind="chain")
    def answer(question: str) -> str:
        with span("model", kind="llm", tracer=tracer, model="gpt-4o-mini") as step:
            step.set(tokens_in=1_000_000, tokens_out=0, output=ANSWER)
        current().set(contexts=[DOCUMENT], metadata={"release": "4.2"})
        return ANSWER

    answer("How long do refunds take?")
    assert tracer.close()
    assert tracer.stats.sent == 2
    (trace,) = database.fetch("trace_list", **EVERYTHING)
    assert (trace["project"], trace["name"], trace["query"], trace["response"]) == (
        "shop",
        "answer",
        "How long do refunds take?",
        ANSWER,
    )
    assert (trace["cost"], trace["tokens_in"], trace["spans"]) == (0.15, 1_000_000, 2)
    whole = database.fetch("trace_read", tenant="main", trace_id=trace["trace_id"])[0]
    assert (whole["contexts"], whole["metadata"]) == ([DOCUMENT], {"release": "4.2"})
