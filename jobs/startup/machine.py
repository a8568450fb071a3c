"""This machine: Java, jars, folders, disk, scratch space, open files."""

import os
import resource
import shutil
from pathlib import Path

from jobs.startup import system
from jobs.startup.finding import Finding
from store.settings import Settings

GIGABYTE, MEGABYTE = 1_000_000_000, 1_000_000
SCRATCH = Path("/tmp")  # noqa: S108 - where the JVM unpacks its native libraries, whatever TMPDIR says
JVM_FILES, FILES_PER_PARTITION = 1_000, 48  # open files of a driver with pyspark's jars, and of each state store


def java() -> Finding:
    """Spark's Java; under spark-submit it runs already."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return Finding("java", "ok", "started by spark-submit")
    program, major = system.java_version(os.environ.get("JAVA_HOME"))
    if major is None:
        return Finding("java", "fail", f"`{program}` does not run; Spark needs Java 17 or newer", _install("java"))
    if major < 17:
        return Finding("java", "fail", f"`{program}` is Java {major}; Spark needs 17 or newer", _install("java"))
    return Finding("java", "ok", f"Java {major} ({program})")


def _install(what: str) -> str:
    command = system.install_command(what, system.package_managers(), root=os.geteuid() == 0)
    return f"install it: {command}" if command else f"install {what} with this system's package manager"


def jars(settings: Settings) -> Finding:
    from jobs.jars import missing

    if lacking := missing([settings.storage.scheme] if settings.storage.scheme else []):
        return Finding("jars", "fail", f"missing or damaged: {', '.join(lacking)}", "run `conclave jars` (once)")
    return Finding("jars", "ok", "all there, each with its pinned sha256")


def folders(settings: Settings, jobs: tuple[str, ...] = ()) -> list[Finding]:
    """Whether what is written can be written. Nothing is made only to be checked."""
    wanted = [("home", settings.home, "CONCLAVE_HOME")]
    if "ingest" in jobs and settings.source.kind == "files" and not settings.storage.landing:
        wanted.append(("landing", settings.landing, "CONCLAVE_SOURCE__FOLDER"))
    return [folder(what, path.absolute(), variable) for what, path, variable in wanted]


def folder(what: str, path: Path, variable: str) -> Finding:
    there = nearest(path)
    if not there.is_dir():
        return Finding(what, "fail", f"{there} is a file", f"move it away, or set {variable} to a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            what, "fail", f"{there} cannot be written", f"give this user the right to, or set {variable} to another folder"
        )
    return Finding(what, "ok", f"{path} can be written")


def nearest(path: Path) -> Path:
    """The path itself, or its first parent that is there."""
    return next(parent for parent in [path, *path.parents] if parent.exists())


def disk(settings: Settings) -> Finding:
    folder = settings.home.absolute()
    return disk_finding(shutil.disk_usage(nearest(folder)).free, folder, settings.min_free_mb)


def disk_finding(free: int, folder: Path, least_mb: int) -> Finding:
    """Below `least_mb` no job starts, below 5 GB it will not run for days; `free` in bytes."""
    said = f"{free / GIGABYTE:.1f} GB free at {folder}"
    if free < least_mb * MEGABYTE:
        fix = f"free some space, set CONCLAVE_HOME to another disk, or lower CONCLAVE_MIN_FREE_MB ({least_mb})"
        return Finding("disk", "fail", said, fix)
    fix = "free some space, or set CONCLAVE_HOME to another disk"
    return Finding("disk", "warn", said, fix) if free < 5 * GIGABYTE else Finding("disk", "ok", said)


def scratch(settings: Settings, place: Path = SCRATCH) -> Finding:
    """Where Spark unpacks compiled libraries and spills: it must be writable, may run programs and has room."""
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding("scratch", "fail", f"{place} cannot be written; Spark unpacks its libraries there", f"chmod 1777 {place}")
    held = os.statvfs(place)
    if held.f_flag & getattr(os, "ST_NOEXEC", 0):  # Linux tells
        fix = f"`mount -o remount,exec {place}`, or set spark.options' spark.driver.extraJavaOptions to -Djava.io.tmpdir=FOLDER"
        return Finding("scratch", "fail", f"{place} is mounted noexec; Spark's compiled libraries cannot be loaded from it", fix)
    free = held.f_bavail * held.f_frsize
    if free < settings.min_free_mb * MEGABYTE:
        said = f"{free / GIGABYTE:.1f} GB free at {place}"
        return Finding("scratch", "fail", said, f"free some space there, or lower CONCLAVE_MIN_FREE_MB ({settings.min_free_mb})")
    return Finding("scratch", "ok", f"{place} can be written and run from")


def open_files(settings: Settings, hard: int | None = None) -> Finding:
    """The JVM raises its limit to the hard one by itself."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if hard is None else hard
    need = JVM_FILES + FILES_PER_PARTITION * settings.spark.shuffle_partitions
    if most != resource.RLIM_INFINITY and most < need:
        said = f"a process may open {most:,} files, {need:,} are needed for {settings.spark.shuffle_partitions} state partitions"
        return Finding(
            "files", "fail", said, "raise it: `ulimit -Hn`, LimitNOFILE in the service's unit, or --ulimit nofile of docker"
        )
    return Finding("files", "ok", "no limit" if most == resource.RLIM_INFINITY else f"a process may open {most:,} files")
