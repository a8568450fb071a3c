"""Attributes of other people's spans as ours: OpenTelemetry GenAI (its older names and OpenLLMetry's too), OpenInference. Pure.

Where both speak, OpenInference's more exact word wins. What nobody says stays unknown.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from observe.span import Kind

Attributes = Mapping[str, Any]
KIND_NAMES: dict[str, Kind] = {
    "llm": "llm", "retriever": "retriever", "reranker": "retriever", "tool": "tool", "chain": "chain", "agent": "agent",
    "embedding": "embedding", "prompt": "chain", "guardrail": "other", "evaluator": "other",
    "chat": "llm", "text_completion": "llm", "generate_content": "llm", "embeddings": "embedding", "execute_tool": "tool",
    "invoke_agent": "agent", "create_agent": "agent", "retrieval": "retriever", "invoke_workflow": "chain",
    "workflow": "chain", "task": "chain", "completion": "llm", "rerank": "retriever",
}  # fmt: skip
NAMED = ("openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind", "llm.request.type")
MODELS = ("llm.model_name", "gen_ai.response.model", "gen_ai.request.model", "embedding.model_name")
TOKENS_IN = ("llm.token_count.prompt", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens")
TOKENS_OUT = (
    "llm.token_count.completion",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
)
USERS = ("user.id", "enduser.id", "conclave.user", "traceloop.association.properties.user_id")
SESSIONS = ("session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id")
PROMPTS = ("conclave.prompt", "llm.prompt_template.version", "gen_ai.prompt.name", "prompt.version", "prompt.id")
REFERENCES = ("conclave.reference", "reference.value", "eval.reference")
CONTEXTS = ("conclave.contexts",)
COSTS = ("llm.cost.total", "gen_ai.usage.cost", "conclave.cost")
SECONDS = ("cpu_seconds", "gpu_seconds")
NUMBERED = re.compile(r"^(.*?)\.(\d+)\.(.+)$")
SPOKEN = (
    "content",
    "output",
    "answer",
    "text",
    "response",
    "result",
    "completion",
    "output_text",
    "final_answer",
    "return_values",
)
ASKED = ("question", "query", "input", "content", "text", "prompt", "user_input", "user_message")
MODEL_NAMED = re.compile(r'"model(?:_name)?": ?"([^"\\]{1,120})"')
USED = (
    *NAMED, *MODELS, *TOKENS_IN, *TOKENS_OUT, *USERS, *SESSIONS, *PROMPTS, *REFERENCES, *CONTEXTS, *COSTS, "input.value",
    "output.value", "metadata", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text", "gen_ai.system_instructions",
)  # fmt: skip
USED_PARTS = ("llm.input_messages.", "llm.output_messages.", "retrieval.documents.", "reranker.output_documents.",
              "reranker.input_documents.", "gen_ai.prompt.", "gen_ai.completion.", "embedding.embeddings.")  # fmt: skip


def kind_of(attributes: Attributes) -> Kind:
    """What sort of step it is."""
    for name in NAMED:
        if (said := str(attributes.get(name, "")).lower()) in KIND_NAMES:
            return KIND_NAMES[said]
    if _first(attributes, MODELS) or _first(attributes, TOKENS_OUT) is not None:
        return "llm"
    return "retriever" if documents(attributes) else "other"


def fields(attributes: Attributes, events: Sequence[tuple[str, Attributes]] = ()) -> dict[str, Any]:
    """Our fields of a span, from its attributes and its events (name, attributes)."""
    said = dict(attributes)
    for name, more in events:
        said = _with_event(said, name, more)
    kind = kind_of(said)
    return {
        "kind": kind, "model": str(_first(said, MODELS) or "") or (_model_in(said) if kind == "llm" else ""),
        "prompt": str(_first(said, PROMPTS) or ""),
        "tokens_in": _count(_first(said, TOKENS_IN)), "tokens_out": _count(_first(said, TOKENS_OUT)),
        "cost": _amount(_first(said, COSTS)), "input": asked(said), "output": answered(said), "contexts": tuple(documents(said)),
        "reference": _text(_first(said, REFERENCES)), "user": _user(said), "session": str(_first(said, SESSIONS) or ""),
        "metadata": _mapping(said.get("metadata")), "attributes": _rest(said),
    }  # fmt: skip


def asked(said: Attributes) -> str:
    """The question: the last message of a user, else what went in."""
    messages = _messages(said, "llm.input_messages") or _gen_ai(said.get("gen_ai.input.messages")) or _flat(said, "gen_ai.prompt")
    users = [text for role, text in messages if role in ("user", "human") and text]
    if users:
        return users[-1]
    query = said.get("gen_ai.retrieval.query.text")
    return _text(query) or spoken(said.get("input.value"), ASKED)


def answered(said: Attributes) -> str:
    """The answer: the model's messages, else what came out."""
    messages = (
        _messages(said, "llm.output_messages") or _gen_ai(said.get("gen_ai.output.messages")) or _flat(said, "gen_ai.completion")
    )
    texts = [text for _, text in messages if text]
    return "\n".join(texts) or spoken(said.get("output.value"), SPOKEN)


def documents(said: Attributes) -> list[str]:
    """What was retrieved, in its order."""
    for name in CONTEXTS:
        if isinstance(given := _json(said.get(name)), list):
            return [text for one in given if (text := _document(one))]
    found = {
        int(match[2]): str(value)
        for prefix in ("retrieval.documents", "reranker.output_documents")
        for name, value in said.items()
        if name.startswith(f"{prefix}.") and (match := NUMBERED.match(name)) and match[3] == "document.content"
    }
    if found:
        return [found[place] for place in sorted(found)]
    given = _json(said.get("gen_ai.retrieval.documents"))
    return [text for one in given if (text := _document(one))] if isinstance(given, list) else []


