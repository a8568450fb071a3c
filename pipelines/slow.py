"""A slow rule's call about one event: a question to a model, or a post to a service. One deadline for the whole call."""

import json
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from pipelines.errors import NoModel, NotAllowed, SlowFailed
from pipelines.guard import compile_answer
from store.sections.pipelines import Pipelines

MOST_BYTES = 65_536
SCHEMA = {
    "type": "object", "properties": {"hit": {"type": "boolean"}, "reason": {"type": "string"}}, "required": ["hit", "reason"],
}  # fmt: skip
Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Voice:
    """A model, given from above: `ask(tenant, messages, schema, timeout_s)` answers a text or raises a ConclaveError; `quote`
    makes untrusted text harmless for a prompt, capped at so many characters."""

    name: str
    ask: Callable[[str, Messages, Mapping[str, Any], float], str]
    quote: Callable[[str, int], str]


@dataclass(frozen=True)
class Answer:
    """`hit` None: it could not be told. `said` is kept as it came."""

    hit: bool | None
    said: dict[str, Any]


def call(spec: Any, given: Mapping[str, Any], timeout_s: float, settings: Pipelines, voice: Voice | None) -> Answer:
    """Ask about the event in `given` (a hit as JSON); raises SlowFailed, NoModel, and what the model raises."""
    if spec.kind == "model":
        if voice is None:
            raise NoModel
        return by_model(spec, given, timeout_s, settings, voice)
    return by_http(spec, given, timeout_s, settings)


def by_model(spec: Any, given: Mapping[str, Any], timeout_s: float, settings: Pipelines, voice: Voice) -> Answer:
    event = json.dumps(given["event"], sort_keys=True, ensure_ascii=False)
    texts = {"question": spec.question, "event": voice.quote(event, settings.model_prompt_chars)}
    messages = [{"role": role, "content": Template(text).substitute(texts).strip()} for role, text in prompts().items()]
    try:
        said = json.loads(voice.ask(given["tenant"], messages, SCHEMA, timeout_s))
    except ValueError:
        raise SlowFailed("the model's answer is no JSON.") from None
    if not isinstance(said, dict) or not isinstance(said.get("hit"), bool):
        raise SlowFailed("the model's answer is not in the agreed form.")
    return Answer(said["hit"], {"hit": said["hit"], "reason": str(said.get("reason", ""))[:500], "model": voice.name})


@cache
def prompts() -> dict[str, str]:
    found: dict[str, str] = tomllib.loads((Path(__file__).parent / "prompts.toml").read_text(encoding="utf-8"))
    return found


def by_http(spec: Any, given: Mapping[str, Any], timeout_s: float, settings: Pipelines) -> Answer:
    allowed(spec.url, settings.http_hosts)
    body = {name: given[name] for name in ("processor", "version", "segment", "entity", "case_id", "event")}
    said = posted(spec.url, body, given["hit_id"], timeout_s)
    return Answer(told(spec.hit_when, said), said)


def allowed(url: str, hosts: Sequence[str]) -> None:
    """Raises NotAllowed unless the setting names the host, with its port or without one."""
    parts = urlsplit(url)
    if parts.hostname not in hosts and f"{parts.hostname}:{parts.port}" not in hosts:
        raise NotAllowed(f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname))


def posted(url: str, body: Mapping[str, Any], key: str, timeout_s: float) -> dict[str, Any]:
    """The JSON object that the service answers; the same key again is the same question."""
    import httpx

    deadline, read = time.monotonic() + timeout_s, b""
    try:
        with httpx.stream(
            "POST", url, json=body, timeout=timeout_s, headers={"Idempotency-Key": key}, trust_env=False
        ) as response:
            if response.status_code != 200:
                raise SlowFailed(f"status {response.status_code}.")
            for chunk in response.iter_bytes():
                read += chunk
                if len(read) > MOST_BYTES or time.monotonic() > deadline:
                    raise SlowFailed("the answer is too long." if len(read) > MOST_BYTES else f"no answer in {timeout_s:g} s.")
        said = json.loads(read)
    except httpx.HTTPError as error:
        raise SlowFailed(f"{type(error).__name__}.") from error
    except ValueError:
        raise SlowFailed("the answer is no JSON.") from None
    if not isinstance(said, dict) or "\\u0000" in json.dumps(said):
        raise SlowFailed("the answer is no JSON object that can be kept.")
    return said


def told(hit_when: str, said: Mapping[str, Any]) -> bool | None:
    """Whether the answer is a hit; None when the expression cannot tell."""
    from celpy.adapter import json_to_cel
    from celpy.evaluation import CELEvalError

    try:
        return bool(compile_answer(hit_when).evaluate({"answer": json_to_cel(dict(said))}))
    except CELEvalError:
        return None
