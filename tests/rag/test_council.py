import json
from dataclasses import asdict, replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.brief import build
from rag.council import Hearing, Ruling, reexecute, rule
from rag.items import Brief
from rag.opinion import ROLES, Opinion, Role, Spoken
from rag.rules import convene

VOTES = st.sampled_from(["confirm", "dismiss", "unsure"])


@pytest.fixture
def brief(make_facts: Any, make_case: Any, make_hit: Any, make_section: Any, make_neighbour: Any) -> Brief:
    hits = [make_hit(n, n * 10.0) for n in (1, 2, 3)]
    return build(make_facts(make_case("1", hits), sections=(make_section(),), neighbours=(make_neighbour(),)), 5000)


def speak(brief: Brief, role: Role, vote: str = "confirm", **given: Any) -> Spoken:
    section = next(item.id for item in brief.items if item.kind == "section")
    cited = ["e1"] if role == "analyst" else ["e1", section]
    opinion = {"case_id": brief.case_id, "vote": vote, "reasons": ["{{e1.hits}} hits."], "citations": cited, "action": "watch"}
    return Spoken(role, Opinion.model_validate({**opinion, "confidence": "high", **given}))


def ruled(brief: Brief, *spoken: Spoken, **given: Any) -> Ruling:
    return rule(Hearing(brief, spoken, "model", **given))


def trio(brief: Brief, votes: tuple[str, ...] | list[str], veto: bool = False) -> list[Spoken]:
    return [speak(brief, role, vote, veto=veto and role == "auditor") for role, vote in zip(ROLES, votes, strict=True)]


@given(votes=st.tuples(VOTES, VOTES, VOTES), veto=st.booleans(), silent=st.sets(st.sampled_from(ROLES)))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_laws_of_a_ruling(brief: Brief, votes: tuple[str, ...], veto: bool, silent: set[Role]) -> None:
    spoken = [one for one in trio(brief, votes, veto) if one.role not in silent]
    rulings = [ruled(brief, *order) for order in permutations(spoken)]
    ruling = rulings[0]
    assert all(asdict(other) == asdict(ruling) for other in rulings)
    confirms = sum(one.opinion.vote == "confirm" for one in spoken)
    dismissals = sum(one.opinion.vote == "dismiss" for one in spoken)
    vetoed = any(one.opinion.veto for one in spoken)
    expected = "confirmed" if confirms >= 2 and not vetoed else "dismissed" if dismissals >= 2 else "unresolved"
    assert ruling.outcome == expected
    assert (ruling.action == "none") == (ruling.outcome != "confirmed")
    assert 0 < ruling.confidence <= 1
    assert [said["role"] for said in ruling.opinions] == list(ROLES)
    assert reexecute(json.loads(json.dumps(asdict(ruling)))) == ruling


def test_who_did_not_speak_is_said(brief: Brief) -> None:
    ruling = ruled(brief, speak(brief, "analyst"), silent={"auditor": "not JSON"})
    assert ruling.outcome == "unresolved"
    assert "too few members spoke: analyst" in ruling.why
    assert [said.get("fault") for said in ruling.opinions] == [None, "not JSON", "no opinion"]


def test_without_a_measurement_nothing_is_confirmed(brief: Brief) -> None:
    bare = replace(brief, items=tuple(item for item in brief.items if item.kind in ("episode", "section")))
    assert ruled(bare, *trio(bare, ["confirm"] * 3)).outcome == "unresolved"


def test_a_vote_on_evidence_that_was_not_offered_does_not_carry(brief: Brief) -> None:
    analyst, auditor, strategist = trio(brief, ["confirm"] * 3)
    astray = speak(brief, "strategist", citations=["e77"])
    lowered = ruled(brief, analyst, auditor, astray)
    sound = ruled(brief, analyst, auditor, strategist)
    assert lowered.outcome == "confirmed"
    assert lowered.confidence < sound.confidence
    assert [(check["check"], check["item"], check["role"]) for check in lowered.checks if not check["ok"]] == [
        ("citation", "e77", "strategist")
    ]
    twice = ruled(brief, analyst, speak(brief, "auditor", citations=["e78"]), astray)
    assert twice.outcome == "unresolved"
    assert "does not hold" in twice.why


