"""Search over a real database: filters, freshness, embedders, memory of cases, and plain questions on our own runbook."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.runbook import add_file
from rag.search import remember, runbook_index, search, similar_cases
from store.database import Database

OURS = Path(__file__).parents[2] / "data" / "runbook.md"
NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
ASKED = {
    "many small payments from different cards at one terminal": "card-testing-at-a-terminal",
    "p95 latency of the payment service sits at the timeout, 504 from upstream": "payment-gateway-timeouts",
    "could not obtain connection from pool": "connection-pool-exhaustion",
    "errors started right after the release went out": "bad-deploy",
    "hit rate collapsed and the database is overloaded": "cache-stampede",
    "x509 certificate has expired": "certificate-expiry",
    "customer abroad on holiday pays in another currency": "customer-travelling",
    "No space left on device": "disk-full",
    "the number of payments per hour is far above the account's own rate": "velocity-abuse",
    "one payment many times larger than usual": "single-large-amount",
    "OOMKilled again": "memory-leak",
    "temperature of the machine keeps rising": "machine-overheating-or-failing-hardware",
    "rent on the first of the month": "salary-rent-and-other-regular-large-payments",
    "429 too many requests from the provider": "rate-limiting-by-a-provider",
    "phished password, new device, then transfers to strangers": "account-takeover",
}
THREE = """# Ops
## Disk full
tags: kind=service, detector=value_z

No space left on device.

## Spending spree
tags: kind=account, detector=velocity

The card is emptied; no space for doubt.

