"""`conclave tour`: brings up a small stack of its own, walks through it, prints each step's outcome, and ends it."""

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import bundled, demo_home
from cli.children import Children
from cli.demo import conclave, first_key, free_port, interruptible
from cli.errors import TourFailed
from cli.tour.receiver import Receiver, listening
from cli.tour.walk import Walk, steps

if TYPE_CHECKING:
    from store.settings import Settings

UP_S = 90.0


def tour(
    home: Annotated[Path | None, typer.Option(help="Folder for everything it writes. Default: HOME/tour.")] = None,
) -> None:
    """Walk through the whole product by its public API: events, case, chat, feedback, command, alert, traces, erasure, audit.

    It has a home, a database and ports of its own, posts events of two customers, one of them robbed, and ends by itself.
    """
    from store.settings import settings

    with interruptible(), demo_home.opened((home or settings().home / "tour").absolute(), keep=False) as folder:
        secret = secrets.token_urlsafe(24)
        with listening(secret) as receiver:
            os.environ |= environment(receiver)
            chosen = demo_home.own_settings(folder)
            children = Children(folder / "logs", folder / "children.json")
            try:
                with up(chosen, children, receiver) as walk:
                    go(walk)
            finally:
                children.stop()


def environment(receiver: Receiver) -> dict[str, str]:
    """Settings of the tour beyond the demo's: where commands go, and quick looks instead of the usual ones."""
    return {
        "CONCLAVE_DESK__WEBHOOK_URL": f"{receiver.url}/commands",
        "CONCLAVE_DESK__WEBHOOK_SECRET": receiver.secret,
        "CONCLAVE_OBSERVE__CHECK_EVERY_S": "1",
        "CONCLAVE_MODEL__ENABLED": "false",
        "NOTIFY_TOUR": receiver.secret,
    }


@contextmanager
def up(settings: "Settings", children: Children, receiver: Receiver) -> Iterator[Walk]:
    """The stack: gateway, council and operate as processes; the streams run when there is something to fold."""
    import httpx

    from cli.demo import fetch_jars
    from store.database import open_database

    fetch_jars(children)
    with open_database(settings) as database:
        bundled.teach(database)
        key = first_key(database, settings.tenant)
    port = free_port(settings.gateway.port)
    children.start("gateway", conclave("gateway", "--host", "127.0.0.1", "--port", str(port)), dict(os.environ))
    children.start("council", conclave("council"), dict(os.environ))
    children.start("operate", conclave("operate"), dict(os.environ))

    def stream() -> None:
        folding = children.start("streams", [sys.executable, "-m", "cli.streams"], dict(os.environ))
        if folding.process.wait() != 0:
            raise TourFailed(f"the streams ended with {folding.code}. The end of {folding.log}:\n{folding.last_words()}")

    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as api:
        _await(api, children)
        yield Walk(api, receiver, stream)


def _await(api: "object", children: Children) -> None:
    import httpx

    assert isinstance(api, httpx.Client)
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        try:
            if api.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            if (dead := children.dead()) is not None:
                raise TourFailed(f"{dead.name} ended. The end of {dead.log}:\n{dead.last_words()}") from None
        time.sleep(0.2)
    raise TourFailed(f"the gateway did not answer within {UP_S:.0f} s.")


def go(walk: Walk) -> None:
    """Every step with its outcome and how long it took; the first that fails ends the tour."""
    for number, (title, step) in enumerate(steps(), 1):
        began = time.monotonic()
        try:
            outcome = step(walk)
        except TourFailed:
            typer.echo(f"{number:>2} ✗ {title}")
            raise
        typer.echo(f"{number:>2} ✓ {title} ({time.monotonic() - began:.1f} s)\n     {outcome}")
    typer.echo("All of it works.")
