"""Planted values never leave: not in what goes to a model over the wire, nor in its audit, logs, traces and exports."""

import io
import json
import logging
import sys
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
import structlog

from cli import logs
from desk import loop as desk
from desk.reports.kinds import report
from observe import intake
from observe.intake import Arrival, Sender
from observe.span import Span
from rag.ask import ask
from rag.models import OllamaModel
from rag.worker import Worker
from store.database import Database
from store.settings import Settings, read
from trust.master import Ring
from trust.vault import Vault, sealed_text

CANARIES = {
    "card": "4111 1111 1111 1111", "iban": "DE89 3704 0044 0532 0130 00", "email": "ann.canary@example.org",
    "phone": "+49 30 901820", "token": "ghp_0123456789abcdefghijABCDEFGHIJ012345", "password": "hunter2canary",
    "account": "5500000000000004",
}  # fmt: skip
TEXT = (
    "call Mr. Quentin Canary on +49 30 901820, card 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, ann.canary@example.org, "
    "password=hunter2canary, ghp_0123456789abcdefghijABCDEFGHIJ012345"
)


@pytest.fixture
def settings(database_url: str, ollama: Any) -> Settings:
    model = {"base_url": ollama.url, "name": "judge", "timeout_s": 10}
    return read(database_url=database_url, model=model)


def leaks(text: str) -> list[str]:
    return [kind for kind, value in CANARIES.items() if value in text]


def rows(database: Database, *tables: str) -> str:
    with database.connection() as connection:
        return "\n".join(
            row["x"] for table in tables for row in connection.execute(f'select t::text as x from "{table}" t'.encode())
        )


@pytest.fixture
def planted(put_cases: Any, make_case: Any, make_hit: Any) -> None:
    """A case of an account that is named by its card's number, with every canary in its event."""
    event = make_hit()["event"] | {
        "account_id": CANARIES["account"], "message": TEXT,
        "attributes": {"mail": CANARIES["email"], "iban": CANARIES["iban"], "channel": "chip", "pan": CANARIES["account"]},
    }  # fmt: skip
    strong = {"severity": 0.9, "scores": {"amount_z": 1.35, "amount_robust_z": 1.9}}
    put_cases(make_case("1", [make_hit(event=event, **strong)], entity=f"account:{CANARIES['account']}/EUR"))


@pytest.mark.usefixtures("planted")
def test_prompts_and_their_audit(database: Database, settings: Settings, ollama: Any) -> None:
    assert leaks(rows(database, "anomalies")), "they are there to be leaked"
    usual = ollama.answer
    ollama.answer = lambda request, role, cases: (
        ("stop", f"not JSON, but {TEXT}") if role == "auditor" else usual(request, role, cases)
    )
    Worker(database, settings, Event()).run(once=True)
    assert len(ollama.requests) >= 3
    sent = json.dumps(ollama.requests, ensure_ascii=False)
    assert "(card)" in sent or "[card]" in sent
    assert leaks(sent) == []
    kept = rows(database, "tool_audit")
    assert "[email]" in kept
    assert leaks(kept) == []


def test_a_question_and_its_audit(database: Database, settings: Settings, ollama: Any) -> None:
    ollama.answer = lambda *_: ("stop", TEXT)
    ask(database, f"What do we do about {TEXT}?", OllamaModel(settings.model))
    assert leaks(json.dumps(ollama.requests, ensure_ascii=False)) == []
    assert leaks(rows(database, "tool_audit")) == []


def test_whoever_asks_the_model(settings: Settings, ollama: Any) -> None:
    OllamaModel(settings.model).ask([{"role": "user", "content": TEXT}])
    assert leaks(json.dumps(ollama.requests, ensure_ascii=False)) == []
    assert ollama.requests


@pytest.mark.parametrize("human", [True, False])
def test_logs(human: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written, before = io.StringIO(), (logging.getLogger().handlers, logging.getLogger().level)
    monkeypatch.setattr(sys, "stderr", written)
    try:
        logs.configure("info", human=human)
        log = structlog.get_logger("canary")
        log.info(TEXT, event_in={"message": [TEXT], "password": CANARIES["password"]}, why=ValueError(TEXT))
        logging.getLogger("library").warning("it said %s", TEXT)
        try:
            raise RuntimeError(TEXT)
        except RuntimeError:
            log.exception("failed")
            logging.getLogger("library").exception("failed too")
    finally:
        logging.getLogger().handlers, logging.getLogger().level = before
        structlog.reset_defaults()
    said = written.getvalue()
    assert said.count("RuntimeError") >= 2
    assert "[card]" in said
    assert leaks(said) == []


@pytest.mark.parametrize("mode", ["masked"])
def test_traces(database: Database, settings: Settings, mode: str) -> None:
    now = datetime.now(UTC)
    span = Span(
        "t1", "s1", TEXT, "llm", now, 5.0, input=TEXT, output=TEXT, contexts=(TEXT,), user=CANARIES["email"], session=TEXT,
        error=TEXT, metadata={"note": TEXT, "password": CANARIES["password"]}, attributes={"a": [TEXT]},
    )  # fmt: skip
    masking = settings.model_copy(update={"observe": settings.observe.model_copy(update={"text_mode": mode})})
    taken = intake.accept(database, Sender("main", "key:x", "api"), [Arrival("shop", span)], masking, now)
    assert taken.spans == 1
    kept = rows(database, "traces", "spans", "trace_projects", "messages")
    assert "t1" in kept
    assert leaks(kept) == []


@pytest.mark.usefixtures("planted")
def test_exports(database: Database, database_url: str) -> None:
    settings = read(database_url=database_url, model={"enabled": False})
    Worker(database, settings, Event()).run(once=True)
    while desk.step(database, settings):
        pass
    with database.connection() as connection:
        [row] = connection.execute("select case_id from case_files").fetchall()
    for kind in ("case", "post-mortem", "suspicious-activity"):
        text = report(database, "main", row["case_id"], kind, "markdown").decode()
        assert "case-ep1" in text
        assert leaks(text) == [], kind


def test_sealed_text_is_never_shown_to_a_model(
    database: Database, settings: Settings, ollama: Any, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    subject = Vault("main", Ring((b"k" * 32,))).tokens(database, "account", ["A12"])["A12"]
    sealed = sealed_text(subject, TEXT)
    event = make_hit()["event"] | {"account_id": subject.token, "message": sealed, "attributes": {"mail": sealed[:90]}}
    put_cases(make_case("1", [make_hit(event=event, severity=0.9)], entity=f"account:{subject.token}/EUR"))
    Worker(database, settings, Event()).run(once=True)
    sent = json.dumps(ollama.requests, ensure_ascii=False)
    assert subject.token in sent
    assert "sealed:1:" not in sent
    assert "(sealed)" in sent