## General
Keep calm and space your words.
"""


@pytest.fixture
def runbook(database: Database) -> Database:
    add_file(database, OURS)
    return database


def ids(database: Database, query: str, **asked: object) -> list[str]:
    return [hit.section_id.rpartition("/")[2] for hit in search(database, query, **{"k": 3, **asked})]


def three(database: Database, folder: Path, text: str = THREE) -> Database:
    path = folder / "ops.md"
    path.write_text(text)
    add_file(database, path)
    return database


def test_plain_questions_find_their_section(runbook: Database) -> None:
    found = {question: ids(runbook, question)[:2] for question in ASKED}
    assert {question: names for question, names in found.items() if ASKED[question] not in names} == {}


def test_filters_keep_their_kind_and_what_has_no_kind(database: Database, tmp_path: Path) -> None:
    three(database, tmp_path)
    assert set(ids(database, "space")) == {"disk-full", "spending-spree", "general"}
    assert set(ids(database, "space", kinds=["account"])) == {"spending-spree", "general"}
    assert set(ids(database, "space", kinds=["service"], detectors=["value_z", "latency"])) == {"disk-full", "general"}
    assert set(ids(database, "space", detectors=["error_rate"])) == {"general"}


def test_a_hit_carries_what_was_measured(database: Database, tmp_path: Path) -> None:
    hit = search(three(database, tmp_path), "disk full", k=1)[0]
    assert (hit.heading_path, hit.body) == (("Ops", "Disk full"), "No space left on device.")
    assert hit.score == pytest.approx(1)
    assert hit.bm25 > 0
    assert 0 < hit.cosine <= 1
    assert hit.tags == ("kind=service", "detector=value_z")


def test_a_changed_runbook_is_found_at_once_and_an_unchanged_one_is_not_indexed_again(database: Database, tmp_path: Path) -> None:
    three(database, tmp_path)
    assert ids(database, "zeppelin", k=1) != ["zeppelin"]
    before = runbook_index(database)
    assert runbook_index(database) is before
    three(database, tmp_path, THREE + "\n## Zeppelin\nHydrogen.\n")
    assert ids(database, "zeppelin", k=1) == ["zeppelin"]
    three(database, tmp_path)
    assert "zeppelin" not in ids(database, "zeppelin", k=9)


def test_vectors_of_another_embedder_are_not_compared(database: Database, tmp_path: Path) -> None:
    three(database, tmp_path)
    with database.connection() as connection:
        connection.execute("update sections set embedder = 'other'")
    hits = search(database, "disk full", k=3)
    assert hits[0].section_id.endswith("disk-full"), "its words still find it"
    assert {hit.cosine for hit in hits} == {0.0}


@pytest.mark.parametrize("query", ["", "   ", "\0", "?!", "«»"])
def test_a_query_without_a_word_finds_nothing(database: Database, tmp_path: Path, query: str) -> None:
    assert search(three(database, tmp_path), query, k=3) == []


@pytest.mark.parametrize("query", ["zzzz qqqq", "space\0\ud800 %s %(x)s '; drop table sections; --", "space " * 100_000])
def test_any_text_can_be_asked(database: Database, tmp_path: Path, query: str) -> None:
    assert len(search(three(database, tmp_path), query, k=2)) == 2


def test_an_empty_runbook_answers_nothing(database: Database) -> None:
    assert search(database, "disk", k=3) == []


def test_ties_are_ordered_by_id_every_time(database: Database, tmp_path: Path) -> None:
    three(database, tmp_path, "".join(f"# S{n}\nsame words here\n" for n in (3, 1, 2)))
    with database.connection() as connection:
        connection.execute("update sections set heading_path = array['S'], embedding = (select embedding from sections limit 1)")
        connection.execute("update documents set sha256 = 'again'")
    assert [hit.section_id for hit in search(database, "same words", k=3)] == ["ops#s1", "ops#s2", "ops#s3"]


def case(database: Database, case_id: str) -> None:
    row = {"i": case_id}
    with database.connection() as connection:
        connection.execute(
            """insert into episodes (episode_id, entity_hash, entity, kind, revision, started_at, last_at, first_event_id,
               last_event_id, worst, severity, detectors, settings_hash, arrived_at, detected_at)
               values (%(i)s, 1, 'account:A', 'account', 1, now(), now(), 'a', 'a', '{}', 0.5, '{}', '', now(), now())""",
            row,
        )
        connection.execute(
            """insert into cases (case_id, episode_id, entity, kind, revision, severity, lane, started_at, last_at)
               values (%(i)s, %(i)s, 'account:A', 'account', 1, 0.5, 'batch', now(), now())""",
            row,
        )


@pytest.fixture
def remembered(database: Database) -> Database:
    past = {
        "c1": "account burst of small payments at one terminal, card testing",
        "c2": "service checkout latency at the timeout, payment provider slow",
        "c3": "account single large amount, furniture shop",
    }
    for days, (case_id, summary) in enumerate(past.items(), start=1):
        case(database, case_id)
        remember(database, case_id, summary, "confirmed", NOW - timedelta(days=days))
    return database


def test_similar_cases_are_found_by_words_and_meaning(remembered: Database) -> None:
    found = similar_cases(remembered, "many tiny payments at a terminal in a burst", k=2)
    assert found[0].case_id == "c1"
    assert (found[0].outcome, found[0].happened_at) == ("confirmed", NOW - timedelta(days=1))
    assert similar_cases(remembered, "provider timeout makes checkout slow", k=1)[0].case_id == "c2"


def test_only_the_past_counts_and_never_the_case_itself(remembered: Database) -> None:
    asked = "burst of small payments at a terminal"
    before = [found.case_id for found in similar_cases(remembered, asked, k=9, before=NOW - timedelta(days=1))]
    assert sorted(before) == ["c2", "c3"], "what happened at that moment is not its past"
    assert "c1" not in [found.case_id for found in similar_cases(remembered, asked, k=9, exclude=["c1"])]


def test_a_later_ruling_replaces_the_memory(remembered: Database) -> None:
    with remembered.connection() as connection:
        remember(connection, "c1", "it was a vending machine", "dismissed", NOW)
    found = similar_cases(remembered, "vending machine", k=1)[0]
    assert (found.case_id, found.outcome, found.summary) == ("c1", "dismissed", "it was a vending machine")
    assert len(similar_cases(remembered, "anything", k=9)) == 3


def test_a_memory_joins_the_callers_transaction(remembered: Database) -> None:
    def fail_late() -> None:
        with remembered.connection() as connection:
            remember(connection, "c1", "never written", "dismissed", NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()
    assert "never written" not in [found.summary for found in similar_cases(remembered, "never written", k=9)]


def test_a_text_without_words_is_like_nothing(remembered: Database) -> None:
    assert {found.cosine for found in similar_cases(remembered, "", k=9)} == {0.0}
    remember(remembered, "c1", "", "dismissed", NOW)
    found = {one.case_id: one for one in similar_cases(remembered, "provider timeout", k=9)}
    assert found["c1"].cosine == 0.0
    assert found["c1"].score < found["c2"].score


def test_no_memory_at_all(database: Database) -> None:
    assert similar_cases(database, "anything", k=3) == []
