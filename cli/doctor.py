"""`conclave check`, also `doctor`: everything that Conclave needs, each with its state and the way to mend it."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from jobs.startup import checkpoints, machine, ports
from jobs.startup import examine as examine_jobs
from jobs.startup import found as findings_of
from jobs.startup.finding import Finding
from store.settings import Settings

MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}


def check(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check Java, jars, folders, disk, limits, database, clock, Kafka, checkpoints, ports and model, and say how to mend them.

    Every job makes the checks that concern it when it starts. Exit code 1 when something keeps a job from starting; a warning
    alone is 0.
    """
    from store.settings import settings

    findings = list(examine(settings(), datetime.now(UTC)))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


def show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "what", "how it is", "what to do", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for finding in findings:
        table.add_row(MARKS[finding.state], f"[bold]{escape(finding.what)}[/]", escape(finding.said), escape(finding.fix))
    Console().print(table)


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Every check that applies to these settings."""
    yield python()
    yield from findings_of([("jars", lambda: machine.jars(settings))])
    looked = list(examine_jobs(settings, ("ingest", "detect"), now))
    yield from looked
    if not any(finding.what == "database" and finding.state != "ok" for finding in looked):
        yield from findings_of([(job, lambda job=job: checkpoints.running(settings, job)) for job in ("ingest", "detect")])  # type: ignore[misc]
    for name, at in (("dashboard", settings.dashboard), ("gateway", settings.gateway)):
        yield ports.port(name, at.host, at.port)
    yield model(settings)


def python() -> Finding:
    version = ".".join(str(number) for number in sys.version_info[:3])
    return Finding("python", "ok", f"{version} ({sys.executable})")


def model(settings: Settings) -> Finding:
    """A missing model is a warning: the rules council rules without one."""
    wanted = settings.model
    if not wanted.enabled:
        return Finding("model", "ok", "switched off; the rules council rules")
    try:
        names = _model_names(wanted.base_url)
    except (urllib.error.URLError, OSError, ValueError) as error:
        said = f"{wanted.base_url} does not answer ({getattr(error, 'reason', error)}); until it does, the rules council rules"
        return Finding("model", "warn", said, "start Ollama (`ollama serve`), or set CONCLAVE_MODEL__BASE_URL")
    if not {wanted.name, f"{wanted.name}:latest"} & names:
        said = f"{wanted.base_url} answers but has no {wanted.name}; the rules council rules"
        return Finding("model", "warn", said, f"run `ollama pull {wanted.name}`, or set CONCLAVE_MODEL__NAME")
    return Finding("model", "ok", f"{wanted.name} at {wanted.base_url}")


def _model_names(base_url: str) -> set[str]:
    if not base_url.startswith(("http://", "https://")):
        raise ValueError(f"{base_url} is no HTTP address")
    with urllib.request.urlopen(f"{base_url.rstrip('/')}/api/tags", timeout=3) as answer:  # noqa: S310 - checked above
        listed: dict[str, Any] = json.load(answer)
    return {str(entry["name"]) for entry in listed.get("models", [])}
