"""What a person sees of a docket that was too deep: the command line, status, and the case's own timeline."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import typer

from cli import docket, status
from desk import loop, timeline
from rag import filing
from rag.worker import Worker
from store.database import Database
from store.settings import Settings, settings


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The process's settings: a docket with room for two."""
    for name, value in {
        "DATABASE_URL": database_url,
        "HOME": str(tmp_path),
        "COUNCIL__MAX_DEPTH": "2",
        "MODEL__ENABLED": "false",
    }.items():
        monkeypatch.setenv(f"CONCLAVE_{name}", value)
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


@pytest.fixture
def filed(database: Database, here: Settings, put_cases: Any, make_case: Any, make_hit: Any) -> None:
    """Five cases, of which three were filed."""
    put_cases(*(make_case(str(n), [make_hit(severity=0.8)]) for n in range(5)))
    assert filing.file_overflow(database, here) == 3


@pytest.mark.usefixtures("filed")
def test_what_is_filed_is_shown_with_its_expected_loss(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    docket.show()
    said = capsys.readouterr().out
    assert "batch lane: 3 shed" in said
    assert "3 cases are filed for want of room" in said
    assert "case-ep2  account:A12/EUR  at least 1,200.00 EUR in 1 payment" in said
    docket.show(as_json=True)
    assert json.loads(capsys.readouterr().out)["totals"]["filed"] == 3
    status.show(status.read(database))
    assert "3 cases are filed for want of room" in capsys.readouterr().out


@pytest.mark.usefixtures("filed")
def test_a_receipt_says_why_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    docket.receipts("case-ep4")
    assert "filed: 5 cases stood in the batch lane, which has room for 2; 5 of 5, at least" in capsys.readouterr().out
    docket.receipts("case-ep0")
    assert "has no receipt" in capsys.readouterr().out


@pytest.mark.usefixtures("filed")
def test_cases_are_put_back_as_far_as_there_is_room_and_a_named_one_anyway(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    docket.unshed(every=True, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"back": 0, "left": 3}
    docket.unshed(["case-ep4"], as_json=True)
    assert json.loads(capsys.readouterr().out) == {"back": 1, "left": 2}
    with database.connection() as connection:
        connection.execute("update docket set state = 'done' where case_id = 'case-ep0'")
    docket.unshed(every=True, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"back": 1, "left": 1}
    docket.receipts("case-ep4")
    assert "(retry)" in capsys.readouterr().out
    with pytest.raises(typer.BadParameter):
        docket.unshed()


@pytest.mark.usefixtures("filed")
def test_the_timeline_of_a_case_that_was_filed_says_so(database: Database, here: Settings) -> None:
    assert Worker(database, here, Event()).run(once=True).cases == 5
    while loop.step(database, here):
        pass
    with database.connection() as connection:
        heads = [row["case_id"] for row in connection.execute("select case_id from case_files where head is null")]
    told = [row for head in heads for row in timeline.read(database.of("main"), "main", head) if row["source"] == "receipt"]
    assert len([row for row in told if "filed it for want of room: " in row["said"]]) == 3
    assert len([row for row in told if row["said"] == "put it back (unshed)"]) == 3
    assert told[0]["detail"]["policy"]["room"] == 2
