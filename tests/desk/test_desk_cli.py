"""`conclave cases` and `conclave commands`, on the settings' database."""

import json
from collections.abc import Callable, Iterator

import pytest

from cli import app, desk
from desk import intake
from store import settings as settings_module
from store.database import Database
from store.sections.desk import Desk

Ruled = Callable[..., str]


@pytest.fixture
def typed(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command in this process; what it printed."""
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    settings_module.settings.cache_clear()

    def run(*words: str) -> str:
        path, rest = " ".join(words[:2]), list(words[2:])
        app.load(path).main(rest, standalone_mode=False)
        return capsys.readouterr().out

    return run


@pytest.fixture(autouse=True)
def _settings_read_anew() -> Iterator[None]:
    yield
    settings_module.settings.cache_clear()


def test_a_case_from_list_to_dismissal(database: Database, ruled: Ruled, typed: Callable[..., str]) -> None:
    assert "Nothing needs you." in typed("cases", "list")
    case_id = ruled("one", "account:\x1b[31mA/EUR", events=[{"amount": 1000.0}])
    intake.take(database, Desk())
    said = typed("cases", "list")
    assert (case_id in said, "\x1b" in said, "640.00 EUR" in said) == (True, False, True)
    assert "is acknowledged" in typed("cases", "acknowledge", case_id)
    typed("cases", "comment", case_id, "looked at it")
    typed("cases", "dismiss", case_id, "--reason", "customer_verified", "--why", "on the phone")
    shown = typed("cases", "show", case_id)
    assert "looked at it" in shown
    assert "the customer confirmed it (on the phone)" in shown
    assert json.loads(typed("cases", "list", "--closed", "--json"))["cases"][0]["status"] == "dismissed"
    assert "is open" in typed("cases", "reopen", case_id)


def test_a_command_from_list_to_done_by_hand(database: Database, ruled: Ruled, typed: Callable[..., str]) -> None:
    ruled("one")
    intake.take(database, Desk())
    command_id = json.loads(typed("commands", "list", "--json"))["commands"][0]["command_id"]
    assert "is approved" in typed("commands", "approve", command_id, "--why", "clear")
    assert "No command waits." in typed("commands", "list")
    assert "is executed" in typed("commands", "done", command_id)
    assert "step up auth" in typed("commands", "list", "--all")


def test_text_from_outside_cannot_move_the_cursor() -> None:
    assert desk.printable("a\x1b[2J\u202eb") == "a�[2J�b"
