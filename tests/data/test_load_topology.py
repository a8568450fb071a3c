"""Who calls whom, loaded from a file."""

from pathlib import Path

import pytest

from jobs.errors import BadTopology
from jobs.topology import load, read
from store.database import Database

BUNDLED = Path(__file__).parents[2] / "data" / "topology.csv"


def edges(database: Database, tenant: str = "main") -> set[tuple[str, str]]:
    with database.connection() as connection:
        rows = connection.execute("select caller, callee from service_edges where tenant = %s", [tenant]).fetchall()
    return {(row["caller"], row["callee"]) for row in rows}


def test_the_bundled_topology_replaces_what_was_there(database: Database, tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.write_text("caller,callee\na,b\nb,c\n")
    assert load(database, old) == 2
    assert load(database, old, tenant="other") == 2
    assert load(database, BUNDLED) == 8
    assert ("payments", "cardnet") in edges(database)
    assert ("a", "b") not in edges(database)
    assert edges(database, "other") == {("a", "b"), ("b", "c")}


def test_a_broken_file_changes_nothing(database: Database, tmp_path: Path) -> None:
    load(database, BUNDLED)
    broken = tmp_path / "broken.csv"
    broken.write_text("caller,callee\na,\n")
    with pytest.raises(BadTopology, match="line 2 lacks"):
        load(database, broken)
    assert len(edges(database)) == 8


@pytest.mark.parametrize("text", ["", "a,b\n", "caller\na\n", "caller;callee\na;b\n"])
def test_a_file_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(BadTopology, match="columns caller and callee"):
        read(text.splitlines())


def test_names_are_stripped_and_a_byte_order_mark_is_no_name(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    file.write_bytes(b"\xef\xbb\xbfcaller,callee,team\r\n gateway , catalog ,x\r\n")
    assert load(database, file) == 1
    assert edges(database) == {("gateway", "catalog")}
