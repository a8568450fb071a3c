"""`conclave topics|segments|processors|lists`: from a file to what acts, and what is said when it cannot."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from pipelines.pins import Pins
from store.database import Database
from store.settings import settings


@pytest.fixture
def here(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The process's settings name the fresh database."""
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def conclave(*words: str) -> Result:
    return CliRunner().invoke(app.build(), list(words))


def done(*words: str) -> str:
    result = conclave(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_from_files_to_what_acts(here: Path, database: Database) -> None:
    (here / "stolen.csv").write_text("A1\nA2\n")
    (here / "deny.toml").write_text('kind = "deny"\nlist = "stolen"\n')
    done("lists", "put", "stolen", str(here / "stolen.csv"))
    assert "version 1" in done("processors", "create", "stolen-cards", str(here / "deny.toml"), "--why", "schemes")
    done("topics", "create", "payments", "--kind", "transaction")
    done("segments", "put", "shop", "stolen-cards", "--topic", "payments", "--filter", "amount > 1.0")
    assert not Pins(database).take("q", 0), "no version is live"
    done("processors", "live", "stolen-cards", "1")
    [segment] = Pins(database).take("q", 1).tenants["main"].segments
    assert (segment.topic, segment.steps[0].listing.keys.to_pylist()) == ("payments", ["A1", "A2"])  # type: ignore[union-attr]
    shown = json.loads(done("processors", "show", "stolen-cards"))
    assert (shown["live_version"], shown["changes"][0]["action"], shown["versions"][0]["why"]) == (1, "live", "schemes")
    rows = [json.loads(line) for line in done("processors", "list", "--json").splitlines()]
    assert [(row["processor"], row["segments"]) for row in rows] == [("stolen-cards", ["shop"])]
    done("processors", "retire", "stolen-cards")
    assert "segment shop" in done("topics", "delete", "payments", "--cascade")


def test_what_cannot_be_is_said(here: Path, database: Database) -> None:
    (here / "bad.json").write_text('{"kind": "rule", "when": "amout > 3"}')
    for words, said in [
        (("processors", "create", "p", str(here / "bad.json")), "did you mean `amount`?"),
        (("processors", "live", "nobody", "1"), "nobody"), (("segments", "put", "s", "nobody"), "nobody"),
        (("processors", "dry-run", str(here / "bad.json")), "did you mean `amount`?"),
        (("segments", "put", "Bad Name"), "lower-case"), (("lists", "delete", "nobody"), "nobody"),
    ]:  # fmt: skip
        result = conclave(*words)
        assert result.exit_code != 0
        assert said in f"{result.output}{result.exception}", words
    (here / "good.json").write_text('{"kind": "rule", "when": "amount > 3.0"}')
    assert "There are no events yet." in done("processors", "dry-run", str(here / "good.json"))