def test_a_dismissal_on_unfounded_references_is_lowered_too(brief: Brief) -> None:
    lost = [speak(brief, role, "dismiss", reasons=["{{e1.nothing}}"]) for role in ("analyst", "auditor")]
    assert ruled(brief, *lost, speak(brief, "strategist", "unsure")).outcome == "unresolved"


def test_evidence_that_does_not_recompute_is_never_confirmed(brief: Brief) -> None:
    items = tuple(replace(item, fields={**item.fields, "hits": 99}) if item.kind == "episode" else item for item in brief.items)
    broken = ruled(replace(brief, items=items), *trio(brief, ["confirm"] * 3))
    assert broken.outcome == "unresolved"
    assert "does not recompute" in broken.why


def test_the_strategist_chooses_the_action_and_a_confirmed_case_is_at_least_watched(brief: Brief) -> None:
    strategist = speak(brief, "strategist", action="block_account")
    others = [speak(brief, "analyst", action="step_up_auth"), speak(brief, "auditor", action="none")]
    assert ruled(brief, strategist, *others).action == "block_account"
    unsure = speak(brief, "strategist", "unsure", action="block_account")
    assert ruled(brief, unsure, *others).action == "step_up_auth"
    assert ruled(brief, unsure, speak(brief, "analyst", action="none"), others[1]).action == "watch"


def test_next_steps_come_from_the_cited_sections_only(brief: Brief) -> None:
    with_steps = ruled(brief, *trio(brief, ["confirm"] * 3))
    assert [step["text"] for step in with_steps.next_steps] == ["Call the customer.", "Require step-up authentication."]
    assert with_steps.next_steps[0]["section_id"] == "runbook#single-large-amount"
    plain = [speak(brief, role, citations=["e1"]) for role in ROLES]
    assert ruled(brief, *plain).next_steps == []


def test_next_steps_fit_what_was_ruled_and_never_come_from_a_reason_not_to_act(make_facts: Any, make_section: Any) -> None:
    sections = (
        make_section("Block it", "block_account", steps=("Block.",)),
        make_section("Honest", "none", steps=("Dismiss.",)),
        make_section("Step up", "step_up_auth", steps=("Step up.",)),
    )
    brief = build(make_facts(sections=sections), 5000)
    cited = [item.id for item in brief.items if item.kind == "section"]
    ruling = ruled(
        brief,
        *(speak(brief, role, citations=["e1", *(cited if role != "analyst" else [])], action="step_up_auth") for role in ROLES),
    )
    assert [step["text"] for step in ruling.next_steps] == ["Step up."]
    watched = ruled(brief, *(speak(brief, role, citations=["e1", *(cited if role != "analyst" else [])]) for role in ROLES))
    assert [step["text"] for step in watched.next_steps] == ["Block.", "Step up."]


def test_digits_of_the_root_cause_come_from_the_evidence(brief: Brief) -> None:
    cause = ruled(brief, *trio(brief, ["confirm"] * 3)).root_cause
    assert "1,200.00 EUR by account:A12/EUR, where 40.00 EUR is usual" in cause
    assert "3 hits within 20 s" in cause


def test_another_answer_is_another_ruling_and_the_same_is_the_same(brief: Brief) -> None:
    one, same = (ruled(brief, *trio(brief, ["confirm"] * 3)) for _ in range(2))
    other = ruled(brief, *trio(brief, ["confirm", "confirm", "unsure"]))
    assert one.ruling_id == same.ruling_id != other.ruling_id


@given(veto=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_stored_ruling_that_was_tampered_with_does_not_come_out_again(brief: Brief, veto: bool) -> None:
    ruling = ruled(brief, *trio(brief, ["confirm", "confirm", "dismiss"], veto))
    stored = json.loads(json.dumps(asdict(ruling)))
    stored["opinions"][1]["veto"] = not veto
    assert reexecute(stored).outcome != ruling.outcome


def test_the_rules_council_is_reexecutable(brief: Brief) -> None:
    ruling = rule(Hearing(brief, convene(brief), "rules", why="ruled by rules: test"))
    assert reexecute(json.loads(json.dumps(asdict(ruling)))) == ruling
