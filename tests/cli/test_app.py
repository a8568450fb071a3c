"""The command line as a person meets it: quick help, one sentence per error, exit codes."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import app, logs

HEAVY = ("pyspark", "langchain_core", "langgraph", "streamlit", "psycopg", "pydantic_settings", "pandas", "numpy", "structlog")


Conclave = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("words", [["--help"], ["runbook", "--help"], ["quarantine"], []])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from cli import app
sys.argv = ["conclave", *{words!r}]
try:
    app.main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Usage: conclave" in done.stdout + done.stderr


def test_the_overview_names_every_command(conclave: Conclave) -> None:
    said = conclave("--help", COLUMNS="120").stdout
    for path in app.COMMANDS:
        assert f" {path.split()[0]} " in said


@pytest.mark.parametrize("path", app.COMMANDS)
def test_every_command_explains_itself_and_its_options(path: str) -> None:
    command = app.load(path)
    assert len(command.help or "") > 30
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", f"{path}: {parameter.name}"


def test_an_error_of_ours_is_one_sentence(conclave: Conclave) -> None:
    done = conclave("status", CONCLAVE_RETENTION__METRICS_DAYS="none")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "retention.metrics_days" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(conclave: Conclave) -> None:
    done = conclave("--debug", "status", CONCLAVE_RETENTION__METRICS_DAYS="none")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_database_that_is_away_is_said_with_the_fix(conclave: Conclave, tmp_path: Path) -> None:
    done = conclave("migrate", cwd=tmp_path, CONCLAVE_DATABASE_URL="postgresql://nobody:topsecret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "CONCLAVE_DATABASE_URL" in done.stderr
    assert "topsecret" not in done.stderr


def test_wrong_usage_is_2_and_a_typing_error_gets_a_hint(conclave: Conclave) -> None:
    assert conclave("status", "--no-such-option").returncode == 2
    done = conclave("demoo")
    assert done.returncode == 2
    assert "demo" in done.stderr


def test_a_part_that_is_not_installed_breaks_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.COMMANDS, "status", app.Entry("cli.no_such_part", "status", "", ""))
    with pytest.raises(app.PartMissing, match="no_such_part"):
        app.load("status")
    assert app.load("doctor").name == "doctor"


def test_the_version_is_said(conclave: Conclave) -> None:
    assert conclave("--version").stdout.startswith("conclave ")


@pytest.fixture
def _own_root_logger() -> object:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before[0], before[1]


@pytest.mark.usefixtures("_own_root_logger")
def test_logs_are_json_lines_where_no_person_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    import structlog

    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("info", human=False)
    structlog.get_logger("a").info("batch", events=3)
    logging.getLogger("b").warning("from %s", "the library")
    logging.getLogger("b").debug("not shown")
    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert (first["event"], first["events"], first["level"]) == ("batch", 3, "info")
    assert (second["event"], second["level"], second["logger"]) == ("from the library", "warning", "b")
