"""The gateway as processes: uvicorn, its TLS, its workers."""

import os
from typing import Any

import uvicorn
from fastapi import FastAPI

from gateway.app import create_app
from store.database import open_database
from store.errors import BadSettings
from store.sections.gateway import Gateway
from store.settings import settings

LEAST_POOL = 12  # connections of a process: requests wait for one another below that
DRAIN_S = 10
START_S = 60  # a worker that loads on a busy machine is not dead; uvicorn's five seconds would kill it again and again
WORKERS = "CONCLAVE_GATEWAY__WORKERS"


def application() -> FastAPI:
    """What a process serves; its database is opened here and closed when it ends."""
    known = settings()
    pool = known.model_copy(update={"pool_size": max(known.pool_size, LEAST_POOL)})
    return create_app(known, open_database(pool))


def serve(chosen: Gateway, factory: str) -> None:
    """Serve what the function named by `factory` makes, until stopped. Raises BadSettings for half a pair of TLS files."""
    if chosen.workers > 1:
        open_database(settings()).close()  # migrate once, before the processes race to
    os.environ[WORKERS] = str(chosen.workers)  # each process keeps its share of the limits
    uvicorn.run(
        factory, factory=True, host=chosen.host, port=chosen.port, workers=chosen.workers,
        log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=DRAIN_S, timeout_worker_healthcheck=START_S,
        proxy_headers=bool(chosen.trusted_proxies), forwarded_allow_ips=chosen.trusted_proxies or None, **tls(chosen),
    )  # fmt: skip


def tls(chosen: Gateway) -> dict[str, Any]:
    """uvicorn's words for the TLS files.

    >>> tls(Gateway())
    {}
    """
    if chosen.tls_certificate is None and chosen.tls_key is None:
        return {}
    if chosen.tls_certificate is None or chosen.tls_key is None:
        raise BadSettings("gateway.tls_certificate and gateway.tls_key: give both, or none")
    for name, file in (("tls_certificate", chosen.tls_certificate), ("tls_key", chosen.tls_key)):
        if not file.is_file():
            raise BadSettings(f"gateway.{name}: there is no file {file}")
    password = chosen.tls_key_password.get_secret_value() if chosen.tls_key_password is not None else None
    return {"ssl_certfile": str(chosen.tls_certificate), "ssl_keyfile": str(chosen.tls_key), "ssl_keyfile_password": password}


def address(chosen: Gateway) -> str:
    """Where it is, as a browser takes it.

    >>> address(Gateway(host="0.0.0.0", port=80))
    'http://127.0.0.1:80'
    """
    host = "127.0.0.1" if chosen.host in ("0.0.0.0", "::") else chosen.host  # noqa: S104 - compared, not bound
    return f"{'https' if chosen.tls_certificate is not None else 'http'}://{host}:{chosen.port}"
