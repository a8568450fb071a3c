"""The council's and `ask`'s own calls as traces: what the model was asked, said and cost, scored like anyone's."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from observe import loop
from rag.ask import ask
from rag.audit import Call
from rag.runbook import add_file
from rag.tracing import grouped
from rag.worker import Worker
from store.database import Database
from store.settings import Settings, read


@pytest.fixture
def settings(database_url: str, ollama: Any, tmp_path: Path) -> Settings:
    model = {"base_url": ollama.url, "name": "judge", "timeout_s": 10, "breaker_failures": 2, "breaker_open_s": 0.2}
    return read(database_url=database_url, home=tmp_path, model=model, council={"rehear_after_s": 0.1, "batch_batch": 3})


def traces(database: Database, settings: Settings) -> list[dict[str, Any]]:
    loop.work(database, settings, datetime.now(UTC) + timedelta(minutes=1))
    with database.connection() as connection:
        return connection.execute("select * from traces order by received_at").fetchall()


def test_a_hearing_by_a_model_is_one_trace_with_a_span_for_each_member(
    database: Database, settings: Settings, ollama: Any, put_cases: Any, make_case: Any
) -> None:
    put_cases(*(make_case(str(n)) for n in range(2)))
    Worker(database, settings, Event()).run(once=True)
    (trace,) = traces(database, settings)
    assert (trace["project"], trace["source"], trace["name"], trace["status"]) == ("conclave", "council", "council.hearing", "ok")
    assert (trace["model"], trace["tokens_in"]) == ("judge@sha256abcdef", 3 * 321)
    assert (trace["cost"], trace["cost_why"]) == (None, "the price table has no entry for judge@sha256abcdef")
    assert len(trace["contexts"]) == 2
    assert trace["hallucination"] is False  # its numbers and names are rendered from the evidence
    spans = database.fetch("spans_of", tenant="main", trace_ids=[trace["trace_id"]])
    assert [span["name"] for span in spans if span["kind"] == "llm"] == ["analyst", "auditor", "strategist"]


def test_rules_rule_without_a_trace_and_no_project_means_none(
    database: Database, settings: Settings, ollama: Any, put_cases: Any, make_case: Any
) -> None:
    put_cases(make_case())
    quiet = settings.model_copy(update={"observe": settings.observe.model_copy(update={"own_project": ""})})
    Worker(database, quiet, Event()).run(once=True)
    assert traces(database, settings) == []


def test_a_hearing_whose_model_failed_is_an_error(
    database: Database, settings: Settings, ollama: Any, put_cases: Any, make_case: Any
) -> None:
    put_cases(make_case())
    ollama.answer = lambda request, role, cases: ("status", 500)
    Worker(database, settings, Event()).run(once=True)
    assert {trace["status"] for trace in traces(database, settings)} == {"error"}


def test_a_question_without_a_model_is_a_trace_too(database: Database, settings: Settings, tmp_path: Path) -> None:
    book = tmp_path / "refunds.md"
    book.write_text("# Refunds\n\nRefunds are processed by the Berlin office in 3 business days.\n")
    add_file(database, book)
    answer = ask(database, "How long do refunds take to be processed?", settings=settings)
    assert answer.found
    (trace,) = traces(database, settings)
    assert (trace["source"], trace["model"], trace["cost"]) == ("ask", "extractive", 0)
    assert trace["contexts"]
    assert trace["hallucination"] is False


def test_calls_about_the_same_cases_belong_together() -> None:
    def call(name: str, *cases: str, kind: Any = "model") -> Call:
        return Call(kind, name, "ok", 1.0, cases)

    calls = [call("a", "1", "2"), call("t", "1", kind="tool"), call("b", "3"), call("a again", "2"), call("c", "1", "2")]
    assert [[one.name for one in group] for group in grouped(calls)] == [["a", "a again", "c"], ["b"]]
