"""The SDK: every kind of function, nesting, streams, and a host that never notices it."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from observe import sdk
from observe.direct import DatabaseExporter
from observe.queue import Queue, Record
from observe.sdk import Tracer, bounded, current, span, traced
from store.database import Database
from store.settings import Settings


class Kept:
    """An exporter that keeps what it is given; `gate` holds it up, `broken` makes it fail."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.dropped: list[int] = []
        self.gate, self.broken = threading.Event(), False
        self.gate.set()

    def export(self, batch: list[Record], dropped: int) -> None:
        self.gate.wait(10)
        if self.broken:
            raise OSError("away")
        self.records += batch
        self.dropped.append(dropped)


@pytest.fixture
def kept() -> Iterator[Kept]:
    exporter = Kept()
    sdk.configure(exporter, every_s=0.01)
    yield exporter
    exporter.gate.set()
    sdk.configure(None)


def finished(kept: Kept) -> dict[str, Record]:
    assert sdk._tracer is not None
    assert sdk._tracer.flush(5)
    return {record["name"]: record for record in kept.records}


def test_a_plain_function(kept: Kept) -> None:
    @traced(kind="llm", model="m")
    def answer(question: str, n: int) -> str:
        current().set(tokens_in=3, tokens_out=4, contexts=["c"])
        return question * n

    assert answer("ab", 2) == "abab"
    record = finished(kept)["answer"]
    assert (record["input"], record["output"], record["kind"], record["model"]) == ("ab", "abab", "llm", "m")
    assert (record["tokens_in"], record["contexts"], record["parent_id"]) == (3, ["c"], None)
    assert record["latency_ms"] >= 0


def test_steps_nest_and_siblings_do_not(kept: Kept) -> None:
    @traced
    def inner() -> str:
        return "x"

    @traced
    def outer() -> None:
        inner()
        with span("found", kind="retriever") as step:
            step.set(contexts=["a"])

    outer()
    outer()
    finished(kept)
    assert len(kept.records) == 6
    roots = [record for record in kept.records if record["parent_id"] is None]
    assert [record["name"] for record in roots] == ["outer", "outer"]
    assert roots[0]["trace_id"] != roots[1]["trace_id"]
    for record in kept.records:
        assert record["parent_id"] in (None, roots[0]["span_id"], roots[1]["span_id"])


def test_an_error_goes_on_and_is_recorded(kept: Kept) -> None:
    @traced
    def broken() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    assert finished(kept)["broken"]["error"] == "ValueError: no"


def test_async_functions_keep_their_own_steps(kept: Kept) -> None:
    @traced
    async def leaf(name: str) -> str:
        await asyncio.sleep(0)
        return name

    @traced
    async def tree(name: str) -> str:
        parts = await asyncio.gather(leaf(name + "1"), leaf(name + "2"))
        return "".join(parts)

    async def main() -> list[str]:
        return list(await asyncio.gather(tree("a"), tree("b")))

    assert asyncio.run(main()) == ["a1a2", "b1b2"]
    finished(kept)
    trees = {record["span_id"]: record["input"] for record in kept.records if record["name"] == "tree"}
    assert {(trees[r["parent_id"]], r["input"]) for r in kept.records if r["name"] == "leaf"} == {
        ("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2"),
    }  # fmt: skip


def test_a_generator_is_current_only_while_it_runs(kept: Kept) -> None:
    @traced
    def stream(question: str) -> Iterator[str]:
        seen.append(current())
        got = yield "one "
        yield f"{got} "
        yield "three"

    seen: list[Any] = []
    running = stream("q")
    assert next(running) == "one "
    assert current() is sdk.NOTHING
    assert running.send("two") == "two "  # type: ignore[attr-defined]
    assert list(running) == ["three"]
    record = finished(kept)["stream"]
    assert (record["input"], record["output"]) == ("q", "one two three")
    assert seen[0].record["span_id"] == record["span_id"]


def test_a_generator_that_is_left_thrown_into_or_fails(kept: Kept) -> None:
    @traced
    def stream(mode: str) -> Iterator[str]:
        try:
            yield "a"
            if mode == "fails":
                raise KeyError("inside")
            yield "b"
        except ValueError:
            yield "caught"
        finally:
            closed.append(mode)

    closed: list[str] = []
    left = stream("left")
    next(left)
    left.close()  # type: ignore[attr-defined]
    thrown = stream("thrown")
    next(thrown)
    assert thrown.throw(ValueError()) == "caught"  # type: ignore[attr-defined]
    assert list(thrown) == []
    with pytest.raises(KeyError, match="inside"):
        list(stream("fails"))
    finished(kept)
    assert closed == ["left", "thrown", "fails"]
    assert {r["input"]: (r["output"], r.get("error")) for r in kept.records} == {
        "left": ("a", None), "thrown": ("acaught", None), "fails": ("a", "KeyError: 'inside'"),
    }  # fmt: skip


def test_an_async_generator(kept: Kept) -> None:
    @traced
    async def stream(question: str) -> AsyncIterator[str]:
        for piece in ("a", "b", "c"):
            await asyncio.sleep(0)
            yield piece

    async def main() -> str:
        whole = "".join([piece async for piece in stream("q")])
        left = stream("left")
        await left.__anext__()
        await left.aclose()  # type: ignore[attr-defined]
        return whole

    assert asyncio.run(main()) == "abc"
    finished(kept)
    assert {(r["input"], r["output"]) for r in kept.records} == {("q", "abc"), ("left", "a")}


