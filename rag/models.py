"""The language model behind the members; the only file that names Ollama."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rag.errors import ModelAway, ModelBusy, ModelSlow, NoAnswer, Truncated
from store.sections.core import Model
from trust.pii import mask

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk
    from langchain_ollama import ChatOllama

PROBE_S = 3.0
MAX_ANSWER = 200_000  # characters; a model that does not stop is cut off
Message = Mapping[str, str]  # {"role": "system" | "user", "content": …}


@dataclass(frozen=True)
class Reply:
    """A complete answer. Unknown token counts are None, never 0."""

    text: str
    tokens_in: int | None
    tokens_out: int | None
    done_reason: str
    latency_ms: float
    model: str


@dataclass(frozen=True)
class Presence:
    """Whether the model can be asked; `why` says what to do when it cannot. `name` ends with the start of its digest."""

    present: bool
    name: str
    why: str = ""


def probe(settings: Model) -> Presence:
    """Ask the server which models it holds; never raises, never takes longer than 3 s."""
    if not settings.enabled:
        return Presence(False, settings.name, "no model is wanted (model.enabled is false)")
    try:
        held = _held(settings.base_url)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"no model answers at {settings.base_url} ({type(error).__name__}: {error}); start one with `ollama serve`"
        return Presence(False, settings.name, why)
    wanted = settings.name if ":" in settings.name else f"{settings.name}:latest"
    if wanted not in held:
        why = f"the model {settings.name} is not there; fetch it with `ollama pull {settings.name}`"
        return Presence(False, settings.name, why)
    return Presence(True, f"{settings.name}@{held[wanted][:12]}")


def _held(base_url: str) -> dict[str, str]:
    """Names of the server's models and their digests."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PROBE_S)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/api/tags")
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(f"status {response.status}")
        return {str(model["name"]): str(model.get("digest", "")) for model in json.loads(response.read(MAX_ANSWER))["models"]}
    finally:
        connection.close()


class OllamaModel:
    """One model; `ask` is a single call with one deadline for all of it."""

    def __init__(self, settings: Model, name: str | None = None) -> None:
        self.settings = settings
        self.name = name or settings.name

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> Reply:
        """The model's answer, held to a JSON schema if one is given.

        Raises NoAnswer: ModelAway, ModelSlow, ModelBusy (status 429 or 503) or Truncated (any end but `stop`).
        """
        chat = self._chat(schema)  # before the clock starts: the first import takes a second or two
        started = time.monotonic()
        try:
            whole = self._collected(chat, messages, started + self.settings.timeout_s)
            return self._reply(whole, _ms_since(started))
        except NoAnswer as error:
            error.latency_ms = _ms_since(started)
            raise

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """The answer's text piece by piece as it comes, and at its proper end the whole Reply. Raises as `ask` does."""
        chat = self._chat(None)
        started = time.monotonic()
        whole: Any = None
        with _in_our_words():
            for chunk in self._chunks(chat, messages, started + self.settings.timeout_s):
                whole = chunk if whole is None else whole + chunk
                _bounded(str(whole.content))
                yield str(chunk.content)
        yield self._reply(whole, _ms_since(started))

    def _collected(self, chat: "ChatOllama", messages: Sequence[Message], deadline: float) -> "AIMessageChunk | None":
        """The whole answer, the driver's errors in our words."""
        whole: Any = None
        with _in_our_words():
            for chunk in self._chunks(chat, messages, deadline):
                whole = chunk if whole is None else whole + chunk
                _bounded(str(whole.content))
        return whole  # type: ignore[no-any-return]

    def _chunks(self, chat: "ChatOllama", messages: Sequence[Message], deadline: float) -> "Iterator[AIMessageChunk]":
        for chunk in chat.stream([(m["role"], mask(m["content"])) for m in messages]):  # whoever asks
            yield chunk
            if time.monotonic() > deadline:
                raise ModelSlow()

    def _chat(self, schema: Mapping[str, Any] | None) -> "ChatOllama":
        from langchain_ollama import ChatOllama

        return ChatOllama(
            model=self.settings.name, base_url=self.settings.base_url, temperature=self.settings.temperature,
            num_ctx=self.settings.context_tokens, num_predict=self.settings.max_tokens, format=dict(schema) if schema else None,
            client_kwargs={"timeout": self.settings.timeout_s},
        )  # fmt: skip

    def _reply(self, whole: "AIMessageChunk | None", latency_ms: float) -> Reply:
        end = {} if whole is None else whole.response_metadata
        reason = str(end.get("done_reason") or "")
        if whole is None or reason != "stop":
            error = Truncated(f"(it ended with {reason or 'no final message'})")
            error.said = None if whole is None else str(whole.content)
            raise error
        usage: Mapping[str, Any] = whole.usage_metadata or {}
        return Reply(str(whole.content), usage.get("input_tokens"), usage.get("output_tokens"), reason, latency_ms, self.name)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """The driver's errors as NoAnswer."""
    import httpx
    from ollama import ResponseError

    try:
        yield
    except httpx.TimeoutException as error:
        raise ModelSlow(f"({type(error).__name__})") from error
    except (httpx.HTTPError, ConnectionError) as error:
        raise ModelAway(f"({type(error).__name__}: {error})") from error
    except ResponseError as error:
        kind = ModelBusy if error.status_code in (429, 503) else NoAnswer
        raise kind(f"({error.status_code}: {error.error[:300]})") from error
    except (ValueError, AttributeError) as error:
        raise NoAnswer(f"(not the protocol: {str(error)[:200]})") from error


def _bounded(text: str) -> None:
    if len(text) > MAX_ANSWER:
        raise Truncated(f"(more than {MAX_ANSWER:,} characters)")


def _ms_since(started: float) -> float:
    return (time.monotonic() - started) * 1000
