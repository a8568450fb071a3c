"""Rulings become cases: opened, joined, grown, come back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from desk import cases, intake, loop, timeline
from store.database import Database
from store.sections.desk import Desk
from store.settings import Settings


def test_a_confirmed_ruling_opens_a_case_once(database: Database, ruled: Callable[..., str], messages: Any) -> None:
    case_id = ruled("one", severity=0.9, events=[{"amount": 1000.0}])
    while loop.step(database, Settings()):
        pass
    assert intake.take(database, Desk()) == 0
    view = database.of("main")
    page = cases.inbox(view, "main")
    assert [(row["case_id"], row["status"], row["proposals"]) for row in page.items] == [(case_id, "open", 1)]
    whole = cases.case(view, "main", case_id)
    assert whole["expected_loss"] == 1000 * 0.9 * 0.8
    assert whole["loss_words"] == "at least 1,000.00 EUR in 1 payment × severity 0.90 × confidence 0.80 = 720.00 EUR"
    assert [m["kind"] for m in messages()] == ["ruling.confirmed", "case.opened", "command.proposed"]
    story = timeline.read(view, "main", case_id)
    assert {row["source"] for row in story} == {"entry", "ruling", "command"}
    assert whole["ack_due_at"] - whole["opened_at"] == timedelta(minutes=15)


def test_a_dismissed_ruling_opens_none(database: Database, ruled: Callable[..., str]) -> None:
    ruled("one", outcome="dismissed")
    assert intake.take(database, Desk()) == 1
    assert cases.inbox(database.of("main"), "main").items == []