def test_without_an_exporter_functions_are_as_they_were() -> None:
    sdk.configure(None)
    assert traced(lambda: 7)() == 7
    with span("x") as step:
        step.set(output="y")
    assert sdk.NOTHING.record.get("output") is None


def test_what_is_beyond_the_room_is_dropped_counted_and_told() -> None:
    exporter = Kept()
    exporter.gate.clear()
    queue = Queue(exporter, capacity=10, batch=5, every_s=0.01)
    assert [queue.put({"n": n}, 1) for n in range(25)].count(True) == 10
    assert (queue.stats.waiting, queue.stats.dropped, queue.stats.recorded) == (10, 15, 25)
    exporter.gate.set()
    assert queue.flush(5)
    assert len(exporter.records) == 10
    assert exporter.dropped[0] in (0, 15)
    assert sum(exporter.dropped) == 15
    assert queue.stats.sent == 10
    assert queue.close()


def test_memory_is_bounded_in_bytes_too() -> None:
    exporter = Kept()
    exporter.gate.clear()
    queue = Queue(exporter, capacity=1000, max_bytes=100)
    assert [queue.put({}, 40) for _ in range(4)] == [True, True, False, False]
    exporter.gate.set()
    assert queue.close()


def test_a_server_that_is_away_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observe.queue.FIRST_WAIT_S", 0.001)
    exporter = Kept()
    exporter.broken = True
    tracer = Tracer(exporter, every_s=0.01)
    assert traced(lambda: 1, tracer=tracer)() == 1
    assert tracer.flush(5)
    stats = tracer.stats
    assert (stats.failed, stats.sent, stats.waiting) == (1, 0, 0)
    exporter.broken = False
    assert traced(lambda: 2, tracer=tracer)() == 2
    assert tracer.close()
    assert exporter.dropped == [1]  # the lost one is told with the next that arrives


def test_closing_takes_no_longer_than_it_may() -> None:
    exporter = Kept()
    exporter.gate.clear()
    queue = Queue(exporter, close_s=0.05)
    queue.put({}, 1)
    begun = time.perf_counter()
    assert queue.close() is False
    assert time.perf_counter() - begun < 1
    assert queue.put({}, 1) is False
    exporter.gate.set()


class Nasty:
    """Fails whenever it is looked at."""

    @property
    def content(self) -> str:
        raise RuntimeError("hands off")

    def __repr__(self) -> str:
        raise RuntimeError("hands off")


def test_arguments_that_cannot_be_looked_at_do_not_matter(kept: Kept) -> None:
    @traced
    def take(thing: Any) -> Any:
        current().set(nonsense=1)
        return thing

    thing = Nasty()
    assert take(thing) is thing
    endless: list[Any] = []
    endless.append(endless)
    assert take(endless) is endless
    finished(kept)
    assert sdk._tracer is not None
    assert sdk._tracer.stats.faults == 3
    assert len(kept.records) == 1


def test_values_are_cut_to_size() -> None:
    assert len(bounded("x" * 100_000)) == sdk.CAP
    assert len(bounded(list(range(1000)))) == sdk.PIECES
    assert bounded(object()) == "<object>"


def test_a_call_costs_well_under_a_millisecond(kept: Kept) -> None:
    """The bound is 1 ms; about 0.03 ms is usual, and the middle of many is not disturbed by a busy machine."""

    @traced
    def answer(question: str) -> str:
        return question

    text, took = "word " * 2000, []
    for _ in range(300):
        begun = time.perf_counter()
        answer(text)
        took.append(time.perf_counter() - begun)
    assert sorted(took)[150] < 0.001


def test_importing_it_pulls_in_nothing_heavy() -> None:
    code = "import sys, observe.sdk, observe.export; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert loaded.isdisjoint({"psycopg", "pydantic", "numpy", "google", "opentelemetry", "httpx", "requests", "store", "trust"})


def test_straight_into_the_database(database: Database, settings: Settings) -> None:
    exporter = DatabaseExporter(database, settings, tenant="main", project="own", source="chat")
    tracer = Tracer(exporter, every_s=0.01)

    @traced(tracer=tracer, kind="llm", model="extractive")
    def answer(question: str) -> str:
        current().set(contexts=["Refunds take 3 days."], tokens_in=7, user="ann")
        return "Refunds take 3 days."

    answer("How long do refunds take?")
    assert tracer.close()
    (row,) = database.fetch("spans_of", tenant="main", trace_ids=[r["trace_id"] for r in traces(database)])
    assert (row["input"], row["output"], row["model"]) == ("How long do refunds take?", "Refunds take 3 days.", "extractive")
    assert (row["contexts"], row["tokens_in"], row["tokens_out"]) == (["Refunds take 3 days."], 7, None)
    (trace,) = traces(database)
    assert (trace["project"], trace["source"]) == ("own", "chat")
    assert abs((datetime.now(UTC) - trace["started_at"]).total_seconds()) < 60


def traces(database: Database) -> list[dict[str, Any]]:
    wanted = ("project", "only", "model", "status", "hallucination", "user_hash", "session", "after_at", "after_id")
    return database.fetch("trace_list", tenant="main", limit=10, **dict.fromkeys(wanted))
