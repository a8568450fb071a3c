"""A headless Chromium and a served dashboard, for the browser test and for taking pictures."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from dashboard.serve import command

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DEADLINE_S = 60


def executable() -> str | None:
    """Where this machine's Chromium or Chrome is, if it has one."""
    named = os.environ.get("CHROMIUM")
    return named or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def served(folder: Path, **variables: str) -> Iterator[str]:
    """The dashboard as `conclave dashboard` starts it, on a free port; yields its address and ends it."""
    port = free_port()
    with (folder / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(
            command("127.0.0.1", port), env={**os.environ, **variables}, cwd=folder, stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            answering(address, process)
            yield address
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answering(address: str, process: "subprocess.Popen[Any]") -> None:
    """Wait until the dashboard answers; fail when it ends first or takes too long."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        assert process.poll() is None, "the dashboard ended while starting"
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2),
        ):
            return
        time.sleep(0.1)
    raise TimeoutError(f"the dashboard does not answer at {address}")
