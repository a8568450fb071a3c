"""docs/reference is what the code says today."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from store.database import Database

ROOT = Path(__file__).parents[2]
NAMES = ("settings.md", "api.md", "tables.md", "commands.md", "metrics.md")


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conclave_reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference: ModuleType) -> dict[str, str]:
    made: dict[str, str] = reference.pages()
    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_up_to_date(pages: dict[str, str], name: str) -> None:
    assert (ROOT / "docs" / "reference" / name).read_text() == pages[name], "run scripts/reference"


def test_every_column_of_the_database_is_told(pages: dict[str, str], database: Database) -> None:
    with database.connection() as connection:
        rows = connection.execute(
            """select c.table_name, c.column_name from information_schema.columns c join information_schema.tables t
               using (table_schema, table_name) where table_schema = 'public' and t.table_type = 'BASE TABLE'
               and c.table_name <> 'schema_migrations'"""
        ).fetchall()
    told = {part.partition("\n")[0]: part for part in pages["tables.md"].split("\n## ")[1:]}
    missing = [row for row in rows if f"| `{row['column_name']}` |" not in told.get(row["table_name"], "")]
    assert missing == []
