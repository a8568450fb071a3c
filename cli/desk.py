"""`conclave cases …` and `conclave commands …`: the desk from a terminal."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from store.database import Tenant
    from trust.roles import Caller

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="A case's id.")]
CommandArgument = Annotated[str, typer.Argument(metavar="COMMAND", help="A command's id.")]
Why = Annotated[str, typer.Option("--why", help="In words.")]
Reason = Annotated[str, typer.Option("--reason", help="From the list; a wrong one prints it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextmanager
def _desk() -> Iterator[tuple["Tenant", "Caller"]]:
    """The settings' tenant, and whoever sits at this machine as the caller."""
    from store.database import open_database
    from store.settings import settings
    from trust.roles import Caller, Role

    name = getpass.getuser()
    with open_database(settings()) as database:
        yield database.of(settings().tenant), Caller(settings().tenant, f"cli:{name}", name, Role.analyst)


def list_cases(
    closed: Annotated[bool, typer.Option("--closed", help="Those that are closed.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Also those that are snoozed or held by maintenance.")] = False,
    q: Annotated[str | None, typer.Option("--search", help="Words in title, entity, cause or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 30,
    as_json: AsJson = False,
) -> None:
    """List cases, the most urgent first: by expected loss, rising with each day that they wait."""
    from desk import cases

    statuses = ("resolved", "dismissed") if closed else cases.ACTIVE
    with _desk() as (view, caller):
        filters = cases.Filters(statuses=statuses, quiet="all" if quiet else "awake", q=q, limit=limit)
        page = cases.inbox(view, caller.tenant, filters)
    if as_json:
        typer.echo(json.dumps({"cases": page.items, "of_all": page.of_all}, default=str))
        return
    for row in page.items:
        typer.echo(line(row))
    typer.echo(f"{len(page.items)} of {page.of_all} cases." if page.items else "Nothing needs you.")


def line(row: dict[str, Any]) -> str:
    """A case in one line."""
    loss = "loss unknown" if row["expected_loss"] is None else f"{row['expected_loss']:,.2f} {row['loss_currency']}"
    whose = row["assignee"] or "nobody's"
    return f"{row['case_id']}  {row['status']}  {row['severity']:.2f}  {loss}  {whose}  {printable(row['title'])}"


def printable(text: str) -> str:
    """Text from outside, fit for a terminal: without what could move its cursor or change its colours."""
    return "".join(char if char.isprintable() else "�" for char in text)


def show(case_id: CaseArgument, as_json: AsJson = False) -> None:
    """Show a case, what belongs to it, and everything that happened."""
    from desk import cases, timeline

    with _desk() as (view, caller):
        found = cases.case(view, caller.tenant, case_id)
        story = timeline.read(view, caller.tenant, found["head"] or case_id, limit=500)
    if as_json:
        typer.echo(json.dumps({"case": found, "timeline": story}, default=str))
        return
    typer.echo(line(found))
    if found["head"]:
        typer.echo(f"It belongs to {found['head']}.")
    typer.echo(printable(found["root_cause"] or ""))
    typer.echo(f"Expected loss: {found['loss_words']}")
    for member in found["all_members"][1:]:
        typer.echo(f"  with {printable(member['entity'])}: {printable(member['joined_because'])}")
    for row in story:
        typer.echo(f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['who']}: {printable(row['said'])}")
    typer.echo(f"It can be: {', '.join(found['possible'])}")


def _act(case_id: str, action: str, **detail: Any) -> None:
    from desk import cases
    from store.settings import settings

    with _desk() as (view, caller), view.connection() as connection:
        version = cases.case_in(connection, caller.tenant, case_id, members=1)["version"]
        after = cases.act(connection, caller, case_id, version, action, desk=settings().desk, **detail)
    typer.echo(f"{after.case_id} is {after.status}, {after.assignee or 'nobody'}'s.")


def acknowledge(case_id: CaseArgument) -> None:
    """Say that you look at it; it is yours unless it is somebody's."""
    _act(case_id, "acknowledge")


def assign(case_id: CaseArgument, whom: Annotated[str, typer.Argument(metavar="WHOM", help="A name; '' is nobody.")]) -> None:
    """Give a case to somebody, or take it from everybody."""
    _act(case_id, "assign", assignee=whom)


def comment(case_id: CaseArgument, text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")]) -> None:
    """Add a comment to the timeline of a case."""
    _act(case_id, "comment", text=text)


def resolve(case_id: CaseArgument, reason: Reason, why: Why = "") -> None:
    """Close a case that was dealt with."""
    _act(case_id, "resolve", reason=reason, text=why)


def dismiss(case_id: CaseArgument, reason: Reason, why: Why = "") -> None:
    """Close a case that was none; recurrences stay quiet for a while."""
    _act(case_id, "dismiss", reason=reason, text=why)


def reopen(case_id: CaseArgument, why: Why = "") -> None:
    """Open a closed case again; its limits run anew."""
    _act(case_id, "reopen", text=why)


def list_commands(
    every: Annotated[bool, typer.Option("--all", help="Not only those that wait for a decision.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the commands that the council proposes."""
    from desk import commands

    with _desk() as (view, caller):
        rows = commands.commands(view, caller.tenant, states=None if every else ["proposed"], limit=limit)
    if as_json:
        typer.echo(json.dumps({"commands": rows}, default=str))
        return
    for row in rows:
        what = f"{row['action'].replace('_', ' ')} {printable(row['target'])}"
        typer.echo(f"{row['command_id']}  {row['state']}  {what}  ({row['case_id']})")
    typer.echo(f"{len(rows)} commands." if rows else "No command waits.")


def _decide(command_id: str, step: str, **more: Any) -> None:
    from desk import commands
    from store.settings import settings

    with _desk() as (view, caller), view.connection() as connection:
        row = getattr(commands, step)(connection, caller, command_id, desk=settings().desk, **more)
    typer.echo(f"{row['command_id']} is {row['state']}.")


def approve(command_id: CommandArgument, why: Why = "") -> None:
    """Approve a command; `conclave operate` sends it to the webhook."""
    _decide(command_id, "approve", reason=why)


def reject(command_id: CommandArgument, why: Annotated[str, typer.Option("--why", help="In words.")]) -> None:
    """Turn a command down; it is not sent and not proposed again."""
    _decide(command_id, "reject", reason=why)


def done(command_id: CommandArgument, why: Why = "") -> None:
    """Say that a command was carried out by hand."""
    _decide(command_id, "done", reason=why)


def undo(command_id: CommandArgument, why: Why = "") -> None:
    """Take an executed command back, where its action has an opposite."""
    _decide(command_id, "undo", reason=why)
