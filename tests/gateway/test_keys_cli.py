"""`conclave keys` and `conclave audit verify`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import app
from store.database import Database
from store.settings import settings

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in this process, on the test's database."""
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    yield lambda group, name, *words: CliRunner().invoke(app.load(f"{group} {name}"), list(words))
    settings.cache_clear()


def test_keys_are_made_used_and_ended(run: Run, database: Database) -> None:
    made = json.loads(run("keys", "create", "shop", "--role", "analyst", "--scope", "events", "--days", "2", "--json").stdout)
    listed = run("keys", "list").stdout
    assert made["key_id"] in listed
    assert made["key"] not in listed
    assert "shop (events), never used" in listed
    rotated = json.loads(run("keys", "rotate", made["key_id"], "--grace-hours", "0", "--json").stdout)
    assert run("keys", "revoke", rotated["key_id"]).exit_code == 0
    gone = run("keys", "revoke", rotated["key_id"])
    assert (gone.exit_code, "conclave keys list" in str(gone.exception)) == (1, True)
    assert "main: 3 entries hold" in run("audit", "verify").stdout
    with database.connection() as connection:
        connection.execute("alter table audit_log disable trigger all")
        connection.execute("delete from audit_log where seq = 2")
    broken = run("audit", "verify", "--tenant", "main")
    assert (broken.exit_code, "broken at entry 2" in broken.stdout) == (1, True)
