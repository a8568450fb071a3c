"""A process's dealings with the language model: the council's client, breaker and cap of calls, shared by many threads."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from rag.bench import Bench
from rag.errors import NoAnswer
from rag.models import Message, OllamaModel, Presence, Reply, probe
from store.sections.core import Model


class Voice:
    """The model, when it is there and willing. `take` first, then one `ask` or `stream`."""

    def __init__(
        self, settings: Model, clock: Callable[[], float] = time.monotonic, look: Callable[[Model], Presence] = probe
    ) -> None:
        self.settings = settings
        self._bench = Bench(settings, clock, look)
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The model's name with the start of its digest."""
        with self._lock:
            return self._bench.presence().name

    def take(self) -> str:
        """Count a call and return an empty text, or say why there cannot be one now."""
        with self._lock:
            if why := self._bench.absence(1):
                return why
            self._bench.called()
            return ""

    def absence(self) -> str:
        """Why no call could be made now, without making one; empty when one could."""
        with self._lock:
            return self._bench.absence(1)

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, timeout_s: float | None = None) -> Reply:
        """One whole answer; a caller may wait less long than the settings say. Raises NoAnswer."""
        longest = self.settings.timeout_s if timeout_s is None else min(timeout_s, self.settings.timeout_s)
        with self._watched():
            return OllamaModel(self.settings.model_copy(update={"timeout_s": longest}), self.name).ask(messages, schema)

    def stream(self, messages: Sequence[Message]) -> Iterator[str | Reply]:
        """Pieces of the answer, then its Reply. Raises NoAnswer."""
        with self._watched():
            yield from OllamaModel(self.settings, self.name).stream(messages)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """The breaker learns how the call ended; a reader who leaves in the middle says nothing about the model."""
        try:
            yield
        except NoAnswer:
            self._bench.failed()
            raise
        self._bench.succeeded()


@cache
def voice_of(settings: Model) -> Voice:
    """The process's voice for these settings."""
    return Voice(settings)
