"""`conclave dashboard`."""

import os
from typing import Annotated

import typer


def dashboard(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in. Default: dashboard.host.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on. Default: dashboard.port.")] = None,
) -> None:
    """Serve the pages for analysts and engineers until stopped.

    Live shows what needs somebody now, Entity one account or service with what was expected of it, Health the system itself,
    Runbook the sections that rulings cite. The database is the one in the settings; without events the pages say what to start.
    """
    from dashboard.serve import address, command
    from store.settings import settings

    wanted = settings().dashboard
    chosen = (wanted.host if host is None else host, wanted.port if port is None else port)
    typer.echo(f"Dashboard: {address(*chosen)}  (Ctrl-C stops it)")
    started = command(*chosen)
    # Becoming Streamlit rather than starting it: signals reach it directly and no process can be left behind.
    os.execv(started[0], started)  # noqa: S606
