"""Spans fold into a trace whatever order they come in; what nobody said stays unknown; calls have a price or a why."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observe import prices
from observe.detail import waterfall
from observe.errors import BadPrices
from observe.prices import cost, priced, read
from observe.span import Span, fold, model_calls, root

T0 = datetime(2026, 5, 1, tzinfo=UTC)


def span(span_id: str, parent: str | None = None, kind: Any = "chain", after_ms: float = 0, **given: Any) -> Span:
    fields: dict[str, Any] = {"latency_ms": 10.0} | given
    return Span("t", span_id, span_id, kind, T0 + timedelta(milliseconds=after_ms), parent_id=parent, **fields)


SPANS = [
    span("root", input="q", output="a", latency_ms=100.0),
    span("find", "root", "retriever", 1, contexts=("c1", "c2")),
    span("wrap", "root", "llm", 20, model="m", tokens_in=99, tokens_out=99),
    span("call", "wrap", "llm", 21, model="m", tokens_in=10, tokens_out=5, cost=0.1),
    span("again", "root", "llm", 40, model="n", tokens_in=1, tokens_out=2, cost=0.2, error="busy"),
]


@given(st.permutations(SPANS))
def test_the_order_of_spans_does_not_matter(spans: list[Span]) -> None:
    trace = fold(spans)
    assert (trace.query, trace.response, trace.contexts, trace.latency_ms) == ("q", "a", ("c1", "c2"), 100.0)
    assert (trace.tokens_in, trace.tokens_out, trace.model) == (11, 7, "m")  # the wrapper is not counted twice
    assert trace.cost == pytest.approx(0.3)
    assert (trace.error, trace.complete, trace.spans) == (None, True, 5)  # a call that was mended is no error of the trace


def test_one_unknown_makes_the_sum_unknown() -> None:
    spans = [span("root"), span("a", "root", "llm", tokens_in=1, cost=0.1), span("b", "root", "llm", cost_why="no price for x")]
    trace = fold(spans)
    assert (trace.tokens_in, trace.tokens_out, trace.cost, trace.cost_why) == (None, None, None, "no price for x")


def test_without_its_root_a_trace_is_what_its_calls_say() -> None:
    trace = fold([span("b", "gone", "llm", 30, output="second"), span("a", "gone", "llm", 0, input="first", error="broken")])
    assert (trace.query, trace.response, trace.error, trace.complete) == ("first", "second", "broken", False)
    assert trace.latency_ms == 40.0


def test_a_ring_of_parents_ends() -> None:
    ring = [span("a", "b", "llm"), span("b", "a", "llm")]
    assert root(ring).span_id in "ab"
    assert model_calls(ring) == []
    rows = [vars(one) | {"status": "ok", "contexts": []} for one in ring]
    assert {row["span_id"] for row in waterfall(rows)} == {"a", "b"}


@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_a_waterfall_shows_every_span_once_and_children_below(count: int, rng: random.Random) -> None:
    spans = [span(str(n), str(rng.randrange(n)) if n and rng.random() < 0.9 else None, after_ms=n) for n in range(count)]
    rows = waterfall([vars(one) | {"status": "ok"} for one in spans])
    assert sorted(row["span_id"] for row in rows) == sorted(str(n) for n in range(count))
    depth = {row["span_id"]: row["depth"] for row in rows}
    for row in rows:
        assert row["depth"] == (0 if row["parent_id"] is None else depth[row["parent_id"]] + 1)
        assert row["offset_ms"] >= 0


def call(model: str, **given: Any) -> Span:
    return span("c", kind="llm", model=model, **given)


@pytest.mark.parametrize(
    ("one", "amount", "why"),
    [
        (call("gpt-4o-mini", tokens_in=1_000_000, tokens_out=0), 0.15, ""),
        (call("openai/gpt-4o-2024-08-06", tokens_in=0, tokens_out=1_000_000), 10.0, ""),
        (call("gpt-4o-mini", tokens_in=5), None, "the call does not say its tokens"),
        (call("mystery", tokens_in=5, tokens_out=5), None, "the price table has no entry for mystery"),
        (call(""), None, "the call names no model"),
        (call("llama3.1:8b@abc", latency_ms=10_000.0), 10 * 2 * 0.0000111, ""),
        (call("llama3.1:8b", latency_ms=10_000.0, attributes={"cpu_seconds": 3}), 3 * 0.0000111, ""),
        (call("llama3.1:8b", latency_ms=None), None, "the call does not say how long it took"),
        (call("rules"), 0.0, ""),
        (call("mystery", cost=0.5), 0.5, ""),
    ],
)
def test_what_a_call_costs(one: Span, amount: float | None, why: str) -> None:
    found = cost(read(), one)
    assert found.amount == (None if amount is None else pytest.approx(amount))
    assert found.why == why


def test_a_price_table_of_ones_own_has_its_own_version(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('as_of = 2026-01-01\ncurrency = "EUR"\n[[models]]\nmatch = "m*"\ninput = 1.0\noutput = 2.0\n')
    table = read(file)
    assert (table.currency, len(table.version)) == ("EUR", 12)
    assert table.version != read().version
    assert priced(table, [call("m1", tokens_in=1_000_000, tokens_out=1_000_000)])[0].cost == 3.0
    changed = table.model_copy(update={"models": (table.models[0].model_copy(update={"input": 1.5}),)})
    assert changed.version != table.version


@pytest.mark.parametrize("text", ["", "as_of = 3", '[[models]]\nmatch = "x"\ninput = 1.0\n', "{"])
def test_a_broken_price_table_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(f'as_of = 2026-01-01\ncurrency = "EUR"\n{text}' if text.startswith("[[") else text)
    with pytest.raises(BadPrices, match=r"prices\.toml"):
        read(file)


def test_the_bundled_table_names_what_runs_here() -> None:
    assert all(read().of(model) is not None for model in ("llama3.1:8b@123456789abc", "rules", "extractive"))
    assert prices.cost(read(), replace(call("x"), model="unheard-of")).amount is None
