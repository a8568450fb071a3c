import os
from typing import Any

import pytest

from rag.errors import ModelAway, ModelBusy, ModelSlow, NoAnswer, Truncated
from rag.models import OllamaModel, probe
from store.sections.core import Model

ASKED = [{"role": "system", "content": "You are the Analyst"}, {"role": "user", "content": "case case-ep1: x\ne1 (episode) y"}]


def model(ollama: Any, **given: Any) -> OllamaModel:
    return OllamaModel(Model(base_url=ollama.url, name="judge", **{"timeout_s": 5, **given}))


def test_a_proper_answer_comes_with_its_tokens_and_the_schema_was_sent(ollama: Any) -> None:
    reply = model(ollama, max_tokens=77).ask(ASKED, {"type": "object"})
    assert '"case-ep1"' in reply.text
    assert (reply.tokens_in, reply.tokens_out, reply.done_reason) == (321, 45, "stop")
    sent = ollama.requests[0]
    assert sent["format"] == {"type": "object"}
    assert sent["options"]["num_predict"] == 77
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("given", "error", "outcome"),
    [
        (("cut", '{"opinions": [{"case_id"'), Truncated, "no_opinion"),
        (("length", '{"opinions": []}'), Truncated, "no_opinion"),
        (("load", ""), NoAnswer, "error"),
        (("status", 429), ModelBusy, "refused"),
        (("status", 503), ModelBusy, "refused"),
        (("status", 500), NoAnswer, "error"),
        (("raw", b"<html>not the protocol</html>\n"), NoAnswer, "error"),
        (("raw", b"[1, 2]\n"), NoAnswer, "error"),
        (("raw", b""), NoAnswer, "error"),
    ],
)
def test_anything_but_a_proper_end_is_no_answer(ollama: Any, given: Any, error: type[NoAnswer], outcome: str) -> None:
    ollama.answer = lambda *_: given
    with pytest.raises(NoAnswer) as raised:
        model(ollama).ask(ASKED)
    assert isinstance(raised.value, error)
    assert raised.value.outcome == outcome
    assert raised.value.latency_ms > 0


def test_a_model_that_hangs_is_given_up_after_its_time(ollama: Any) -> None:
    ollama.answer = lambda *_: ("hang", None)
    with pytest.raises(ModelSlow):
        model(ollama, timeout_s=0.2).ask(ASKED)


def test_nobody_there(ollama: Any) -> None:
    away = model(ollama)
    ollama.close()
    with pytest.raises(ModelAway):
        away.ask(ASKED)
    seen = probe(away.settings)
    assert not seen.present
    assert "ollama serve" in seen.why


def test_the_probe_names_the_digest_or_says_how_to_fetch_the_model(ollama: Any) -> None:
    assert probe(model(ollama).settings).name == "judge@sha256abcdef"
    missing = probe(Model(base_url=ollama.url, name="other:7b"))
    assert not missing.present
    assert "ollama pull other:7b" in missing.why
    assert not probe(Model(enabled=False)).present


@pytest.mark.parametrize("models", [None, [{}], "x", [3]])
def test_a_server_that_is_no_model_server_is_absent_not_a_crash(ollama: Any, models: Any) -> None:
    ollama.models = models
    assert not probe(model(ollama).settings).present


@pytest.mark.ollama
def test_a_real_server_holds_the_contract() -> None:
    url = os.environ.get("CONCLAVE_TEST_OLLAMA")
    if not url:
        pytest.skip("CONCLAVE_TEST_OLLAMA names no Ollama")
    name = os.environ.get("CONCLAVE_TEST_OLLAMA_MODEL", "gemma3-270m")
    settings = Model(base_url=url, name=name, timeout_s=120, max_tokens=200)
    assert probe(settings).present
    schema = {"type": "object", "properties": {"vote": {"enum": ["confirm", "dismiss"]}}, "required": ["vote"]}
    reply = OllamaModel(settings).ask([{"role": "user", "content": 'Answer {"vote": "confirm"} or {"vote": "dismiss"}.'}], schema)
    assert reply.done_reason == "stop"
    assert reply.tokens_out
    assert reply.latency_ms > 0
