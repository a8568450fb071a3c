"""Laws of what makes two cases one."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk import joining
from desk.fingerprint import Fingerprint, asked, bond, fingerprint, gap_s
from rag.topology import Topology
from store.sections.desk import Desk

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TOPOLOGY = Topology.of([("gateway", "checkout"), ("checkout", "payments"), ("gateway", "catalog")])
names = st.sampled_from(["A1", "A2", "T9", "payments", "checkout", "gateway", "catalog"])
prints = st.builds(
    lambda case_id, kind, name, pattern, at, long, accounts, places: Fingerprint(
        case_id, f"{kind}:{name}", pattern, NOON + timedelta(minutes=at), NOON + timedelta(minutes=at + long), accounts, places
    ),
    st.text("abcdef", min_size=1, max_size=4), st.sampled_from(["account", "counterparty", "service"]), names,
    st.sampled_from(["card testing", "test payment", "spree", "errors", "large payment"]), st.integers(0, 3000),
    st.integers(0, 60),
    st.frozensets(names, max_size=3), st.frozensets(names, max_size=3),
)  # fmt: skip


def one(subject: str, pattern: str = "errors", at_min: float = 0, **given: Any) -> Fingerprint:
    at = NOON + timedelta(minutes=at_min)
    return Fingerprint(f"case-{subject}-{at_min}", subject, pattern, at, at, **given)


@given(prints, prints)
def test_a_bond_is_mutual_and_found_by_its_keys(left: Fingerprint, right: Fingerprint) -> None:
    there, back = bond(left, right, TOPOLOGY, Desk()), bond(right, left, TOPOLOGY, Desk())
    assert there == back
    if there is not None:
        assert set(asked(left, TOPOLOGY)) & set(right.keys)
        assert set(asked(right, TOPOLOGY)) & set(left.keys)
        assert there.because


@given(prints)
def test_a_case_is_of_one_cause_with_itself(left: Fingerprint) -> None:
    found = bond(left, left, TOPOLOGY, Desk())
    assert found is not None
    assert (found.rank, found.gap_s) == (0, 0)


@given(prints, prints, st.integers(1, 10**6))
def test_nothing_holds_cases_together_that_lie_far_apart(left: Fingerprint, right: Fingerprint, more: int) -> None:
    away = timedelta(seconds=Desk().same_subject_within_s + more)
    later = Fingerprint(right.case_id, right.subject, right.pattern, left.last_at + away, left.last_at + away * 2, right.accounts,
                        right.counterparties)  # fmt: skip
    assert gap_s(left, later) > Desk().same_subject_within_s
    assert bond(left, later, TOPOLOGY, Desk()) is None


def test_the_reasons_are_said() -> None:
    desk = Desk()

    def why(left: Fingerprint, right: Fingerprint) -> str:
        found = bond(left, right, TOPOLOGY, desk)
        return found.because if found else ""

    assert why(one("account:A1", "spree"), one("account:A1", "burst", 720)) == "both are about account:A1, 12.0 h apart"
    assert (
        why(one("service:payments"), one("service:checkout", at_min=3)) == "service:checkout calls service:payments, 180 s apart"
    )
    assert why(one("service:payments"), one("service:gateway")) == ""
    tested = one("counterparty:T9", "card testing", accounts=frozenset({"A1"}), counterparties=frozenset({"T9"}))
    assert (
        why(tested, one("account:A1", "spree", 300)) == "account:A1 was among the cards tried at counterparty:T9, 300 min apart"
    )
    assert why(tested, one("account:A1", "large payment", -300)) == ""  # spent before it was tried: another cause
    assert why(one("service:payments"), one("service:payments", at_min=180)) == ""
    there = one("account:A2", "large payment", 5, counterparties=frozenset({"T9"}), accounts=frozenset({"A2"}))
    assert why(tested, there) == "account:A2 was flagged at counterparty:T9, which is flagged itself, 300 s apart"
    spree = [one(f"account:A{n}", "spree", n, counterparties=frozenset({"T9"})) for n in (1, 2)]
    assert why(*spree) == "both show the pattern “spree” at counterparty:T9, 60 s apart"
    large = [one(f"account:A{n}", "large payment", n, counterparties=frozenset({"T9"})) for n in (1, 2)]
    assert why(*large) == ""  # two strangers at one busy shop are not one cause


def test_a_fingerprint_leaves_currency_and_metric_out() -> None:
    case = {"case_id": "c", "started_at": NOON, "last_at": NOON}
    events = [{"account_id": "A1", "counterparty_id": "T9"}]
    assert fingerprint({**case, "entity": "account:A1/EUR"}, "spree", events).keys == ["account:A1", "counterparty:T9"]
    assert fingerprint({**case, "entity": "series:checkout/cpu"}, "shift", events).subject == "service:checkout"
    assert fingerprint({**case, "entity": "service:a/b"}, "errors", []).subject == "service:a/b"


def candidate(print_: Fingerprint, head: str, status: str = "open", began: datetime | None = None) -> dict[str, Any]:
    return {
        "case_id": print_.case_id, "head_id": head, "head_status": status, "pattern": print_.pattern,
        "fingerprint": print_.shown(),
        "own_started_at": print_.started_at, "own_last_at": print_.last_at, "head_started_at": began or print_.started_at,
        "head_last_at": print_.last_at, "apart": [],
    }  # fmt: skip


def test_the_strongest_bond_wins_then_the_nearest() -> None:
    new = one("service:checkout", at_min=20)
    near, same = candidate(one("service:payments", at_min=19), "case-p"), candidate(one("service:checkout", at_min=0), "case-c")
    assert [join.head_id for join in joining.joins(new, [near, same], TOPOLOGY, Desk())] == ["case-c", "case-p"]
    closer = candidate(one("service:gateway", at_min=20), "case-g")
    assert [join.head_id for join in joining.joins(new, [near, closer], TOPOLOGY, Desk())] == ["case-g", "case-p"]


def test_one_busy_place_does_not_chain_a_whole_day_into_one_case() -> None:
    new = one("service:checkout", at_min=1500)
    row = candidate(one("service:payments", at_min=1490), "case-p", began=NOON)
    assert joining.joins(new, [row], TOPOLOGY, Desk()) == []


def test_only_the_same_thing_with_the_same_pattern_reopens_what_is_closed() -> None:
    new = one("service:checkout", at_min=5)
    for row, expected in [
        (candidate(one("service:checkout"), "case-c", "dismissed"), True),
        (candidate(one("service:checkout", "slowness"), "case-c", "dismissed"), False),
        (candidate(one("service:payments"), "case-p", "resolved"), False),
    ]:
        assert (joining.choose(joining.joins(new, [row], TOPOLOGY, Desk())) is not None) == expected


@given(st.lists(prints, max_size=6), prints, st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_candidates(others: list[Fingerprint], new: Fingerprint, chance: Any) -> None:
    rows = [candidate(print_, f"case-{place}") for place, print_ in enumerate(others)]
    mixed = rows[:]
    chance.shuffle(mixed)
    assert joining.joins(new, rows, TOPOLOGY, Desk()) == joining.joins(new, mixed, TOPOLOGY, Desk())


def test_parted_is_parted_from_either_side() -> None:
    left, right = [{"case_id": "a", "apart": []}, {"case_id": "b", "apart": []}], [{"case_id": "c", "apart": ["b"]}]
    assert joining.kept_apart(left, right)
    assert joining.kept_apart(right, left)
    assert not joining.kept_apart(left[:1], right)
