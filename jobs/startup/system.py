"""This machine: which system it is, and the command that installs something on it."""

import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "apt-get": {"java": "openjdk-17-jre-headless", "python": "python3.11 python3.11-venv"},
    "dnf": {"java": "java-17-openjdk-headless", "python": "python3.11"},
    "apk": {"java": "openjdk17-jre-headless", "python": "python3"},
    "pacman": {"java": "jre17-openjdk-headless", "python": "python"},
    "zypper": {"java": "java-17-openjdk-headless", "python": "python311"},
    "brew": {"java": "openjdk@17", "python": "python@3.11"},
}
INSTALL = {
    "apt-get": "install -y",
    "dnf": "install -y",
    "apk": "add",
    "pacman": "-S --noconfirm",
    "zypper": "install -y",
    "brew": "install",
}


def install_command(what: str, installed: list[str], *, root: bool) -> str | None:
    """The command that installs `what` ("java", "python"), given the package managers of this system.

    >>> install_command("java", ["apt-get"], root=False)
    'sudo apt-get install -y openjdk-17-jre-headless'
    """
    for manager, packages in PACKAGES.items():
        if manager in installed:
            sudo = "" if root or manager == "brew" else "sudo "
            return f"{sudo}{manager} {INSTALL[manager]} {packages[what]}"
    return None


def package_managers() -> list[str]:
    return [name for name in PACKAGES if shutil.which(name)]


def java_major(said: str) -> int | None:
    """The major version in what `java -version` prints.

    >>> java_major('openjdk version "17.0.15" 2025-04-15')
    17
    >>> java_major('java version "1.8.0_292"')
    8
    """
    parts = said.partition('"')[2].partition('"')[0].replace("-", ".").split(".")
    numbers = [int(part) for part in parts if part.isdigit()]
    if not numbers:
        return None
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def java_version(java_home: str | None) -> tuple[str, int | None]:
    """The java that Spark will start, and its major version; None when it does not run."""
    program = str(Path(java_home) / "bin" / "java") if java_home else "java"
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return program, None
    return program, java_major(done.stderr + done.stdout)
