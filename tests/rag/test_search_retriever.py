"""The LangChain edge: our search behind BaseRetriever."""

import subprocess
import sys
from pathlib import Path

from rag.runbook import add_file
from rag.search import search
from store.database import Database


def test_the_retriever_gives_what_the_search_finds(database: Database, tmp_path: Path) -> None:
    from langchain_core.retrievers import BaseRetriever

    from rag.retriever import RunbookRetriever

    (tmp_path / "ops.md").write_text(
        "# Ops\n## Disk full\ntags: kind=service\n\nNo space.\n## Spree\ntags: kind=account\n\nNo space.\n"
    )
    add_file(database, tmp_path / "ops.md")
    retriever = RunbookRetriever(database=database, k=2, kinds=("service",))
    assert isinstance(retriever, BaseRetriever)
    (found,) = retriever.invoke("no space on disk")
    (hit,) = search(database, "no space on disk", k=2, kinds=["service"])
    assert (found.id, found.page_content) == (hit.section_id, hit.body) == ("ops#ops/disk-full", "No space.")
    assert found.metadata["heading_path"] == ["Ops", "Disk full"]
    assert found.metadata["score"] == hit.score


def test_searching_and_asking_do_not_import_langchain() -> None:
    script = "import sys, rag.ask, rag.search, rag.runbook; print([m for m in sys.modules if m.startswith('langchain')])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
