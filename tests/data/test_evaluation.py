"""Labels against cases: what counts as found and as confirmed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.evaluation import AFTER, BEFORE, compare, evaluate
from jobs.simulate.labels import Incident, Labels, as_json
from store.database import Database

T0 = datetime(2024, 3, 5, 12, tzinfo=UTC)
LAST = T0 + timedelta(hours=1)
ENTITIES = ("account:A1/EUR", "counterparty:T1/EUR")
INCIDENTS = (
    Incident("stolen-1", "stolen_card", ENTITIES, T0.isoformat(), LAST.isoformat(), "transactions", 20),
    Incident("large-1", "single_large", ("account:A2/EUR",), T0.isoformat(), T0.isoformat(), "transactions", 1),
)
LABELS = Labels(7, 3, {"transactions": 21}, INCIDENTS, {}, 0, 0)


def case(entity: str, begin: datetime, end: datetime | None = None, outcome: str | None = "confirmed") -> dict[str, Any]:
    return {"entity": entity, "started_at": begin, "last_at": end or begin, "outcome": outcome}


def test_nothing_found() -> None:
    judged = compare(LABELS, [], [])
    assert (judged.injected, judged.found, judged.confirmed, judged.confirmed_cases) == (2, 0, 0, 0)
    assert judged.missed == ("stolen-1", "large-1")
    assert judged.injected_share is None


def test_an_incident_counts_once_however_many_cases_it_has() -> None:
    judged = compare(LABELS, [case("account:A1/EUR", T0), case("counterparty:T1/EUR", T0), case("account:A9/EUR", T0)], [])
    assert (judged.found, judged.confirmed) == (1, 1)
    assert (judged.confirmed_cases, judged.confirmed_injected, judged.confirmed_not_injected) == (3, 2, 1)
    assert [(tally.scenario, tally.injected, tally.confirmed) for tally in judged.scenarios] == [
        ("stolen_card", 1, 1),
        ("single_large", 1, 0),
    ]


@pytest.mark.parametrize("outcome", ["dismissed", "unresolved", None])
def test_found_is_not_yet_confirmed(outcome: str | None) -> None:
    judged = compare(LABELS, [case("account:A1/EUR", T0, outcome=outcome)], [])
    assert (judged.found, judged.confirmed, judged.confirmed_cases, judged.confirmed_injected) == (1, 0, 0, 0)


def test_another_entity_or_another_currency_is_not_the_incident() -> None:
    judged = compare(LABELS, [case("account:A1/CHF", T0), case("account:A3/EUR", T0)], [])
    assert judged.found == 0


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        (T0 - BEFORE, T0 - BEFORE, 1),
        (T0 - BEFORE - timedelta(seconds=1), T0 - BEFORE - timedelta(seconds=1), 0),
        (LAST + AFTER, LAST + AFTER, 1),
        (LAST + AFTER + timedelta(seconds=1), LAST + timedelta(days=1), 0),
        (T0 - timedelta(days=1), LAST + timedelta(days=1), 1),
    ],
)
def test_the_slack_is_exact(begin: datetime, end: datetime, found: int) -> None:
    assert compare(LABELS, [case("account:A1/EUR", begin, end)], []).found == found


def test_a_shift_moves_the_labels() -> None:
    moved = T0 + timedelta(days=700)
    assert compare(LABELS, [case("account:A2/EUR", moved)], []).found == 0
    assert compare(LABELS, [case("account:A2/EUR", moved)], [], shift_s=700 * 86_400).found == 1


def test_flagged_points_are_told_apart() -> None:
    points = [{"entity": "account:A2/EUR", "event_time": T0}, {"entity": "account:A2/EUR", "event_time": T0 - timedelta(days=1)}]
    judged = compare(LABELS, [], points)
    assert (judged.anomalies, judged.anomalies_not_injected) == (2, 1)


def put_case(database: Database, name: str, entity: str, outcomes: list[tuple[str, bool]], tenant: str = "main") -> None:
    with database.connection() as connection:
        connection.execute(
            """insert into episodes values (%(n)s, %(t)s, 1, %(e)s, 'account', 1, %(at)s, %(at)s, 'x', 'x', '{}', .9, '{}', 'h',
                 %(at)s, %(at)s)""",
            {"n": name, "t": tenant, "e": entity, "at": T0},
        )
        connection.execute(
            """insert into cases values (%(n)s, %(t)s, %(n)s, %(e)s, 'account', 1, .9, 'immediate', %(at)s, %(at)s)""",
            {"n": name, "t": tenant, "e": entity, "at": T0},
        )
        for number, (outcome, in_force) in enumerate(outcomes):
            connection.execute(
                """insert into rulings (ruling_id, tenant, case_id, revision, council, outcome, action, confidence, root_cause,
                     next_steps, citations, opinions, checks, brief, brief_hash, in_force, latency_ms)
                   values (%(r)s, %(t)s, %(n)s, 1, 'rules', %(o)s, 'watch', .9, '', '[]', '[]', '[]', '[]', '{}', 'h', %(f)s,
                     1)""",
                {"r": f"{name}-{number}", "t": tenant, "n": name, "o": outcome, "f": in_force},
            )


def test_only_the_ruling_in_force_counts_and_only_the_own_tenant(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(as_json(LABELS))
    put_case(database, "c1", "account:A1/EUR", [("confirmed", False), ("dismissed", True)])
    put_case(database, "c2", "account:A2/EUR", [("unresolved", False), ("confirmed", True)])
    put_case(database, "c3", "account:A1/EUR", [("confirmed", True)], tenant="other")
    judged = evaluate(database, path)
    assert (judged.found, judged.confirmed, judged.confirmed_cases, judged.missed) == (2, 1, 1, ("stolen-1",))
    assert judged.scenarios[1].confirmed == 1
