"""A database from before versions and tenants' keys keeps its runbook: ids without the tenant's name, as version 1."""

import shutil
from pathlib import Path

from assistant import documents
from rag.runbook import add_file, section_last
from store import migrations
from store.database import Database, connect

OLD = [("main", "ops", "ops#disk"), ("north", "north/ops", "north/ops#disk")]


def test_a_runbook_from_before_is_carried_over(database_url: str, tmp_path: Path) -> None:
    before = tmp_path / "schema"
    before.mkdir()
    for one in migrations.known():
        if one.number < 8:
            shutil.copy(migrations.FOLDER / f"{one.name}.sql", before)
    with connect(database_url) as connection:
        connection.execute("drop schema public cascade; create schema public")
        migrations.migrate(connection, before)
        for tenant, doc_id, section_id in OLD:
            document = "insert into documents (tenant, doc_id, title, source, sha256) values (%s, %s, 'Ops', 'ops.md', 'x')"
            connection.execute(document.encode(), [tenant, doc_id])
            connection.execute(
                """insert into sections (tenant, section_id, doc_id, position, heading_path, body, sha256, embedder, embedding)
                   values (%s, %s, %s, 0, '{Disk}', 'Full.', 'y', 'old', array_fill(0.1, array[256])::vector)""",
                [tenant, section_id, doc_id],
            )
        migrations.migrate(connection)
    with Database(database_url) as database:
        for tenant in ("main", "north"):
            (row,) = documents.versions(database, tenant, "ops")
            assert (row["version"], row["state"], row["in_use"], row["sections"]) == (1, "ready", 1, 1)
            found = section_last(database, "ops#disk", tenant=tenant)
            assert found is not None
            assert found.body == "Full."
        path = tmp_path / "ops.md"
        path.write_text("# Disk\nFull again.\n")
        add_file(database, path, tenant="north")
        assert [row["version"] for row in documents.versions(database, "north", "ops")] == [2, 1]
        assert [row["version"] for row in documents.versions(database, "main", "ops")] == [1]
