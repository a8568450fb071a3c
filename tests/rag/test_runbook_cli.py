"""`conclave runbook add|list` and `conclave ask` as a person and as a program see them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import build
from store.settings import settings

TEXT = "# Ops\n## Disk full\nNo space left on device.\n\n### Actions\n- Remove old logs.\n"


@pytest.fixture
def runner(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCLAVE_MODEL__ENABLED", "false")
    monkeypatch.setenv("CONCLAVE_HOME", str(tmp_path))
    settings.cache_clear()
    (tmp_path / "ops.md").write_text(TEXT)
    yield CliRunner()
    settings.cache_clear()


def said(runner: CliRunner, *arguments: str) -> str:
    result = runner.invoke(build(), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_add_list_and_ask(runner: CliRunner, tmp_path: Path) -> None:
    assert "The runbook is empty" in said(runner, "runbook", "list")
    path = str(tmp_path / "ops.md")
    assert said(runner, "runbook", "add", path) == "ops.md: 1 added, 0 changed, 0 unchanged, 0 removed\n"
    assert json.loads(said(runner, "runbook", "add", path, "--json"))["files"][0]["unchanged"] == 1
    assert said(runner, "runbook", "list").startswith("ops  Ops (ops.md, 1 sections, added ")
    assert json.loads(said(runner, "runbook", "list", "--json"))["documents"][0]["sections"] == 1
    answer = said(runner, "ask", "what to do when there is no space left on the disk")
    assert "- Remove old logs. [1]" in answer
    assert "[1] Ops > Disk full  (ops#ops/disk-full)" in answer
    assert "No model spoke (no model is wanted" in answer


def test_ask_as_json_and_what_the_runbook_does_not_say(runner: CliRunner, tmp_path: Path) -> None:
    said(runner, "runbook", "add", str(tmp_path / "ops.md"))
    found = json.loads(said(runner, "ask", "no space left on device", "--json"))
    assert (found["found"], found["citations"][0]["source_id"]) == (True, "ops#ops/disk-full")
    nothing = said(runner, "ask", "how do I bake bread")
    assert nothing.startswith("The runbook does not say.")
    assert "- Ops > Disk full  (ops#ops/disk-full)" in nothing


def test_a_file_that_is_not_there_is_one_sentence(runner: CliRunner, tmp_path: Path) -> None:
    from rag.errors import UnreadableRunbook

    with pytest.raises(UnreadableRunbook, match=r"nothing\.md: No such file"):
        said(runner, "runbook", "add", str(tmp_path / "nothing.md"))
