"""The command line as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Conclave = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def conclave() -> Conclave:
    """Run `conclave WORDS` with nothing of this environment's own settings; keywords are variables, `cwd` the folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "PG"))}

    def run(*words: str, cwd: object = None, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.app", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=clean | env, timeout=120, check=False)  # type: ignore[call-overload]

    return run
