"""Adding a runbook to a real database: only what changed is embedded, and readers never see half of it."""

from pathlib import Path

import pytest

from rag.embed import EMBEDDER
from rag.errors import EmptyRunbook, UnreadableRunbook
from rag.runbook import Added, add_file, doc_id_of, list_documents, reembed, section
from store.database import Database

TWO = "# Fraud\n## Testing\ntags: kind=account\n\nMany small payments.\n\n## Travel\nAbroad.\n"
OURS = Path(__file__).parents[2] / "data" / "runbook.md"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def stamps(database: Database) -> dict[str, str]:
    with database.connection() as connection:
        rows = connection.execute("select section_id, xmin::text, embedder from sections").fetchall()
    return {row["section_id"]: f"{row['xmin']} {row['embedder']}" for row in rows}


def test_a_file_is_added_once_and_then_nothing_changes(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "On Call.md", TWO)
    assert add_file(database, path) == Added("on-call", 2, 0, 0, 0)
    before = stamps(database)
    assert add_file(database, path) == Added("on-call", 0, 0, 2, 0)
    assert stamps(database) == before, "an unchanged section's row is not written"
    (document,) = list_documents(database)
    assert (document.title, document.source, document.sections, document.stale) == ("Fraud", "On Call.md", 2, 0)


def test_only_the_changed_section_is_embedded_again(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "doc.md", TWO)
    add_file(database, path)
    before, progress = stamps(database), []
    write(path, TWO.replace("Abroad.", "At sea.") + "\n## New\nOne more.\n")
    assert add_file(database, path, lambda done, total: progress.append((done, total))) == Added("doc", 1, 1, 1, 0)
    assert progress == [(0, 2), (2, 2)]
    after = stamps(database)
    assert after["doc#fraud/testing"] == before["doc#fraud/testing"]
    assert after["doc#fraud/travel"] != before["doc#fraud/travel"]


def test_a_removed_section_goes_and_a_moved_one_keeps_its_vector(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "doc.md", TWO)
    add_file(database, path)
    write(path, "# Fraud\n## Travel\nAbroad.\n")
    assert add_file(database, path) == Added("doc", 0, 0, 1, 1)
    assert section(database, "doc#fraud/testing") is None
    moved = section(database, "doc#fraud/travel")
    assert moved is not None
    assert (moved.position, moved.heading_path, moved.body) == (0, ("Fraud", "Travel"), "Abroad.")


def test_a_section_reads_back_as_it_was_cut(database: Database, tmp_path: Path) -> None:
    add_file(database, write(tmp_path / "doc.md", TWO))
    read = section(database, "doc#fraud/testing")
    assert read is not None
    assert read.tags == ("kind=account",)
    assert read.body == "Many small payments."
    assert section(database, "doc#no\0such") is None


def test_a_failure_in_the_middle_leaves_the_old_document(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "doc.md", TWO)
    add_file(database, path)
    write(path, "# Other\nwords\n")

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_file(database, path, stop)
    assert [document.title for document in list_documents(database)] == ["Fraud"]
    assert set(stamps(database)) == {"doc#fraud/testing", "doc#fraud/travel"}


def test_a_vector_of_another_embedder_is_made_anew(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "doc.md", TWO)
    add_file(database, path)
    with database.connection() as connection:
        connection.execute("update sections set embedder = 'old', embedding = array_fill(0.5, array[256])::vector")
    assert list_documents(database)[0].stale == 2
    assert reembed(database) == 2
    assert reembed(database) == 0
    with database.connection() as connection:
        connection.execute("update sections set embedder = 'old' where section_id like '%travel'")
    assert add_file(database, path) == Added("doc", 0, 1, 1, 0)
    assert all(stamp.endswith(EMBEDDER) for stamp in stamps(database).values())


def test_what_cannot_be_read_is_said_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes("# Überlauf\n".encode("latin-1"))
    with pytest.raises(UnreadableRunbook, match=r"latin\.md: not UTF-8 at byte 2"):
        add_file(database, tmp_path / "latin.md")
    with pytest.raises(UnreadableRunbook, match=r"none\.md: No such file"):
        add_file(database, tmp_path / "none.md")
    with pytest.raises(EmptyRunbook, match=r"empty\.md"):
        add_file(database, write(tmp_path / "empty.md", "# Only\n## Headings\n"))
    assert list_documents(database) == []


def test_tenants_do_not_overwrite_each_other(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "doc.md", TWO)
    add_file(database, path)
    add_file(database, write(path, "# Theirs\nwords\n"), tenant="north")
    assert doc_id_of(path.name) == "doc"
    assert [document.title for document in list_documents(database)] == ["Fraud"]
    assert [document.title for document in list_documents(database, tenant="north")] == ["Theirs"]
    assert section(database, "doc#theirs") is None
    assert section(database, "doc#theirs", tenant="north") is not None


def test_our_own_runbook_goes_in(database: Database) -> None:
    done = add_file(database, OURS)
    assert done.added >= 36
    assert list_documents(database)[0].sections == done.added
