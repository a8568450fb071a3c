"""What the assistant answers over HTTP is traced like everyone's calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from rag.runbook import add_file
from store.database import Database
from store.settings import Settings


def traces(database: Database) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute("select * from traces order by received_at").fetchall()


def test_infer_and_chat_leave_traces_with_what_they_rested_on(
    api: Callable[..., TestClient], database: Database, gateway_settings: Settings, tmp_path: Path
) -> None:
    book = tmp_path / "refunds.md"
    book.write_text("# Refunds\n\nRefunds are processed by the Berlin office in 3 business days.\n")
    add_file(database, book)
    client = api()
    question = "How are refunds processed by the Berlin office?"
    said = client.post("/v1/infer", json={"prompt": question}).json()
    client.post("/v1/chat", json={"question": question, "stream": False})
    infer, chat = traces(database)
    assert (infer["source"], infer["project"], infer["query"], infer["response"]) == ("infer", "conclave", question, said["text"])
    assert (infer["model"], infer["cost"]) == ("extractive", 0)
    assert "Berlin office" in str(infer["contexts"])
    assert (chat["source"], chat["query"], chat["status"]) == ("chat", question, "ok")
    assert chat["response"]
