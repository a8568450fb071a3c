from dataclasses import replace
from typing import Any

import pytest

from rag.brief import build
from rag.items import Brief, Item
from rag.opinion import Opinion, Spoken
from rag.verify import examine, examine_evidence


@pytest.fixture
def brief(make_facts: Any, make_case: Any, make_hit: Any, make_section: Any) -> Brief:
    hits = [make_hit(n, n * 10.0) for n in (1, 2, 3)]
    return build(make_facts(make_case("1", hits), sections=(make_section(),)), 5000)


def changed(brief: Brief, kind: str, **fields: Any) -> Brief:
    """The brief with other values in the first item of a kind."""
    first = brief.first(kind)
    assert first is not None
    items = tuple(replace(item, fields={**item.fields, **fields}) if item is first else item for item in brief.items)
    return replace(brief, items=items)


def failed(brief: Brief) -> set[str]:
    return {check.check for check in examine_evidence(brief) if not check.ok}


def test_sound_evidence_passes_every_check(brief: Brief) -> None:
    made = {check.check for check in examine_evidence(brief)}
    assert made == {"hits", "outside", "ratio", "score", "sum", "median", "largest", "at stake"}
    assert failed(brief) == set()


@pytest.mark.parametrize(
    ("kind", "fields", "check"),
    [
        ("anomaly", {"value": 100}, "outside"),
        ("anomaly", {"low": 0, "high": 5000}, "outside"),
        ("anomaly", {"ratio": 45}, "ratio"),
        ("anomaly", {"score_amount_z": 1.6}, "score"),
        ("window", {"log_std": 0.9}, "score"),
        ("window", {"log_mean": 3.0}, "score"),
        ("hits", {"hits_sum": 4000}, "sum"),
        ("hits", {"hits_median": 4000}, "median"),
        ("hits", {"hits_max": 1}, "largest"),
        ("impact", {"amount_at_stake": 1}, "at stake"),
        ("episode", {"hits": 30}, "hits"),
        ("episode", {"kept": 2}, "hits"),
        ("episode", {"last_ordinal": 4}, "hits"),
    ],
)
def test_a_number_that_was_changed_is_found(brief: Brief, kind: str, fields: dict[str, Any], check: str) -> None:
    assert check in failed(changed(brief, kind, **fields))


@pytest.mark.parametrize(
    ("unit", "context", "value", "wrong", "check"),
    [
        ("error rate", {"n": 40, "errors": 20}, 0.5, {"errors": 30}, "error rate"),
        ("ms", {"n": 40, "p95_ms": 900.0}, 900.0, {"p95_ms": 100}, "p95"),
        ("events", {"n": 40, "burst": 10}, 10, {"burst": 3}, "burst"),
    ],
)
def test_values_that_are_counts_of_the_window(
    make_facts: Any, make_case: Any, make_hit: Any, unit: str, context: Any, value: float, wrong: Any, check: str
) -> None:  # fmt: skip
    hit = make_hit(unit=unit, context=context, value=value, expected=0.01, low=0, high=0.2, event={"service": "a"})
    sound = build(make_facts(make_case("1", [hit], kind="service", entity="service:a")), 5000)
    assert failed(sound) == set()
    assert check in failed(changed(sound, "window", **wrong))


def test_robust_and_series_scores_recompute_too(make_facts: Any, make_case: Any, make_hit: Any) -> None:
    series = make_hit(
        detector="value_z", unit="value", value=20.0, expected=10.0, low=4.97506234, high=15.0249377,
        scores={"value_z": 1.653594},
        context={"n": 100, "mean": 10.0, "std": 1.0}, event={"service": "a", "metric": "m", "value": 20.0},
    )  # fmt: skip
    brief = build(make_facts(make_case("1", [series], kind="series", entity="series:a/m")), 5000)
    assert [check.ok for check in examine_evidence(brief) if check.check == "score"] == [True]
    assert "score" in failed(changed(brief, "window", std=2.0))


def speak(**given: Any) -> Spoken:
    opinion = {"case_id": "case-ep1", "vote": "confirm", "reasons": ["{{e2.value}} is far."], "citations": ["e2"]}
    return Spoken("analyst", Opinion.model_validate({**opinion, "action": "watch", "confidence": "high", **given}))


def test_citations_must_have_been_offered_to_that_member(brief: Brief) -> None:
    section = next(item for item in brief.items if item.kind == "section")
    checks = [c for c in examine(brief, [speak(citations=["e2", "e99", section.id])]) if c.check == "citation"]
    assert [(c.item, c.ok, c.role) for c in checks] == [
        ("e2", True, "analyst"),
        ("e99", False, "analyst"),
        (section.id, False, "analyst"),
    ]
    assert checks[2].detail == "was not offered to this member"


def test_references_must_name_a_value(brief: Brief) -> None:
    checks = [
        c for c in examine(brief, [speak(reasons=["{{e2.value}} {{e2.nonsense}} {{e99.value}}"])]) if c.check == "reference"
    ]
    assert [c.ok for c in checks] == [True, False, False]


def test_an_empty_brief_has_nothing_to_check() -> None:
    empty = Brief("case-x", "main", "account:x", "account", 1, 0.6, "batch", ())
    assert list(examine_evidence(empty)) == []
    assert Item("e1", "episode", "t", {}).number("hits") is None
