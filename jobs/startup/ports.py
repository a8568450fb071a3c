"""Ports that our servers want to listen on."""

import socket

from jobs.errors import PortTaken
from jobs.startup.finding import Finding


def port(what: str, host: str, number: int) -> Finding:
    """Taken may mean that the server runs already."""
    try:
        require_free(what, host, number)
    except PortTaken as error:
        return Finding(f"{what} port", "warn", str(error))
    return Finding(f"{what} port", "ok", f"{host}:{number} is free")


def require_free(what: str, host: str, number: int) -> None:
    """Raises PortTaken when nothing of ours could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            variable = f"CONCLAVE_{what.upper()}__PORT"
            raise PortTaken(
                f"{host}:{number} ({error.strerror}); set {variable} or --port, or stop what listens there."
            ) from None
