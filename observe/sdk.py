"""A small SDK: mark the functions that answer, and their calls are traced, in the background, never in their way.

    from observe.export import HttpExporter
    from observe.sdk import configure, current, traced

    configure(HttpExporter("http://127.0.0.1:8600", key="conclave_…"))

    @traced
    def answer(question: str) -> str:
        with span("retrieve", kind="retriever") as step:
            step.set(contexts=search(question))
        return model(question)

    @traced(kind="llm", model="gpt-4o-mini")
    async def model(question: str) -> str:
        ...
        current().set(tokens_in=120, tokens_out=9)

`traced` takes plain, async, generator and async generator functions. A call costs well under a millisecond, waiting spans are
bounded (observe/queue.py), and whatever goes wrong in here never reaches the host. Importing it needs the standard library only.
"""

import contextvars
import functools
import inspect
import itertools
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from observe.queue import Exporter, Queue, Record, Stats

F = TypeVar("F", bound=Callable[..., Any])
CAP, PIECES, DEEPEST = 8_000, 40, 3  # characters of one text, elements of one list, levels of a value
SETTABLE = frozenset((
    "input", "output", "contexts", "model", "prompt", "tokens_in", "tokens_out", "cost", "reference", "user", "session",
    "metadata", "error", "kind", "attributes",
))  # fmt: skip
_current: contextvars.ContextVar["Step | None"] = contextvars.ContextVar("conclave_step", default=None)


class Step:
    """A span being made. `set` whatever becomes known of it."""

    __slots__ = ("_began", "_chunks", "_chunks_size", "_tracer", "record")

    def __init__(self, tracer: "Tracer | None", name: str, kind: str, parent: "Step | None", fields: dict[str, Any]) -> None:
        self._tracer, self._chunks, self._chunks_size = tracer, list[str](), 0
        self._began = time.perf_counter_ns()
        self.record: Record = {
            "trace_id": parent.record["trace_id"] if parent is not None else os.urandom(16).hex(), "span_id": os.urandom(8).hex(),
            "parent_id": parent.record["span_id"] if parent is not None else None, "name": name, "kind": kind,
            "started_ns": time.time_ns(), **fields,
        }  # fmt: skip

    def set(self, **fields: Any) -> None:
        """Say more of the step: any of SETTABLE; others, and whatever cannot be taken, are left out and counted as a fault."""
        if self._tracer is None:
            return
        for name, value in fields.items():
            if name in SETTABLE:
                self.record[name] = value
            else:
                self._tracer.queue.fault()

    def chunk(self, value: Any) -> None:
        """A piece of a streamed answer."""
        if isinstance(value, str) and self._chunks_size < CAP:
            self._chunks.append(value[: CAP - self._chunks_size])
            self._chunks_size += len(self._chunks[-1])

    def end(self, error: BaseException | None = None) -> None:
        """The step is over; its span is queued. Never raises."""
        if self._tracer is None:
            return
        try:
            self.record["latency_ms"] = (time.perf_counter_ns() - self._began) / 1e6
            if error is not None:
                self.record["error"] = f"{type(error).__name__}: {error}"[:CAP]
            if self._chunks and "output" not in self.record:
                self.record["output"] = "".join(self._chunks)
            small = {name: bounded(value) for name, value in self.record.items()}
            self._tracer.queue.put(small, size_of(small))
        except Exception:
            self._tracer.queue.fault()


NOTHING = Step(None, "nothing", "other", None, {})


class Tracer:
    """Makes steps and queues them for an exporter. The further arguments are observe.queue.Queue's."""

    def __init__(self, exporter: Exporter, **queue: Any) -> None:
        self.queue = Queue(exporter, **queue)

    @property
    def stats(self) -> Stats:
        return self.queue.stats

    def flush(self, timeout_s: float | None = None) -> bool:
        """Send what waits; whether all was sent or given up in time."""
        return self.queue.flush(timeout_s)

    def close(self) -> bool:
        return self.queue.close()

    def begin(self, name: str, kind: str, fields: dict[str, Any]) -> Step:
        """A new step below the current one. Never raises."""
        try:
            return Step(self, name, kind, _current.get(), fields)
        except Exception:
            self.queue.fault()
            return NOTHING


_tracer: Tracer | None = None


def configure(exporter: Exporter | None, **queue: Any) -> Tracer | None:
    """Trace from now on into `exporter`; None ends tracing. The tracer before it is flushed and closed."""
    global _tracer
    before, _tracer = _tracer, None if exporter is None else Tracer(exporter, **queue)
    if before is not None:
        before.close()
    return _tracer


def current() -> Step:
    """The innermost step that is being made here; one that takes everything and does nothing where there is none."""
    return _current.get() or NOTHING


@contextmanager
def _within(step: Step) -> Generator[Step, None, None]:
    token = _current.set(step if step is not NOTHING else _current.get())
    try:
        yield step
    finally:
        _current.reset(token)


