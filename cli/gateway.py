"""`conclave gateway`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI


def gateway(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in. Default: gateway.host.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port to listen on. Default: gateway.port.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that serve. Default: gateway.workers.")] = None,
) -> None:
    """Serve HTTP, GraphQL and event streams to other systems until stopped.

    Nothing is answered without a key: `conclave keys create` makes one. /docs describes every route, /health and /ready tell
    how it is. With gateway.tls_certificate and gateway.tls_key it serves HTTPS.
    """
    from gateway.serving import address, serve
    from jobs.startup.ports import require_free
    from store.settings import settings

    wanted = settings().gateway
    given = {name: value for name, value in (("host", host), ("port", port), ("workers", workers)) if value is not None}
    chosen = wanted.model_copy(update=given)
    require_free("gateway", chosen.host, chosen.port)
    typer.echo(f"Gateway: {address(chosen)}  (Ctrl-C stops it)")
    serve(chosen, f"{__name__}:application")


def application() -> "FastAPI":
    """What each of the processes serves, with its log set up."""
    from cli import logs
    from gateway import serving
    from observe.telemetry import process
    from store.settings import settings

    logs.configure(settings().log_level, human=sys.stderr.isatty())
    process.begin(settings(), "gateway")
    made = serving.application()
    made.state.metrics.share()
    return made
