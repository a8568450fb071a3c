"""`conclave topics|segments|processors|lists …`: what is declared over the stream, its versions, and trying them."""

import json
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from store.database import Database

ACTOR = "system:cli"
ALL = 10_000
Name = Annotated[str, typer.Argument(help="Its name.")]
Tenant = Annotated[str | None, typer.Option(help="Whose. Default: the tenant of the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option(help="Why it is done; kept in its history.")]
Cascade = Annotated[bool, typer.Option("--cascade", help="Remove what depends on it, too.")]
SpecFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Its configuration as TOML or JSON.")]


@contextmanager
def opened(tenant: str | None) -> "Iterator[tuple[Database, str]]":
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        yield database, tenant or settings().tenant


def told(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...], nothing: str) -> None:
    """Rows as a table for people, or as JSON lines."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(nothing)
        return
    table = Table(*(name.replace("_", " ") for name in columns), box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(shown(row[name])) for name in columns))
    Console().print(table)


def shown(value: Any) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def read_file(path: Path) -> dict[str, Any]:
    """A file of TOML (by its suffix) or JSON; raises BadParameter."""
    try:
        found = tomllib.loads(path.read_text()) if path.suffix == ".toml" else json.loads(path.read_text())
    except (ValueError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path.name}: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path.name} holds no table of names and values")
    return found


def list_topics(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the topics with what depends on them."""
    with opened(tenant) as (database, whose):
        rows = database.fetch("list_topics", tenant=whose, after="", limit=ALL)
    told(rows, as_json, ("topic", "kind", "partitions", "in_kafka", "description"), "No topics are registered.")


def create_topic(
    name: Name,
    kind: Annotated[str, typer.Option(help="transaction, request, measurement or mixed")] = "mixed",
    partitions: Annotated[int, typer.Option(min=1, help="Of the Kafka topic.")] = 1,
    retention_s: Annotated[int | None, typer.Option(min=60, help="Of the Kafka topic.")] = None,
    schema: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="JSON schema of its events.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    tenant: Tenant = None,
) -> None:
    """Register a topic; it is made in Kafka as well where Kafka is the source."""
    from pipelines import topics
    from store.settings import settings

    if kind not in ("transaction", "request", "measurement", "mixed"):
        raise typer.BadParameter("say transaction, request, measurement or mixed", param_hint="--kind")
    wanted = topics.Topic(name, kind, read_file(schema) if schema else {}, partitions, retention_s, description)
    with opened(tenant) as (database, whose), database.connection() as connection:
        made = topics.create(connection, whose, wanted, settings(), actor=ACTOR)
    more = "" if made["ingested"] else "; name it in source.kafka_topics, so that ingest reads it"
    typer.echo(f"topic {name}{' made in Kafka' if made['in_kafka'] else ''}{more}")


def delete_topic(name: Name, cascade: Cascade = False, tenant: Tenant = None) -> None:
    """Delete a topic; says what depends on it."""
    from pipelines import topics
    from store.settings import settings

    with opened(tenant) as (database, whose), database.connection() as connection:
        gone = topics.remove(connection, whose, name, settings(), actor=ACTOR, cascade=cascade)
    typer.echo(", ".join([f"topic {name} deleted", *gone]))


def list_segments(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the segments with their filters and processors."""
    with opened(tenant) as (database, whose):
        rows = database.fetch("list_segments", tenant=whose, after="", limit=ALL)
    told(rows, as_json, ("segment", "topic", "filter", "processors", "enabled"), "There are no segments.")


def put_segment(
    name: Name,
    processors: Annotated[list[str] | None, typer.Argument(help="Processors, in the order in which they act.")] = None,
    topic: Annotated[str, typer.Option(help="`*` is every topic.")] = "*",
    filter: Annotated[str, typer.Option(help="CEL over the event; none takes all.")] = "",
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether it acts.")] = True,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    tenant: Tenant = None,
) -> None:
    """Make or change a segment: a filter on a topic, and the processors that act on what passes."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        catalogue.put_segment(connection, whose, name, topic=topic, filter=filter, processors=processors or [], enabled=enabled,
                              description=description, actor=ACTOR)  # fmt: skip
    typer.echo(f"segment {name}: {len(processors or [])} processors, from the next batch on")


def delete_segment(name: Name, tenant: Tenant = None) -> None:
    """Delete a segment; its processors stay."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        catalogue.remove_segment(connection, whose, name, actor=ACTOR)


def list_processors(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the processors, and what they did in the last 24 hours."""
    with opened(tenant) as (database, whose):
        rows = database.fetch("list_processors", tenant=whose, after="", limit=ALL)
    columns = ("processor", "kind", "live_version", "newest_version", "segments", "evaluated_24h", "hit_24h", "errors_24h")
    told(rows, as_json, columns, "There are no processors.")


def show_processor(name: Name, tenant: Tenant = None) -> None:
    """Show a processor with its versions and its history, as JSON."""
    from pipelines.guard import known

    with opened(tenant) as (database, whose):
        which: dict[str, Any] = {"tenant": whose, "processor": name}
        found = known(database.fetch("find_processor", **which), name)
        found["versions"] = database.fetch("list_versions_of", **which, limit=100)
        found["changes"] = database.fetch("changes_of", **which, limit=100)
        found["outcomes"] = database.fetch("rule_outcomes", **which, hour=None, version=None, segment=None, limit=24)
    typer.echo(json.dumps(found, default=str, indent=2))


def put_processor(
    name: Name,
    file: SpecFile,
    live: Annotated[bool, typer.Option("--live", help="Let it act from the next batch on.")] = False,
    why: Why = "",
    tenant: Tenant = None,
) -> None:
    """Make a processor from a file, or a new version of it when it is there."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        version = catalogue.put(connection, whose, name, read_file(file), actor=ACTOR, why=why, live=live)
    typer.echo(f"{name} version {version}{' is live from the next batch on' if live else ''}")


def live(
    name: Name, version: Annotated[int, typer.Argument(min=1, help="Of its versions.")], why: Why = "", tenant: Tenant = None
) -> None:
    """Let a version act from the next batch on."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        catalogue.set_live(connection, whose, name, version, actor=ACTOR, why=why)
    typer.echo(f"{name} version {version} is live from the next batch on")


def retire(name: Name, why: Why = "", tenant: Tenant = None) -> None:
    """Let a processor act no more; its versions stay."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        catalogue.retire(connection, whose, name, actor=ACTOR, why=why)
    typer.echo(f"{name} does not act from the next batch on")


def delete_processor(name: Name, cascade: Cascade = False, tenant: Tenant = None) -> None:
    """Delete a processor; says which segments use it. What it counted stays."""
    from pipelines import catalogue

    with opened(tenant) as (database, whose), database.connection() as connection:
        users = catalogue.remove(connection, whose, name, actor=ACTOR, cascade=cascade)
    typer.echo(", ".join([f"{name} deleted", *(f"taken out of segment {one}" for one in users)]))


def try_processor(
    name: Annotated[str, typer.Argument(help="A processor, or a file with a configuration.")],
    version: Annotated[int | None, typer.Option(min=1, help="Default: the newest.")] = None,
    events: Annotated[int, typer.Option(min=1, help="How many of the newest events.")] = 10_000,
    topic: Annotated[str, typer.Option(help="`*` is every topic.")] = "*",
    filter: Annotated[str, typer.Option(help="CEL over the event.")] = "",
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Try a processor on the newest events, without keeping anything."""
    from dataclasses import asdict

    from jobs.detectors import chosen
    from pipelines.dry_run import dry_run
    from store.settings import settings

    usual = {one.name: one.threshold for one in chosen(tuple(settings().detect.detectors))} | settings().detect.thresholds
    with opened(tenant) as (database, whose):
        spec = read_file(Path(name)) if Path(name).is_file() else version_of(database, whose, name, version)
        found = dry_run(database, settings(), whose, spec, events=events, topic=topic, filter=filter, usual=usual)
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str))
        return
    typer.echo(
        f"{found.evaluated:,} {found.over}: {found.hits:,} hits, {found.errors:,} could not be told, {found.took_ms:,.0f} ms"
    )
    for one in found.sample[:5]:
        typer.echo(f"  hit {json.dumps(one, default=str)[:300]}")
    for one in found.unclear[:2]:
        typer.echo(f"  could not be told {json.dumps(one, default=str)[:300]}")
    if found.note:
        typer.echo(found.note)


