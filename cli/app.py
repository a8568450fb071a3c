"""`conclave`: the command line. Every command lives in a module of its own that is imported when it is called."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.errors import PartMissing

DEBUG = False


@dataclass(frozen=True)
class Entry:
    """Where a command is, and its line in the overview."""

    module: str
    function: str
    summary: str
    panel: str


TRY, RUN, KNOW, KEEP = "Try it", "Run it", "Ask and look", "Look after it"
COMMANDS = {
    "demo": Entry("cli.demo", "demo", "Run everything on the bundled data, with nothing to prepare.", TRY),
    "tour": Entry("cli.tour.command", "tour", "Walk through the whole product by its API.", TRY),
    "produce": Entry("cli.data", "produce", "Replay a data set into the landing folder or into Kafka.", TRY),
    "simulate": Entry("cli.data", "simulate", "Make a labelled data set with the built-in simulator.", TRY),
    "evaluate": Entry("cli.data", "evaluate", "Compare what was found with what a data set's labels say.", TRY),
    "ingest": Entry("cli.jobs", "ingest", "Take events in: validate, keep, quarantine what is broken.", RUN),
    "detect": Entry("cli.jobs", "detect", "Watch every entity's window and flag what breaks its pattern.", RUN),
    "stream": Entry("cli.streams", "stream", "Ingest and detect together, in one Spark session.", RUN),
    "council": Entry("cli.council", "council", "Rule on the flagged cases, with a model or with rules.", RUN),
    "operate": Entry("cli.operate", "operate", "Work on cases, alerts, traces, schedules and documents.", RUN),
    "dashboard": Entry("cli.dashboard", "dashboard", "Serve the pages for analysts and engineers.", RUN),
    "gateway": Entry("cli.gateway", "gateway", "Serve HTTP, GraphQL and event streams to other systems.", RUN),
    "runbook add": Entry("cli.runbook", "add", "Add or update a runbook file.", KNOW),
    "runbook list": Entry("cli.runbook", "list_documents", "List the runbook's documents.", KNOW),
    "ask": Entry("cli.runbook", "ask", "Ask the runbook and past cases; the answer cites its sources.", KNOW),
    "cases list": Entry("cli.desk", "list_cases", "List cases, the most urgent first.", KNOW),
    "cases show": Entry("cli.desk", "show", "Show a case and everything that happened to it.", KNOW),
    "cases acknowledge": Entry("cli.desk", "acknowledge", "Say that you look at a case.", KNOW),
    "cases assign": Entry("cli.desk", "assign", "Give a case to somebody.", KNOW),
    "cases comment": Entry("cli.desk", "comment", "Comment on a case.", KNOW),
    "cases resolve": Entry("cli.desk", "resolve", "Close a case that was dealt with.", KNOW),
    "cases dismiss": Entry("cli.desk", "dismiss", "Close a case that was none.", KNOW),
    "cases reopen": Entry("cli.desk", "reopen", "Open a closed case again.", KNOW),
    "commands list": Entry("cli.desk", "list_commands", "List proposed commands.", KNOW),
    "commands approve": Entry("cli.desk", "approve", "Approve a command.", KNOW),
    "commands reject": Entry("cli.desk", "reject", "Turn a command down.", KNOW),
    "commands done": Entry("cli.desk", "done", "Say that a command was carried out by hand.", KNOW),
    "commands undo": Entry("cli.desk", "undo", "Take an executed command back.", KNOW),
    "chat": Entry("cli.assistant", "chat", "Ask about accounts, services, cases, metrics or the runbook.", KNOW),
    "documents add": Entry("cli.assistant", "add", "Upload documents and index them.", KNOW),
    "documents list": Entry("cli.assistant", "list_documents", "List the documents and their progress.", KNOW),
    "documents remove": Entry("cli.assistant", "remove", "Take a document out of search.", KNOW),
    "proposals list": Entry("cli.assistant", "list_proposals", "List runbook sections proposed from cases.", KNOW),
    "proposals make": Entry("cli.assistant", "propose", "Draft a section from a resolved case.", KNOW),
    "proposals accept": Entry("cli.assistant", "accept", "Take a proposed section into the runbook.", KNOW),
    "proposals reject": Entry("cli.assistant", "reject", "Turn a proposed section down.", KNOW),
    "docket show": Entry("cli.docket", "show", "Show what waits, and what was filed for want of room.", KNOW),
    "docket receipts": Entry("cli.docket", "receipts", "Show when and why a case was filed.", KNOW),
    "docket unshed": Entry("cli.docket", "unshed", "Put filed cases on the docket again.", KNOW),
    "status": Entry("cli.status", "status", "What is happening: batches, lag, docket, rulings, sizes.", KNOW),
    "topics list": Entry("cli.pipelines", "list_topics", "List the topics.", KEEP),
    "topics create": Entry("cli.pipelines", "create_topic", "Register a topic, and make it in Kafka.", KEEP),
    "topics delete": Entry("cli.pipelines", "delete_topic", "Delete a topic; says what depends on it.", KEEP),
    "segments list": Entry("cli.pipelines", "list_segments", "List the segments.", KEEP),
    "segments put": Entry("cli.pipelines", "put_segment", "Make or change a segment.", KEEP),
    "segments delete": Entry("cli.pipelines", "delete_segment", "Delete a segment.", KEEP),
    "processors list": Entry("cli.pipelines", "list_processors", "List the processors and what they did.", KEEP),
    "processors show": Entry("cli.pipelines", "show_processor", "Show a processor, its versions and history.", KEEP),
    "processors create": Entry("cli.pipelines", "put_processor", "Make a processor or a version from a file.", KEEP),
    "processors live": Entry("cli.pipelines", "live", "Let a version act.", KEEP),
    "processors retire": Entry("cli.pipelines", "retire", "Let a processor act no more.", KEEP),
    "processors delete": Entry("cli.pipelines", "delete_processor", "Delete a processor.", KEEP),
    "processors dry-run": Entry("cli.pipelines", "try_processor", "Try a processor on the newest events.", KEEP),
    "lists list": Entry("cli.pipelines", "list_lists", "List the data lists.", KEEP),
    "lists put": Entry("cli.pipelines", "put_list", "Write a data list from a CSV file.", KEEP),
    "lists delete": Entry("cli.pipelines", "delete_list", "Delete a data list.", KEEP),
    "quarantine list": Entry("cli.jobs", "quarantine_list", "Show refused records and why.", KEEP),
    "quarantine retry": Entry("cli.jobs", "quarantine_retry", "Send refused records round again.", KEEP),
    "check": Entry("cli.doctor", "check", "Check everything Conclave needs and say how to mend it.", KEEP),
    "doctor": Entry("cli.doctor", "check", "The same as check.", KEEP),
    "maintenance": Entry("cli.maintenance", "maintenance", "Remove rows past their retention now.", KEEP),
    "migrate": Entry("cli.maintenance", "migrate", "Bring the database to this version.", KEEP),
    "report": Entry("cli.report", "report", "A case on paper: report, post-mortem, suspicious activity.", KNOW),
    "export": Entry("cli.report", "export", "A table as CSV or Parquet.", KNOW),
    "schedule list": Entry("cli.schedule", "list_schedules", "List the schedules and how they went.", KEEP),
    "schedule add": Entry("cli.schedule", "add", "Make or change a schedule.", KEEP),
    "schedule run": Entry("cli.schedule", "run_now", "Ask for a run at once.", KEEP),
    "schedule runs": Entry("cli.schedule", "runs", "List runs.", KEEP),
    "schedule pause": Entry("cli.schedule", "pause", "Pause a schedule.", KEEP),
    "schedule resume": Entry("cli.schedule", "resume", "Let a schedule go on.", KEEP),
    "schedule remove": Entry("cli.schedule", "remove", "Remove a schedule.", KEEP),
    "schedule jobs": Entry("cli.schedule", "jobs", "List what can be scheduled.", KEEP),
    "nightly": Entry("cli.schedule", "nightly", "Run a scheduled job by hand.", KEEP),
    "compact": Entry("cli.schedule", "compact", "Merge the small files of the Delta tables.", KEEP),
    "traces projects": Entry("cli.traces", "projects", "List the projects that send traces.", KNOW),
    "traces worst": Entry("cli.traces", "worst", "The worst answers, unsupported sentences marked.", KNOW),
    "traces report": Entry("cli.traces", "report", "Quality, cost and latency of language model calls.", KNOW),
    "keys create": Entry("cli.keys", "create", "Make an API key.", KEEP),
    "keys list": Entry("cli.keys", "list_keys", "List the API keys.", KEEP),
    "keys rotate": Entry("cli.keys", "rotate", "Replace a key; the old one opens a while longer.", KEEP),
    "keys rotate-master": Entry("cli.reveal", "rotate_master", "Replace the key that wraps all others.", KEEP),
    "reveal": Entry("cli.reveal", "reveal", "Show what tokens stand for; kept in the audit log.", KEEP),
    "erase": Entry("cli.erase", "erase", "Forget an account or a counterparty, everywhere.", KEEP),
    "keys revoke": Entry("cli.keys", "revoke", "End a key at once.", KEEP),
    "notify check": Entry("cli.notify", "check", "Check a file of channels and routes.", KEEP),
    "notify deliveries": Entry("cli.notify", "deliveries", "List what was sent, and dead letters.", KEEP),
    "notify replay": Entry("cli.notify", "replay", "Send a channel's dead letters again.", KEEP),
    "notify test": Entry("cli.notify", "try_one", "Send a test to a channel.", KEEP),
    "audit verify": Entry("cli.audit", "verify", "Check that nobody has changed the audit log.", KEEP),
    "jars": Entry("cli.jobs", "jars", "Fetch the jars that Spark needs, checked by hash.", KEEP),
}
GROUPS = {
    "traces": ("Calls of language models: how good, how fast, how dear.", KNOW),
    "keys": ("API keys: make, list, rotate, revoke.", KEEP),
    "notify": ("Channels: check their file, look at deliveries, send again, test.", KEEP),
    "audit": ("The log of what anyone did.", KEEP),
    "cases": ("Cases to work on: list, show, close.", KNOW),
    "docket": ("The council's queue: look, put back what was filed.", KNOW),
    "commands": ("What the council proposes to do: list, decide.", KNOW),
    "runbook": ("What the council may cite: add documents, list them.", KNOW),
    "schedule": ("Jobs by cron or interval: list, add, run, pause.", KEEP),
    "documents": ("Documents of any format: upload, list, remove.", KNOW),
    "proposals": ("Runbook sections proposed from cases: list, make, accept, reject.", KNOW),
    "topics": ("What events come by: register topics, delete them.", KEEP),
    "segments": ("Filters on topics, and what is done with what passes.", KEEP),
    "processors": ("Rules, lists and routes inside the stream: versions, live, tried.", KEEP),
    "lists": ("Data lists that processors look at.", KEEP),
    "quarantine": ("Records that were refused: list them, send them round again.", KEEP),
}


class LazyGroup(TyperGroup):
    """A group of placeholders; the one that is called is replaced by the real command first."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        path = f"{self.name} {args[0]}".strip() if args else ""
        if path in COMMANDS:
            self.commands[args[0]] = load(path)
        return super().resolve_command(ctx, args)


