"""`conclave chat`, `documents` and `proposals` as a person sees them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import build
from store.database import Database
from store.settings import settings


@pytest.fixture
def said(database_url: str, world: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., str]]:
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_MODEL__ENABLED", "false")
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(build(), arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    yield run
    settings.cache_clear()


def test_chat_tells_and_goes_on(said: Callable[..., str]) -> None:
    first = said("chat", "What happened to account A12 last night?", "--now", "2026-03-05T09:00:00Z")
    assert "account A12 (EUR) had 14 payments, 1,720.00 EUR together" in first
    assert "[4] case-night on account A12 (EUR)  (ruling case-night)" in first
    name = first.rpartition("--in ")[2].strip()
    events = [
        json.loads(line)
        for line in said("chat", "and yesterday?", "--in", name, "--now", "2026-03-05T09:00:00Z", "--json").splitlines()
    ]
    assert events[0] == {"event": "conversation", "conversation_id": name, "question": 3}
    assert events[1]["spans"][0]["words"] == "yesterday"


def test_documents_are_added_listed_and_removed(said: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "gas.html"
    path.write_text("<h1>Gas</h1><p>Filled with helium.</p>")
    assert said("documents", "add", str(path)) == "gas.html: version 1, ready, 1 sections\n"
    assert said("documents", "list").startswith("gas  Gas (gas.html): version 1, ready")
    assert said("documents", "remove", "gas").startswith("gas: 1 versions emptied")
    assert "There are no documents" in said("documents", "list")


def test_a_proposal_is_made_and_accepted(said: Callable[..., str]) -> None:
    name = said("proposals", "make", "case-night").partition(" ")[0]
    assert name in said("proposals", "list")
    assert "document case-note-" in said("proposals", "accept", name)
    assert "There is no such proposal" in said("proposals", "list")