def spoken(value: Any, names: Sequence[str]) -> str:
    """The text inside a value that may be JSON: of a message, of a mapping with one of these names; else the value itself.

    >>> spoken('{"type": "ai", "data": {"content": "Hello."}}', SPOKEN)
    'Hello.'
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    given = _json(value) if value[:1] in "{[" else None
    return (_inside(given, names, 0) if given is not None else None) or value


def _inside(given: Any, names: Sequence[str], depth: int) -> str | None:
    if depth > 8:
        return None
    if isinstance(given, str):
        return given or None
    if isinstance(given, list):
        return next((text for one in reversed(given) if (text := _inside(one, names, depth + 1))), None)
    if isinstance(given, dict):
        inner = [
            given[name] for name in (*names, "data", "kwargs", "message", "messages", "generations", "parts") if name in given
        ]
        return next((text for one in inner if (text := _inside(one, names, depth + 1))), None)
    return None


def _messages(said: Attributes, prefix: str) -> list[tuple[str, str]]:
    """OpenInference's numbered messages as (role, text)."""
    found: dict[int, dict[str, list[str]]] = {}
    for name in sorted(said):
        match = NUMBERED.match(name) if name.startswith(f"{prefix}.") else None
        if match and match[1] == prefix:
            inner = match[3].removeprefix("message.")
            if inner == "role" or inner == "content" or re.fullmatch(r"contents\.\d+\.message_content\.text", inner):
                found.setdefault(int(match[2]), {}).setdefault("role" if inner == "role" else "content", []).append(
                    str(said[name])
                )
    return [(" ".join(found[n].get("role", [])), "\n".join(found[n].get("content", []))) for n in sorted(found)]


def _flat(said: Attributes, prefix: str) -> list[tuple[str, str]]:
    """OpenLLMetry's `gen_ai.prompt.0.content` as (role, text)."""
    found: dict[int, dict[str, str]] = {}
    for name, value in said.items():
        match = NUMBERED.match(name) if name.startswith(f"{prefix}.") else None
        if match and match[1] == prefix and match[3] in ("role", "content"):
            found.setdefault(int(match[2]), {})[match[3]] = spoken(value, SPOKEN)
    return [(found[n].get("role", ""), found[n].get("content", "")) for n in sorted(found)]


def _gen_ai(given: Any) -> list[tuple[str, str]]:
    """Messages of the GenAI conventions, `[{role, parts: [{type: text, content}]}]`, as (role, text)."""
    messages = _json(given)
    if not isinstance(messages, list):
        return [("user", given)] if isinstance(given, str) and given else []
    return [(str(one.get("role", "")), _parts(one)) for one in messages if isinstance(one, dict)]


def _parts(message: Mapping[str, Any]) -> str:
    parts = message.get("parts", message.get("content"))
    if isinstance(parts, str):
        return parts
    kept = [part for part in parts or () if isinstance(part, dict) and part.get("type", "text") == "text"]
    return "\n".join(str(part.get("content", part.get("text", ""))) for part in kept)


def _with_event(said: dict[str, Any], name: str, more: Attributes) -> dict[str, Any]:
    """The older way of the GenAI conventions: prompts and answers as events of the span."""
    body = more.get("gen_ai.event.content") or more.get("content")
    if name == "gen_ai.content.prompt":
        return {"gen_ai.input.messages": more.get("gen_ai.prompt"), **said}
    if name == "gen_ai.content.completion":
        return {"gen_ai.output.messages": more.get("gen_ai.completion"), **said}
    if name == "gen_ai.user.message" and body is not None:
        return said | {"input.value": spoken(body, ASKED)}
    if name == "gen_ai.choice" and body is not None:
        return said | {"output.value": spoken(body, SPOKEN)}
    if name.startswith("gen_ai.client.inference"):
        return {**{key: value for key, value in more.items() if key.startswith("gen_ai.")}, **said}
    return said


def _first(said: Attributes, names: Iterable[str]) -> Any:
    return next((said[name] for name in names if said.get(name) not in (None, "")), None)


def _count(value: Any) -> int | None:
    try:
        number = None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is None or number >= 0 else None


def _amount(value: Any) -> float | None:
    try:
        number = None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is None or 0 <= number < float("inf") else None


def _text(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value, default=str)


def _user(said: Attributes) -> str | None:
    metadata = _json(said.get("metadata"))
    user = _first(said, USERS) or (metadata.get("user_id") if isinstance(metadata, dict) else None)
    return None if user is None else str(user)


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> dict[str, Any]:
    given = _json(value)
    return {str(name): held for name, held in given.items() if name != "user_id"} if isinstance(given, dict) else {}


def _document(one: Any) -> str:
    if isinstance(one, dict):
        return str(next((one[name] for name in ("content", "text", "page_content", "body") if one.get(name)), ""))
    return str(one) if isinstance(one, str) else ""


def _model_in(said: Attributes) -> str:
    match = MODEL_NAMED.search(str(said.get("output.value", "")))
    return match[1] if match else ""


def _rest(said: Attributes) -> dict[str, Any]:
    """What has no field of its own."""
    left = {name: value for name, value in said.items() if name not in USED and not name.startswith(USED_PARTS)}
    return {name.removeprefix("conclave."): value for name, value in left.items()}
