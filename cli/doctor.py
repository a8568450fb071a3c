"""`conclave doctor`: everything that Conclave needs, each with its state and the way to mend it."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli import system
from store.errors import ConclaveError
from store.settings import Settings

State = Literal["ok", "warn", "fail"]
MARKS = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the fix when it is not well."""

    what: str
    state: State
    said: str
    fix: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check Java, Python, jars, database, Kafka, model and disk, and say how to mend what is wrong.

    Exit code 1 when something that Conclave cannot do without is missing; a warning alone is 0.
    """
    from store.settings import settings

    findings = list(examine(settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


def show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True)
    for finding in findings:
        console.print(f"{MARKS[finding.state]} [bold]{escape(finding.what):<9}[/] {escape(finding.said)}", highlight=False)
        if finding.fix:
            console.print(f"               → {escape(finding.fix)}", highlight=False)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every check that applies to these settings; one that breaks on an error of ours is a failure, not the end."""
    checks: list[Callable[[Settings], Finding | list[Finding]]] = [python, java, jars, database]
    checks += [kafka] if settings.source.kind == "kafka" else []
    for check in [*checks, model, disk]:
        try:
            found = check(settings)
        except ConclaveError as error:
            found = Finding(check.__name__, "fail", str(error))
        yield from found if isinstance(found, list) else [found]


def python(_: Settings) -> Finding:
    version = ".".join(str(number) for number in sys.version_info[:3])
    return Finding("python", "ok", f"{version} ({sys.executable})")


def java(_: Settings) -> Finding:
    program, major = system.java_version(os.environ.get("JAVA_HOME"))
    if major is None:
        return Finding("java", "fail", f"`{program}` does not run; Spark needs Java 17 or newer.", _install("java"))
    if major < 17:
        return Finding("java", "fail", f"`{program}` is Java {major}; Spark needs 17 or newer.", _install("java"))
    return Finding("java", "ok", f"Java {major} ({program})")


def _install(what: str) -> str:
    command = system.install_command(what, system.package_managers(), root=os.geteuid() == 0)
    return f"install it: {command}" if command else f"install {what} with this system's package manager"


def jars(_: Settings) -> Finding:
    from jobs.jars import missing

    if lacking := missing():
        return Finding("jars", "fail", f"missing or damaged: {', '.join(lacking)}", "run `conclave jars` (19 MB, once)")
    return Finding("jars", "ok", "all there, each with its pinned sha256")


def database(settings: Settings) -> list[Finding]:
    from store import database as databases
    from store import embedded, migrations

    if databases.is_embedded(settings) and not embedded.exists(settings.home):
        return [Finding("database", "ok", f"embedded Postgres, made in {settings.home}/postgres at the first start")]
    address = databases.url(settings)
    with databases.connect(address) as connection:
        server = databases.fetch(connection, "status_server")[0]
        available = {row["name"] for row in connection.execute("select name from pg_available_extensions")}
        left = migrations.pending(migrations.known(), migrations.applied(connection))
    kind = "embedded Postgres" if databases.is_embedded(settings) else "Postgres"
    return [
        Finding("database", "ok", f"{kind} {server['version']} at {databases.place_of(address)}"),
        _extensions(server["extensions"], available),
        Finding(
            "schema", "warn", f"{len(left)} migrations to apply", "run `conclave migrate`; the jobs also do it when they start"
        )
        if left
        else Finding("schema", "ok", f"migrated to {migrations.known()[-1].name}"),
    ]


def _extensions(installed: dict[str, str], available: set[str]) -> Finding:
    if "vector" not in installed and "vector" not in available:
        return Finding(
            "pgvector", "fail", "this server has no pgvector.", "install pgvector on the server, or use the embedded one"
        )
    wanted = {name: installed.get(name) for name in ("vector", "timescaledb") if name in installed or name in available}
    said = ", ".join(f"{name} {version or 'available'}" for name, version in wanted.items())
    return Finding("pgvector", "ok", said if "timescaledb" in wanted else f"{said}; plain tables, no timescaledb")


def kafka(settings: Settings) -> Finding:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from jobs.targets import client_options

    options: dict[str, str | int | float | bool] = {"bootstrap.servers": settings.source.kafka_servers, "log_level": 0}
    options.update(client_options(settings.source.kafka_options))
    wanted = {topic.strip() for topic in settings.source.kafka_topics.split(",")}
    try:
        there = set(AdminClient(options).list_topics(timeout=5).topics)
    except KafkaException as error:
        fix = "start the broker, or set CONCLAVE_SOURCE__KAFKA_SERVERS and CONCLAVE_SOURCE__KAFKA_OPTIONS"
        return Finding("kafka", "fail", f"{settings.source.kafka_servers} does not answer ({error.args[0].str()})", fix)
    if lacking := sorted(wanted - there):
        return Finding("kafka", "fail", f"no topic {', '.join(lacking)}", "create it, or set CONCLAVE_SOURCE__KAFKA_TOPICS")
    return Finding("kafka", "ok", f"{settings.source.kafka_servers}, topics {', '.join(sorted(wanted))}")


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


def disk(settings: Settings) -> Finding:
    folder = settings.home.absolute()
    there = next(parent for parent in [folder, *folder.parents] if parent.exists())
    return disk_finding(shutil.disk_usage(there).free, folder)


def disk_finding(free: int, folder: Path) -> Finding:
    """Below 1 GB nothing can run for long, below 5 GB not for days; `free` in bytes."""
    said = f"{free / GIGABYTE:.1f} GB free at {folder}"
    fix = "free some space, or set CONCLAVE_HOME to another disk"
    if free < GIGABYTE:
        return Finding("disk", "fail", said, fix)
    return Finding("disk", "warn", said, fix) if free < 5 * GIGABYTE else Finding("disk", "ok", said)