def load(path: str) -> Any:
    """Import the command at `path` ("runbook add") and build it."""
    entry = COMMANDS[path]
    try:
        function = getattr(importlib.import_module(entry.module), entry.function)
    except ModuleNotFoundError as error:
        if error.name != entry.module:
            raise
        raise PartMissing(f"({entry.module})") from None
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name=path.split()[-1])(_logged(function))
    return typer.main.get_command(alone)


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """The command with logging set up from the settings before it runs, but not before its --help."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        from cli import logs
        from store.settings import settings

        logs.configure(settings().log_level, human=sys.stderr.isatty())
        return function(*args, **kwargs)

    # hints written as strings are resolved here, in the module where they were written
    command.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
    return command


def _placeholder() -> None:
    raise NotImplementedError


def build() -> typer.Typer:
    """The whole command tree, without importing any command."""
    app = typer.Typer(cls=LazyGroup, name="", no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback()(begin)
    groups = {
        name: typer.Typer(cls=LazyGroup, name=name, no_args_is_help=True, help=help_text)
        for name, (help_text, _) in GROUPS.items()
    }
    for path, entry in COMMANDS.items():
        first, _, rest = path.partition(" ")
        parent = groups[first] if rest else app
        parent.command(name=rest or first, help=entry.summary, rich_help_panel=None if rest else entry.panel)(_placeholder)
    for name, group in groups.items():
        app.add_typer(group, rich_help_panel=GROUPS[name][1])
    return app


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"conclave {version('conclave')}")
        raise typer.Exit


def begin(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback when something fails.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Conclave watches every account and service in one event stream, flags what breaks its own pattern, and puts it before
    a council that may only speak from evidence.

    Start with [bold]conclave demo[/]. Settings come from conclave.toml and CONCLAVE_* variables.
    """
    global DEBUG
    DEBUG = debug


def main() -> None:
    """Run; an error of ours is one red sentence on stderr and exit code 1."""
    try:
        build()(prog_name="conclave")
    except Exception as error:
        from store.errors import ConclaveError

        if DEBUG or not isinstance(error, ConclaveError):
            raise
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="red"))
        sys.exit(1)


if __name__ == "__main__":
    main()
