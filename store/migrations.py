"""Numbered migrations of store/schema, applied once each, in order, one transaction each, one process at a time."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from store.errors import DatabaseChanged, DatabaseNewer

FOLDER = Path(__file__).parent / "schema"
LOCK = 0x436F6E636C617665  # "Conclave"
TABLE = """create table if not exists schema_migrations (
  number integer primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())"""


@dataclass(frozen=True)
class Migration:
    """One file; `number` from its name, `sha256` of its text with Unix line ends."""

    number: int
    name: str
    sha256: str
    text: str


def known(folder: Path = FOLDER) -> list[Migration]:
    """The migrations that this code has, in order."""
    return [_read(file) for file in sorted(folder.glob("[0-9]*_*.sql"))]


def _read(file: Path) -> Migration:
    text = file.read_bytes().decode().replace("\r\n", "\n")
    return Migration(int(file.name.split("_")[0]), file.stem, hashlib.sha256(text.encode()).hexdigest(), text)


def pending(ours: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """What is still to be applied, given the applied numbers with their hashes.

    Raises DatabaseNewer for a number that this code does not know, DatabaseChanged for a hash that differs.
    """
    numbers = {migration.number for migration in ours}
    if newer := sorted(set(applied) - numbers):
        raise DatabaseNewer(f"It has migration {newer[-1]:04d}, this code knows up to {max(numbers, default=0):04d}.")
    for migration in ours:
        if applied.get(migration.number, migration.sha256) != migration.sha256:
            raise DatabaseChanged(f"The file is {migration.name}.sql.")
    return [migration for migration in ours if migration.number not in applied]


def applied(connection: psycopg.Connection[Any]) -> dict[int, str]:
    """The applied migrations of a database: number → sha256; empty for an empty database."""
    with connection.transaction():
        if connection.execute("select to_regclass('schema_migrations') is null as missing").fetchall()[0]["missing"]:
            return {}
        return {row["number"]: row["sha256"] for row in connection.execute("select number, sha256 from schema_migrations")}


def migrate(connection: psycopg.Connection[Any], folder: Path = FOLDER) -> list[str]:
    """Apply what is missing and name it; nothing to do is the cheap case. Safe to repeat and to race.

    `connection`: autocommit, dict rows. Raises DatabaseNewer or DatabaseChanged before it changes anything.
    """
    ours = known(folder)
    done = []
    while pending(ours, applied(connection)):
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
            connection.execute(TABLE)
            if left := pending(ours, applied(connection)):  # another process may have been first
                _apply(connection, left[0])
                done.append(left[0].name)
    return done


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> None:
    connection.execute(migration.text.encode())
    connection.execute(
        "insert into schema_migrations (number, name, sha256) values (%s, %s, %s)",
        [migration.number, migration.name, migration.sha256],
    )
