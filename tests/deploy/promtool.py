"""promtool of Debian's package `prometheus`: the one on the PATH, else unpacked into a temporary folder, not installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PLACE = Path(tempfile.gettempdir()) / f"conclave-promtool-{os.getuid()}"
TIMEOUT_S = 240


def path() -> Path | None:
    """None where there is none to be had."""
    if found := shutil.which("promtool"):
        return Path(found)
    kept = PLACE / "usr" / "bin" / "promtool"
    if not kept.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _unpack()
    return kept if kept.exists() else None


def _unpack() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        if not _downloaded(folder) and os.getuid() == 0:
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=TIMEOUT_S)
            _downloaded(folder)
        for package in Path(folder).glob("prometheus_*.deb"):
            half = Path(f"{PLACE}.{os.getpid()}")
            subprocess.run(["dpkg-deb", "-x", str(package), str(half)], check=True, timeout=TIMEOUT_S)
            try:
                half.rename(PLACE)
            except OSError:  # another run was first
                shutil.rmtree(half)


def _downloaded(folder: str) -> bool:
    done = subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, capture_output=True, timeout=TIMEOUT_S)
    return done.returncode == 0
