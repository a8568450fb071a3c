"""Plans over columns: cutting changes no tally, order in a segment matters, and lanes are decided as said."""

import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import bronze, specs
from pipelines.judging import judge_events
from pipelines.plan import Listing, Plan, compiled, content
from pipelines.verdicts import Verdict, judge_flagged, lane_of

SCHEMA = pa.schema(
    [("row_id", pa.int64()), ("tenant", pa.string()), ("source", pa.string()), ("kind", pa.string()), ("account_id", pa.string()),
     ("amount", pa.float64()), ("severity", pa.float64())]
)  # fmt: skip
LISTS = {"vip": Listing(pa.array(["A1"]), {}), "land": Listing(pa.array(["A1", "A2"]), {"country": pa.array(["CH", "XX"])})}


def plan_of(*processors: dict[str, Any], topic: str = "*", filter: str = "", tenant: str = "main") -> Plan:
    live = [{"processor": f"p{i}", "live_version": 1, "spec": specs.written(specs.read(one))} for i, one in enumerate(processors)]
    segment = {"segment": "s", "topic": topic, "filter": filter, "processors": [one["processor"] for one in live]}
    held = content([segment], live, {"vip": 1, "land": 1})
    return compiled({tenant: held}, lambda _, name, version: LISTS[name])


def table(rows: list[dict[str, Any]], first: int = 0) -> pa.Table:
    usual = {"tenant": "main", "source": "a.jsonl", "kind": "transaction", "account_id": "A1", "amount": 1.0}
    return pa.Table.from_pylist([usual | one | {"row_id": first + i} for i, one in enumerate(rows)], schema=SCHEMA)


def tallies(plan: Plan, *tables: pa.Table, cap: int = 100) -> dict[str, tuple[int, int, int, list[int]]]:
    found, _ = judge_events(plan, tables, cap)
    return {key[2]: (one.evaluated, one.hit, one.errors, one.rows.tolist()) for key, one in found.items()}


ROWS = st.lists(st.fixed_dictionaries({
    "tenant": st.sampled_from(["main", "other"]), "account_id": st.sampled_from(["A1", "A2", None]),
    "amount": st.sampled_from([None, 1.0, 900.0]), "source": st.sampled_from(["a.jsonl", "shop--1.jsonl", "shop/0"]),
}), min_size=1, max_size=30)  # fmt: skip
BIG = {"kind": "rule", "when": "amount > 500.0"}


