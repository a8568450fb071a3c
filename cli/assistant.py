"""`conclave chat`, `conclave documents …` and `conclave proposals …`."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from assistant.lookups import Asking
    from store.database import Tenant
    from trust.roles import Caller

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Zone = Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Your time zone, as Europe/Berlin.")]
Moment = Annotated[
    str | None, typer.Option("--now", metavar="TIME", help="Ask as if it were then (RFC 3339); for replayed data.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why not.")]


def chat(
    question: Annotated[str, typer.Argument(help="A question in plain words, in quotation marks.")],
    conversation: Annotated[str | None, typer.Option("--in", metavar="ID", help="Go on with a conversation.")] = None,
    zone: Zone = None,
    now: Moment = None,
    as_json: AsJson = False,
) -> None:
    """Ask about accounts, services, cases, rulings, metrics or the runbook; each sentence cites what it rests on."""
    from assistant import conversations
    from assistant.asking import voice_for
    from store.settings import settings

    with _asking(zone, now) as (asking, caller):
        voice, why = voice_for(settings())
        events = conversations.ask(
            asking, caller, question, voice, fresh_id=f"chat-{secrets.token_hex(8)}", conversation_id=conversation,
            most=settings().assistant.max_question, turns=settings().assistant.history_turns,
            why=f"No model spoke ({why})." if why else "",
        )  # fmt: skip
        for line in _json_lines(events) if as_json else _lines(events):
            typer.echo(line)


def _json_lines(events: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    for name, data in events:
        yield json.dumps({"event": name, **data}, ensure_ascii=False)


def _lines(events: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """The answer as it is printed: sentences as they come, then the sources, then who spoke."""
    sources, last = [], {}
    for name, data in events:
        if name == "citation":
            sources.append(f"[{data['n']}] {data['title']}  ({data['kind']} {data['id']})")
        if name == "sentence":
            marks = "".join(f"[{number}]" for number in data["cites"])
            yield f"{data['text']} {marks}".rstrip() + ("" if data["supported"] else f"  (unsupported: {data['why']})")
        last = data
    if sources:
        yield "\nSources"
        yield from sources
    yield f"\n{last.get('why') or ''}\nGo on with --in {last['conversation_id']}".replace("\n\n", "\n")


def add(
    files: Annotated[list[Path], typer.Argument(help="Markdown, text, HTML or PDF.", metavar="FILE…")],
    keep: Annotated[bool, typer.Option("--keep-duplicate", help="Search it although its bytes are in use already.")] = False,
) -> None:
    """Upload documents and index them; the same name again is a new version."""
    from assistant import documents
    from assistant.errors import UnreadableDocument
    from assistant.loop import step
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        store, caller = database.of(settings().tenant), _caller()
        taken = []
        for path in files:
            try:
                raw = path.read_bytes()
            except OSError as error:
                raise UnreadableDocument(f"{path.name}: {error.strerror or error}") from error
            now, own = datetime.now(UTC), settings().assistant
            taken.append(documents.upload(store, caller, path.name, raw, now=now, settings=own, keep_duplicate=keep))
        while step(database, settings()):
            pass
        for one in taken:
            row = documents.version(store, caller.tenant, one["doc_id"], one["version"])
            typer.echo(f"{row['source']}: {_progress(row)}")


def _progress(row: dict[str, Any]) -> str:
    parts = [f"version {row['version']}", row["state"]]
    parts += [f"{row['sections']} sections"] if row["sections"] is not None else []
    parts += [row["why"]] if row["why"] else []
    parts += [f"{one['similarity']:.0%} like {one['doc_id']}" for one in row["near"] if row["state"] != "duplicate"]
    return ", ".join(parts)


def list_documents(as_json: AsJson = False) -> None:
    """List the documents with the state of their newest version."""
    from assistant import documents

    with _store() as store:
        rows = documents.listed(store, store.tenant, limit=10_000)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    for row in rows:
        typer.echo(f"{row['doc_id']}  {row['title']} ({row['source']}): {_progress(row)}")
    if not rows:
        typer.echo("There are no documents. Add one with `conclave documents add FILE`.")


def remove(
    doc_id: Annotated[str, typer.Argument(help="As `conclave documents list` names it.")],
    purge: Annotated[bool, typer.Option("--purge", help="Also what rulings and answers cite.")] = False,
) -> None:
    """Take a document out of search and empty its versions."""
    from assistant import documents

    with _store() as store:
        gone = documents.delete(store, _caller(), doc_id, purge=purge)
    typer.echo(
        f"{doc_id}: {gone['versions']} versions emptied, {gone['sections_kept_for_citations']} sections kept for citations"
    )


def propose(case_id: Annotated[str, typer.Argument(help="A resolved case.")]) -> None:
    """Draft a runbook section from a resolved case, to be reviewed."""
    from assistant import proposals
    from assistant.asking import voice_for
    from store.settings import settings

    with _asking(None, None) as (asking, caller):
        voice, why = voice_for(settings())
        row = proposals.propose(asking, caller.actor, case_id, voice, f"No model spoke ({why})." if why else "")
    typer.echo(_shown(row))


def list_proposals(
    state: Annotated[str, typer.Option("--state", help="proposed, accepted, rejected or all.")] = "proposed",
    as_json: AsJson = False,
) -> None:
    """List proposed sections, the newest first, with what became of them."""
    from assistant import proposals

    with _store() as store:
        rows = proposals.listed(store, store.tenant, limit=200, state=None if state == "all" else state)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    for row in rows:
        typer.echo(f"{row['proposal_id']}  {row['state']}  {row['title']} (from {row['case_id']}, version {row['version']})")
    if not rows:
        typer.echo("There is no such proposal. Draft one with `conclave proposals make CASE`.")


def accept(proposal_id: Annotated[str, typer.Argument(help="As `conclave proposals list` names it.")]) -> None:
    """Take a proposed section into the runbook."""
    from assistant import proposals

    with _store() as store:
        version = proposals.one_of(store, store.tenant, proposal_id)["version"]
        row = proposals.accept(store, _caller(), proposal_id, version, datetime.now(UTC))
    typer.echo(f"{row['title']}: document {row['doc_id']}")


def reject(proposal_id: Annotated[str, typer.Argument(help="As `conclave proposals list` names it.")], reason: Reason) -> None:
    """Turn a proposed section down; it is never searched."""
    from assistant import proposals

    with _store() as store:
        version = proposals.one_of(store, store.tenant, proposal_id)["version"]
        row = proposals.reject(store, _caller(), proposal_id, version, datetime.now(UTC), reason)
    typer.echo(f"{row['title']}: rejected")


def _shown(row: dict[str, Any]) -> str:
    head = f"{row['proposal_id']} ({row['state']}, version {row['version']}, drafted by {row['drafted_by']})"
    return f"{head}\n\n# {row['title']}\n\n{row['body']}\n"


def _caller() -> "Caller":
    from store.settings import settings
    from trust.roles import Caller, Role

    return Caller(settings().tenant, "system:cli", "command line", Role.admin)


@contextmanager
def _store() -> "Iterator[Tenant]":
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        yield database.of(settings().tenant)


@contextmanager
def _asking(zone: str | None, now: str | None) -> "Iterator[tuple[Asking, Caller]]":
    from assistant.asking import asking_of
    from store.settings import settings

    try:
        moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
    except ValueError:
        raise typer.BadParameter(f"{now!r} is no time such as 2026-03-05T09:00:00Z", param_hint="--now") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    with _store() as store:
        yield asking_of(store, store.tenant, moment, settings(), zone), _caller()