@contextmanager
def span(name: str, kind: str = "chain", tracer: Tracer | None = None, **fields: Any) -> Generator[Step, None, None]:
    """A step round a piece of code; an exception ends it as failed and goes on."""
    used = tracer or _tracer
    step = used.begin(name, kind, fields) if used is not None else NOTHING
    try:
        with _within(step):
            yield step
    except BaseException as error:
        step.end(error)
        raise
    step.end()


@overload
def traced(function: F) -> F: ...
@overload
def traced(
    function: None = None, *, name: str | None = None, kind: str = "chain", capture: bool = True, tracer: Tracer | None = None,
    **fields: Any,
) -> Callable[[F], F]: ...  # fmt: skip
def traced(
    function: Any = None, *, name: str | None = None, kind: str = "chain", capture: bool = True, tracer: Tracer | None = None,
    **fields: Any,
) -> Any:  # fmt: skip
    """Trace every call of a function. `capture`: its first text argument is the question, what it gives the answer."""
    if function is None:
        return functools.partial(traced, name=name, kind=kind, capture=capture, tracer=tracer, **fields)
    begin = functools.partial(_begun, function, name or function.__name__, kind, capture, tracer, fields)
    if inspect.isasyncgenfunction(function):
        return _traced_async_generator(function, begin)
    if inspect.isgeneratorfunction(function):
        return _traced_generator(function, begin)
    if inspect.iscoroutinefunction(function):
        return _traced_async(function, begin, capture)
    return _traced_plain(function, begin, capture)


def _begun(
    function: Any, name: str, kind: str, capture: bool, tracer: Tracer | None, fields: dict[str, Any], args: Any, kwargs: Any
) -> Step:  # fmt: skip
    used = tracer or _tracer
    if used is None:
        return NOTHING
    asked = {"input": _asked(args, kwargs)} if capture else {}
    return used.begin(name, kind, asked | fields)


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The first text among the arguments, else all of them."""
    texts = (value for value in (*args, *kwargs.values()) if isinstance(value, str))
    return next(texts, None) or {"args": list(args), **kwargs}


def _traced_plain(function: Any, begin: Callable[..., Step], capture: bool) -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        step = begin(args, kwargs)
        try:
            with _within(step):
                result = function(*args, **kwargs)
        except BaseException as error:
            step.end(error)
            raise
        _give(step, result, capture)
        return result

    return call


def _traced_async(function: Any, begin: Callable[..., Step], capture: bool) -> Any:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        step = begin(args, kwargs)
        try:
            with _within(step):
                result = await function(*args, **kwargs)
        except BaseException as error:
            step.end(error)
            raise
        _give(step, result, capture)
        return result

    return call


def _give(step: Step, result: Any, capture: bool) -> None:
    if capture and "output" not in step.record and step is not NOTHING:
        step.set(output=result)
    step.end()


def _traced_generator(function: Any, begin: Callable[..., Step]) -> Any:
    """The step is current only while the function itself runs, not while its consumer does."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        step, inner = begin(args, kwargs), function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, inner)
        try:
            while True:
                with _within(step):
                    chunk = resume()
                step.chunk(chunk)
                try:
                    resume = functools.partial(inner.send, (yield chunk))
                except GeneratorExit:
                    with _within(step):
                        inner.close()
                    raise
                except BaseException as thrown:
                    resume = functools.partial(inner.throw, thrown)
        except StopIteration as stop:
            step.end()
            return stop.value
        except GeneratorExit:
            step.end()
            raise
        except BaseException as error:
            step.end(error)
            raise

    return call


def _traced_async_generator(function: Any, begin: Callable[..., Step]) -> Any:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        step, inner = begin(args, kwargs), function(*args, **kwargs)
        resume: Callable[[], Any] = inner.__anext__
        try:
            while True:
                with _within(step):
                    chunk = await resume()
                step.chunk(chunk)
                try:
                    resume = functools.partial(inner.asend, (yield chunk))
                except GeneratorExit:
                    with _within(step):
                        await inner.aclose()
                    raise
                except BaseException as thrown:
                    resume = functools.partial(inner.athrow, thrown)
        except StopAsyncIteration:
            step.end()
        except GeneratorExit:
            step.end()
            raise
        except BaseException as error:
            step.end(error)
            raise

    return call


def bounded(value: Any, depth: int = 0) -> Any:
    """A small copy made of plain values: texts cut, long lists cut, anything else by the text it carries or its type's name."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:CAP]
    if depth < DEEPEST and isinstance(value, dict):
        return {str(name)[:200]: bounded(held, depth + 1) for name, held in _first(value.items())}
    if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [bounded(held, depth + 1) for held in _first(value)]
    said = getattr(value, "content", None) or getattr(value, "page_content", None)
    return said[:CAP] if isinstance(said, str) else f"<{type(value).__name__}>"


def _first(values: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(values, PIECES))


def size_of(value: Any) -> int:
    """About how many bytes a bounded value holds."""
    if isinstance(value, str):
        return 60 + len(value)
    if isinstance(value, dict):
        return 100 + sum(size_of(name) + size_of(held) for name, held in value.items())
    return 60 + sum(size_of(held) for held in value) if isinstance(value, list) else 32
