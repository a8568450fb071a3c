"""`conclave traces`, and the part of `conclave operate` that scores."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from observe_rows import BAD, GOOD, span

from cli import app, observing
from observe.intake import Taken
from store.database import Database
from store.settings import Settings, settings

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    yield lambda name, *words: CliRunner().invoke(app.load(f"traces {name}"), list(words))
    settings.cache_clear()


def test_projects_worst_and_report(run: Run, database: Database, settings: Settings, send: Callable[..., Taken]) -> None:
    assert "No project has sent a trace yet" in run("projects").stdout
    now = datetime.now(UTC) - timedelta(minutes=1)
    bad = span("b", output=f"{GOOD} {BAD}", started_at=now, model="mystery\x1b[2J")
    send(span("a", started_at=now), bad, now=now)
    assert observing.step(database, settings) > 0
    assert run("projects").stdout.startswith("shop  2 traces (0 to be scored")
    worst = run("worst", "--limit", "1").stdout
    assert f"✓ {GOOD}" in worst
    assert f"✗ {BAD}  (the contexts do not contain 40)" in worst
    assert "\x1b" not in worst + run("report").stdout  # a terminal takes what it is sent literally
    report = run("report").stdout
    assert "2 traces came in, 2 were kept" in report
    assert "context recall: unknown" in report
    found = json.loads(run("report", "--json").stdout)
    assert found["overview"]["measured"]["volume"]["estimate"]["value"] == 2
    assert run("worst", "--metric", "luck").exit_code == 2


def test_the_judge_is_only_there_when_wanted_and_present(
    database: Database, settings: Settings, send: Callable[..., Taken]
) -> None:  # fmt: skip
    assert observing.judge_of(database, settings) is None
    wanted = settings.model_copy(update={"observe": settings.observe.model_copy(update={"judge": True})})
    nobody = wanted.model_copy(update={"model": wanted.model.model_copy(update={"base_url": "http://127.0.0.1:9"})})
    now = datetime.now(UTC) - timedelta(minutes=1)
    send(span("t", started_at=now), now=now)
    observing.step(database, nobody)
    assert database.fetch("judging_waits")
    assert observing.judge_of(database, nobody) is None  # the model is away: the trace waits for it
