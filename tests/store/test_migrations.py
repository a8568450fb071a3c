"""Migrations: in order, once, raced for, and refused where the database and the code disagree."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import migrations
from store.database import connect
from store.errors import DatabaseChanged, DatabaseError, DatabaseNewer
from store.migrations import Migration, pending


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Migrations 3 and 4, to come after the real ones are taken for unknown: a database of its own is used."""
    (tmp_path / "0001_first.sql").write_text("create table first (x int);\n")
    (tmp_path / "0002_second.sql").write_text("insert into first values (1); create table second (x int);\n")
    return tmp_path


@pytest.fixture
def empty_url(database_url: str) -> str:
    with connect(database_url) as connection:
        connection.execute("drop schema public cascade; create schema public")
    return database_url


def test_they_are_applied_in_order_and_once(empty_url: str, folder: Path) -> None:
    with connect(empty_url) as connection:
        assert migrations.migrate(connection, folder) == ["0001_first", "0002_second"]
        assert migrations.migrate(connection, folder) == []
        assert connection.execute("select x from first").fetchall() == [{"x": 1}]


def test_a_later_one_is_added(empty_url: str, folder: Path) -> None:
    with connect(empty_url) as connection:
        migrations.migrate(connection, folder)
        (folder / "0003_third.sql").write_text("create table third (x int)")
        assert migrations.migrate(connection, folder) == ["0003_third"]


def test_a_failing_one_leaves_no_trace_and_those_before_it_stay(empty_url: str, folder: Path) -> None:
    (folder / "0003_broken.sql").write_text("create table half (x int); select no_such_function()")
    with pytest.raises(DatabaseError), connect(empty_url) as connection:
        migrations.migrate(connection, folder)
    with connect(empty_url) as connection:
        assert set(migrations.applied(connection)) == {1, 2}
        row = connection.execute("select to_regclass('half') as half").fetchall()[0]
        assert row["half"] is None


def test_a_newer_database_is_refused(empty_url: str, folder: Path) -> None:
    with connect(empty_url) as connection:
        migrations.migrate(connection, folder)
        (folder / "0002_second.sql").unlink()
        with pytest.raises(DatabaseNewer, match="has migration 0002, this code knows up to 0001"):
            migrations.migrate(connection, folder)


def test_an_edited_file_is_refused_but_other_line_ends_are_not(empty_url: str, folder: Path) -> None:
    with connect(empty_url) as connection:
        migrations.migrate(connection, folder)
        text = (folder / "0001_first.sql").read_text()
        (folder / "0001_first.sql").write_bytes(text.replace("\n", "\r\n").encode())
        assert migrations.migrate(connection, folder) == []
        (folder / "0001_first.sql").write_text("create table first (x bigint);\n")
        with pytest.raises(DatabaseChanged, match="0001_first"):
            migrations.migrate(connection, folder)


def test_racing_processes_apply_each_once(empty_url: str, folder: Path) -> None:
    def race(_: int) -> list[str]:
        with connect(empty_url) as connection:
            return migrations.migrate(connection, folder)

    with ThreadPoolExecutor(5) as racers:
        done = [name for names in racers.map(race, range(5)) for name in names]
    assert sorted(done) == ["0001_first", "0002_second"]


def test_our_own_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in migrations.known()] == list(range(1, len(migrations.known()) + 1))


def test_the_template_has_all_of_ours(database_url: str) -> None:
    with connect(database_url) as connection:
        assert pending(migrations.known(), migrations.applied(connection)) == []


@given(st.integers(0, 8), st.integers(0, 8))
def test_what_is_pending_is_what_was_not_applied(known: int, applied: int) -> None:
    ours = [Migration(number, f"{number:04d}_x", f"hash{number}", "") for number in range(1, known + 1)]
    theirs = {number: f"hash{number}" for number in range(1, applied + 1)}
    if applied > known:
        with pytest.raises(DatabaseNewer):
            pending(ours, theirs)
    else:
        assert [migration.number for migration in pending(ours, theirs)] == list(range(applied + 1, known + 1))
