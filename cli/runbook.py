"""`conclave runbook add|list` and `conclave ask`."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rag.answer import Answer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add(
    files: Annotated[list[Path], typer.Argument(help="Markdown files; each heading begins a section.", metavar="FILE…")],
    as_json: AsJson = False,
) -> None:
    """Add runbook files, or bring them up to date; only sections that changed are embedded again.

    A document is known by its file name, so adding the changed file again replaces its sections. Headings such as Symptoms,
    Checks and Actions stay with their topic. A first line `tags: kind=service, detector=latency` under a heading says which
    cases the section is for.
    """
    from rag.runbook import add_file, reembed
    from store.database import open_database
    from store.settings import settings

    done = []
    with open_database(settings()) as database:
        for path in files:
            with _progress(path.name) as report:
                done.append(add_file(database, path, report, tenant=settings().tenant))
            if not as_json:
                one = done[-1]
                typer.echo(
                    f"{path.name}: {one.added} added, {one.changed} changed, {one.unchanged} unchanged, {one.removed} removed"
                )
        reembedded = reembed(database, tenant=settings().tenant)
    if as_json:
        typer.echo(json.dumps({"files": [asdict(one) for one in done], "reembedded": reembedded}))


def list_documents(as_json: AsJson = False) -> None:
    """List the runbook's documents with the number of their sections."""
    from rag import runbook
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        documents = runbook.list_documents(database, tenant=settings().tenant)
    if as_json:
        typer.echo(json.dumps({"documents": [asdict(one) for one in documents]}, default=str))
        return
    for one in documents:
        waiting = f", {one.stale} wait for a new vector" if one.stale else ""
        typer.echo(
            f"{one.doc_id}  {one.title} ({one.source}, {one.sections} sections{waiting}, added {one.added_at:%Y-%m-%d %H:%M})"
        )
    if not documents:
        typer.echo("The runbook is empty. Add a file with `conclave runbook add FILE`.")


def ask(
    question: Annotated[str, typer.Argument(help="A question in plain words, in quotation marks.")],
    as_json: AsJson = False,
) -> None:
    """Ask the runbook and past cases; every sentence of the answer cites its source.

    With a model the answer is the model's, as far as it holds against the cited sources; without one it is made of the
    sources' own sentences and says so. What no source answers is not answered.
    """
    from rag.ask import ask as answer_to
    from rag.models import OllamaModel, probe
    from store.database import open_database
    from store.settings import settings

    presence = probe(settings().model)
    model = OllamaModel(settings().model, presence.name) if presence.present else None
    with open_database(settings()) as database:
        answer = answer_to(database, question, model, why=presence.why, tenant=settings().tenant, settings=settings())
    typer.echo(json.dumps(asdict(answer) | {"found": answer.found}) if as_json else shown(answer))


def shown(answer: "Answer") -> str:
    """An answer as it is printed: text, numbered sources, who spoke."""
    lines = [answer.text]
    if answer.citations:
        lines += ["", "Sources"]
        lines += [f"[{n}] {' > '.join(one.heading_path)}  ({one.source_id})" for n, one in enumerate(answer.citations, start=1)]
    if answer.nearest:
        lines += ["", "Nearest headings"]
        lines += [f"- {' > '.join(one.heading_path)}  ({one.source_id})" for one in answer.nearest]
    return "\n".join([*lines, "", answer.why] if answer.why else lines)


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(total, 1))
