"""How the dashboard is started; Streamlit itself reads its look from `.streamlit/config.toml` beside app.py."""

import sys
from pathlib import Path

APP = Path(__file__).with_name("app.py")


def command(host: str, port: int) -> list[str]:
    """The process that serves the pages, as arguments for exec or Popen; no browser is opened and nothing is reported home."""
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    return [sys.executable, "-m", "streamlit", "run", str(APP), *(f"--{name}={value}" for name, value in options.items())]


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::', '') else host}:{port}"  # noqa: S104
