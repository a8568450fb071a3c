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

    Inbox shows what needs somebody now, a case all that is known of it and what can be done, Ask answers questions, More has the
    runbook, model calls, alerts, pipelines, health and settings. People sign in with an API key (conclave keys create), or with
    OpenID Connect where Streamlit's secrets have a section \\[auth]; dashboard.sign_in = "off" is for one person on this machine.
    """
    from dashboard.serve import address, command
    from jobs.startup.ports import require_free
    from store.settings import settings

    wanted = settings().dashboard
    chosen = (wanted.host if host is None else host, wanted.port if port is None else port)
    require_free("dashboard", *chosen)
    typer.echo(f"Dashboard: {address(*chosen)}  (Ctrl-C stops it)")
    started = command(*chosen)
    # Becoming Streamlit rather than starting it: signals reach it directly and no process can be left behind.
    os.execv(started[0], started)  # noqa: S606
