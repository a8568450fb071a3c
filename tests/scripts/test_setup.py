"""scripts/setup: what is missing is said in one sentence; what is there is not made twice."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NETWORK = pytest.mark.skipif("CONCLAVE_TEST_SETUP" not in os.environ, reason="makes real environments (CONCLAVE_TEST_SETUP)")
PROJECT = """[build-system]
requires = ["setuptools==80.9.0"]
build-backend = "setuptools.build_meta"
[project]
name = "conclave"
version = "0.1.0"
[tool.setuptools]
py-modules = []
"""


def fake(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{says}\n")
    (folder / name).chmod(0o755)


def run(words: str, root: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    script = f'set -euo pipefail; . "{root}/scripts/setup"; {words}'
    clean = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "CONCLAVE_PYTHON", "VIRTUAL_ENV")}
    return subprocess.run(
        [shutil.which("bash") or "bash", "-c", script], capture_output=True, text=True, env=clean | env, check=False
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with the plain tools and a package manager, and neither Python nor Java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sed", "head", "dirname", "id", "cat", "grep", "bash", "sh"):
        (folder / tool).symlink_to(shutil.which(tool) or "")
    fake(folder, "apt-get", "exit 0")
    return folder


def test_missing_java_is_one_sentence_with_the_command(bare: Path) -> None:
    done = run("check_java", PATH=str(bare))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Java 17" in done.stderr
    assert "apt-get install -y openjdk-17-jre-headless" in done.stderr


@pytest.mark.parametrize(("version", "major"), [("1.8.0_292", "8"), ("11.0.2", "11")])
def test_old_java_is_one_sentence_with_the_command(bare: Path, version: str, major: str) -> None:
    fake(bare, "java", f"echo 'openjdk version \"{version}\"' >&2")
    done = run("check_java", PATH=str(bare))
    assert done.returncode == 1
    assert f"is Java {major};" in done.stderr


@pytest.mark.parametrize("version", ["17", "17.0.15", "21.0.1", "24-ea"])
def test_new_java_is_enough_also_in_java_home(bare: Path, tmp_path: Path, version: str) -> None:
    fake(tmp_path / "jdk", "unused", "")
    fake(tmp_path / "jdk" / "bin", "java", f"echo 'openjdk version \"{version}\" 2025-01-01' >&2")
    assert run("check_java", PATH=str(bare), JAVA_HOME=str(tmp_path / "jdk")).returncode == 0
    assert run("check_java", PATH=str(bare)).returncode == 1


def test_missing_and_old_python_are_one_sentence_with_the_command(bare: Path) -> None:
    for there in (False, True):
        if there:
            fake(bare, "python3", "exit 1")  # what an old one answers to the question
        done = run("find_python", PATH=str(bare))
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        assert "apt-get install -y python3 python3-venv" in done.stderr


@pytest.mark.parametrize("manager", ["dnf", "apk", "pacman", "zypper", "brew"])
def test_every_system_has_its_command(bare: Path, manager: str) -> None:
    (bare / "apt-get").unlink()
    fake(bare, manager, "exit 0")
    assert manager in run("installs java", PATH=str(bare)).stdout
    assert manager in run("installs python", PATH=str(bare)).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the real setup, an empty lock and nothing in it."""
    root = tmp_path / "project"
    (root / "scripts").mkdir(parents=True)
    for name in ("setup", "requirements-setup.txt"):
        shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
    (root / "pyproject.toml").write_text(PROJECT)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (root / lock).write_text("# nothing\n")
    return root


@NETWORK
def test_it_is_made_once_and_again_only_for_another_lock(project: Path) -> None:
    first = run("setup run; $BIN/python -c 'import setuptools; print(setuptools.__version__)'", project)
    assert (first.returncode, first.stdout) == (0, "80.9.0\n"), first.stderr
    started = time.monotonic()
    assert run("setup run", project).stderr == ""
    assert time.monotonic() - started < 1
    (project / "requirements.txt").write_text("# nothing else\n")
    assert "installing the packages of requirements.txt" in run("setup run", project).stderr
    assert run("setup run", project).stderr == ""


@NETWORK
def test_a_working_environment_of_another_maker_is_kept(project: Path) -> None:
    subprocess.run([shutil.which("python3") or "", "-m", "venv", str(project / ".venv")], check=True)
    (project / ".venv" / "mine").touch()
    done = run("setup run", project)
    assert done.returncode == 0, done.stderr
    assert (project / ".venv" / "mine").exists()


@NETWORK
def test_an_environment_for_developers_serves_the_demo_too(project: Path) -> None:
    assert "requirements-dev.txt" in run("setup dev", project).stderr
    assert run("setup run", project).stderr == ""


@NETWORK
def test_two_at_once_make_one(project: Path) -> None:
    script = f'set -euo pipefail; . "{project}/scripts/setup"; setup run; "$BIN/python" -c ""'
    racers = [subprocess.Popen(["bash", "-c", script], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [racer.communicate(timeout=280)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], said
    assert sorted("preparing .venv" in words for words in said) == [False, True]


@NETWORK
def test_a_project_that_was_moved_is_set_up_anew(project: Path) -> None:
    assert run("setup run", project).returncode == 0
    moved = project.rename(project.with_name("moved"))
    assert run("setup run", moved).returncode == 0
    done = run("head -n 1 $BIN/pip", moved)
    assert "/moved/" in done.stdout


@NETWORK
def test_a_lock_that_cannot_be_met_fails_and_leaves_no_stamp(project: Path) -> None:
    (project / "requirements.txt").write_text("iniconfig==2.1.0 --hash=sha256:" + "0" * 64 + "\n")
    done = run("setup run", project)
    assert done.returncode == 1
    assert "the whole log is in" in done.stderr
    assert not (project / ".venv" / "recipe-run").exists()