@settings(deadline=None)
@given(ROWS, st.lists(st.integers(0, 30), max_size=4), st.integers(1, 4), st.booleans())
def test_cutting_a_batch_changes_no_tally(rows: list[dict[str, Any]], cuts: list[int], cap: int, encoded: bool) -> None:
    plan = plan_of({"kind": "enrich", "field": "account_id", "list": "land", "as": "at"}, {"kind": "allow", "list": "vip"}, BIG,
                   {"kind": "rule", "when": 'enriched.at.country == "XX"'}, filter="amount != null", topic="shop")  # fmt: skip
    whole = table(rows)
    if encoded:
        whole = pa.table(
            {name: whole[name].dictionary_encode() if name == "account_id" else whole[name] for name in SCHEMA.names}
        )
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [whole.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    inside = [row for row in rows if row["tenant"] == "main" and row["source"] != "a.jsonl" and row["amount"] is not None]
    others = [row for row in inside if row["account_id"] != "A1"]
    found = tallies(plan, *parts, cap=cap)
    assert found == tallies(plan, whole, cap=cap)
    if inside:
        assert found["p0"][:2] == (len(inside), sum(row["account_id"] is not None for row in inside))
        assert found["p2"][:3] == (len(others), sum(row["amount"] > 500 for row in others), 0)
        assert found["p3"][:3] == (len(others), sum(row["account_id"] == "A2" for row in others), 0)
        assert len(found["p2"][3]) == min(found["p2"][1], cap)


def test_an_allow_list_shields_only_what_comes_after_it() -> None:
    rows = table([{"amount": 900.0}, {"account_id": "A2", "amount": 900.0}])
    assert tallies(plan_of(BIG, {"kind": "allow", "list": "vip"}, BIG), rows) == {"p0": (2, 2, 0, [0, 1]), "p2": (1, 1, 0, [1])}


def test_rows_that_were_judged_before_are_seen_but_not_judged() -> None:
    found, seen = judge_events(plan_of(BIG), [table([{"amount": 900.0}] * 5)], 10, after_row=2)
    assert (seen, [(one.evaluated, one.rows.tolist()) for one in found.values()]) == (5, [(2, [3, 4])])


def test_nothing_that_acts_reads_nothing() -> None:
    assert not plan_of()
    assert not compiled({}, lambda *_: LISTS["vip"])
    assert not plan_of({"kind": "route", "when": "severity > 0.5", "lane": "batch"}).reads_events
    assert not plan_of({"kind": "allow", "list": "vip"}).reads_events
    assert plan_of(BIG).columns() == ["amount", "row_id", "source", "tenant"]


def test_flagged_events_are_routed_raised_and_let_by() -> None:
    plan = plan_of({"kind": "allow", "list": "vip"}, {"kind": "deny", "items": ["A2"], "lane": "immediate"},
                   {"kind": "route", "when": "severity > 0.8", "lane": "filed"})  # fmt: skip
    counted: Any = {}
    found = judge_flagged(
        plan.tenants["main"], table([{"severity": 0.9}, {"account_id": "A2"}, {"account_id": "A3", "severity": 0.9}]), counted
    )
    assert [(bool(one.allowed), one.raised, one.routed) for one in found] == [
        (True, None, None), (False, "immediate", None), (False, None, "filed")]  # fmt: skip
    assert {key[2]: (one.evaluated, one.hit, one.errors) for key, one in counted.items()} == {"p0": (3, 1, 0), "p2": (2, 1, 1)}


ALLOWED, RAISED, ROUTED = Verdict(allowed=(("s", "p", 1),)), Verdict(raised="immediate"), Verdict(routed="filed")


@pytest.mark.parametrize(("base", "verdicts", "before", "lane"), [
    ("batch", [], None, "batch"), ("immediate", [ALLOWED], None, "filed"), ("immediate", [ALLOWED, Verdict()], None, "immediate"),
    ("filed", [ALLOWED, RAISED], None, "immediate"), ("immediate", [ROUTED], None, "filed"),
    ("batch", [RAISED, ROUTED], None, "immediate"),
    ("filed", [], "batch", "batch"), ("immediate", [Verdict(raised="batch")], None, "immediate"),
])  # fmt: skip
def test_a_case_gets_the_lane_that_its_verdicts_say(base: str, verdicts: list[Verdict], before: str | None, lane: str) -> None:
    assert lane_of(base, verdicts, before) == lane


def test_a_batch_reads_the_files_between_its_offsets() -> None:
    def commit(*names: str, changed: bool = True, removed: bool = False) -> str:
        lines = [f'{{"add": {{"path": "{name}", "dataChange": {str(changed).lower()}}}}}' for name in names]
        return "\n".join([*lines, '{"remove": {"path": "x", "dataChange": true}}'] if removed else lines)

    commits = [
        (0, commit("a", "b%20c")),
        (1, commit("merged", changed=False)),
        (2, commit("d")),
        (3, commit("erased", removed=True)),
        (4, commit("e")),
    ]

    def read(before: Any, end: Any, first: int = 0) -> list[str]:
        low, high = bronze.between(before, end, first)
        return [one.path for one in bronze.of_batch([one for one in commits if low[0] <= one[0] <= high[0]], low, high)]

    at = [{"reservoirVersion": v, "index": i} for v, i in ((0, 0), (1, -1), (2, 0), (5, -1))]
    assert [read(a, b) for a, b in zip([None, *at], at, strict=False)] == [["a"], ["b c"], ["d"], ["e"]]
    assert read(None, at[3]) == ["a", "b c", "d", "e"]
    assert read(None, at[3], first=2) == ["d", "e"]