def version_of(database: "Database", tenant: str, name: str, version: int | None) -> dict[str, Any]:
    from pipelines.guard import known

    held = known(database.fetch("find_processor", tenant=tenant, processor=name), name)
    number = held["newest_version"] if version is None else version
    row = known(database.fetch("find_version", tenant=tenant, processor=name, version=number), f"{name} version {number}")
    spec: dict[str, Any] = row["spec"]
    return spec


def list_lists(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """List the data lists with their versions and sizes."""
    with opened(tenant) as (database, whose):
        rows = database.fetch("all_lists", tenant=whose, after="", limit=ALL)
    told(rows, as_json, ("list", "items", "live_version", "holds", "columns", "description"), "There are no lists.")


def put_list(
    name: Name,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV; the first column is the key.")],
    holds: Annotated[str, typer.Option(help="What its keys are: account, counterparty or other.")] = "other",
    why: Why = "",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    tenant: Tenant = None,
) -> None:
    """Write a version of a data list from a CSV file; it acts from the next batch on."""
    from pipelines import lists
    from store.settings import settings

    if holds not in ("account", "counterparty", "other"):
        raise typer.BadParameter("say account, counterparty or other", param_hint="--holds")
    with opened(tenant) as (database, whose):
        protect = lists.protector(settings(), database, whose)
        with database.connection() as connection:
            version = lists.put_list(
                connection, whose, name, lists.from_csv(file.read_text()), actor=ACTOR, why=why, description=description,
                holds=holds, protect=protect, most=settings().pipelines.list_items,
            )  # fmt: skip
    typer.echo(f"list {name} version {version} acts from the next batch on")


def delete_list(name: Name, tenant: Tenant = None) -> None:
    """Delete a data list; says what uses it."""
    from pipelines import lists

    with opened(tenant) as (database, whose), database.connection() as connection:
        lists.remove_list(connection, whose, name, actor=ACTOR)
