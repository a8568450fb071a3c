"""Which council sits: the model while it is there, willing and within its pace, else rules, and in words why."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from rag.breaker import Breaker, Pace
from rag.errors import NoAnswer
from rag.items import Brief
from rag.members import Asks, Testimony, testify
from rag.models import OllamaModel, Presence, probe
from rag.opinion import ROLES, Role
from store.sections.core import Model

PROBE_EVERY_S = 10.0  # how long a look at the model server is believed


@dataclass
class Dealings:
    """What the workers of a process know together of the model."""

    breaker: Breaker
    pace: Pace
    seen: Presence | None = None
    seen_at: float = 0.0
    lock: Any = field(default_factory=Lock, repr=False)


@dataclass
class Bench:
    """One worker's dealings with the model. The clock counts seconds from anywhere.

    Given another's dealings (`known`) it shares breaker and pace with it; `reserve` calls of each minute are left to the other.
    """

    settings: Model
    clock: Callable[[], float] = time.monotonic
    look: Callable[[Model], Presence] = probe
    before_call: Callable[[], None] = lambda: None
    known: Dealings | None = None
    reserve: int = 0

    def __post_init__(self) -> None:
        own = Dealings(
            Breaker(self.settings.breaker_failures, self.settings.breaker_open_s), Pace(self.settings.calls_per_minute)
        )
        self.dealings = self.known or own

    @property
    def breaker(self) -> Breaker:
        return self.dealings.breaker

    @property
    def pace(self) -> Pace:
        return self.dealings.pace

    def absence(self, calls: int = len(ROLES)) -> str:
        """Why the model cannot hear a batch of so many calls now; empty when it can."""
        if not self.settings.enabled:
            return self.presence().why
        now = self.clock()
        if not self.breaker.allows(now):
            rest = f"is left alone for {self.settings.breaker_open_s:g} s"
            return f"the model failed {self.breaker.failures} times in a row and {rest}"
        if not self.pace.allows(calls + self.reserve, now):
            return f"the cap of {self.settings.calls_per_minute} model calls per minute is reached"
        return self.presence().why

    def presence(self) -> Presence:
        """A recent look at the model server."""
        now, known = self.clock(), self.dealings
        if known.seen is None or now - known.seen_at >= PROBE_EVERY_S:
            found = self.look(self.settings)
            known.seen, known.seen_at = found, now
            return found
        return known.seen

    @cached_property
    def flow(self) -> Any:
        """The graph; built when a model first speaks, since the import costs a second."""
        from rag import flow

        return flow.build(self.speak)

    def hear(self, briefs: Sequence[Brief]) -> Any:
        """One call per member about these briefs; the graph's final state."""
        from rag import flow

        return self.flow.invoke(flow.opened(briefs, self.presence().name))

    def speak(self, role: Role, briefs: Sequence[Brief]) -> Testimony:
        try:
            testimony = testify(_Paced(self, OllamaModel(self.settings, self.presence().name)), role, briefs, self._may_repair)
        except NoAnswer:
            self.failed()
            raise
        self.succeeded()
        return testimony

    def called(self) -> None:
        """Count one call."""
        with self.dealings.lock:
            self.dealings.pace = self.pace.called(self.clock())

    def failed(self) -> None:
        """A call had no answer; the server is looked at anew before the next one."""
        with self.dealings.lock:
            self.dealings.breaker = self.breaker.failed(self.clock())
            self.dealings.seen = None

    def succeeded(self) -> None:
        with self.dealings.lock:
            self.dealings.breaker = self.breaker.succeeded()

    def _may_repair(self) -> bool:
        return self.pace.allows(1, self.clock())


class _Paced:
    """The model, with every call counted."""

    def __init__(self, bench: Bench, model: Asks) -> None:
        self.bench, self.model, self.name = bench, model, model.name

    def ask(self, *given: Any, **named: Any) -> Any:
        self.bench.before_call()
        self.bench.called()
        return self.model.ask(*given, **named)
