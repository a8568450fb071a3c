"""Documents: versions that old citations can still read, duplicates that are said, workers that die, removal in the middle."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import documents, loop
from assistant.errors import BadName, DocumentTooLarge, UnknownDocument
from rag.embed import EMBEDDER, embed, literal
from rag.runbook import Text, add_file, add_text, section, section_as_of
from rag.search import search, similar_cases
from store.database import Database, sql
from store.sections.assistant import Assistant
from store.settings import Settings, read
from trust.roles import Caller

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
EPISODE = "'episode_id', 'n' || i"
CASE = f"'case_id', 'case-n' || i, {EPISODE}"
FIRST = "# Leak\n\nMemory grows.\n\n# Disk\n\nNothing can be written.\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read(home=tmp_path)


def put(database: Database, me: Caller, name: str, text: str, **given: Any) -> dict[str, Any]:
    own = {"settings": Assistant(), **given}
    return documents.upload(database.of(me.tenant), me, name, text.encode(), now=NOW, **own)


def drain(database: Database, settings: Settings) -> int:
    done = 0
    while loop.step(database, settings):
        done += 1
    return done


def state(database: Database, doc_id: str) -> list[tuple[int, str]]:
    return [(row["version"], row["state"]) for row in documents.versions(database, "main", doc_id)]


def test_each_upload_is_a_version_and_an_old_citation_reads_as_it_was(database: Database, me: Caller, settings: Settings) -> None:
    put(database, me, "ops.md", FIRST)
    put(database, me, "ops.md", FIRST.replace("grows", "shrinks"))
    assert drain(database, settings) == 2
    assert state(database, "ops") == [(2, "ready"), (1, "ready")]
    assert search(database, "memory", k=1)[0].body == "Memory shrinks."
    with database.connection() as connection:
        times = connection.execute(
            b"select since, until from section_versions where section_id = 'ops#leak' order by since"
        ).fetchall()
    assert [row["until"] is None for row in times] == [False, True]
    then = section_as_of(database, "ops#leak", times[0]["since"] + (times[0]["until"] - times[0]["since"]) / 2)
    assert then is not None
    assert then.body == "Memory grows."
    assert documents.text_of(database, "main", "ops", 1) == FIRST


def test_the_same_bytes_again_change_nothing(database: Database, me: Caller, settings: Settings) -> None:
    assert put(database, me, "ops.md", FIRST)["unchanged"] is False
    assert put(database, me, "ops.md", FIRST)["unchanged"] is True
    assert drain(database, settings) == 1
    assert put(database, me, "ops.md", FIRST)["version"] == 1


def test_duplicates_are_said_exact_ones_by_their_bytes_near_ones_with_a_figure(
    database: Database, me: Caller, settings: Settings
) -> None:
    long = "# Guide\n\n" + " ".join(f"Step {n} asks for patience and care." for n in range(80))
    put(database, me, "first.md", long)
    drain(database, settings)
    twin = put(database, me, "twin.md", long)
    assert (twin["state"], twin["why"]) == ("duplicate", "The very same bytes as first, version 1.")
    assert put(database, me, "kept.md", long, keep_duplicate=True)["state"] == "queued"
    put(database, me, "near.md", long + " One sentence more.")
    drain(database, settings)
    near = documents.version(database, "main", "near", 1)
    assert near["state"] == "ready"
    assert near["near"][0]["doc_id"] in ("first", "kept")
    assert 0.9 < near["near"][0]["similarity"] <= 1


def test_a_worker_that_died_is_followed_by_another_to_the_same_end(database: Database, me: Caller, settings: Settings) -> None:
    put(database, me, "ops.md", FIRST)
    held = database.fetch("take_upload", lease_s=300)
    assert held[0]["attempts"] == 1
    loop._read(database, held[0], {"tenant": "main", "doc_id": "ops", "version": 1}, settings.assistant)  # then it is killed
    assert loop.step(database, settings) == 0, "its lease has not run out"
    with database.connection() as connection:
        connection.execute(b"update document_versions set leased_until = now() - interval '1 s'")
    assert drain(database, settings) == 1
    assert state(database, "ops") == [(1, "ready")]


def test_what_fails_for_good_says_why_and_the_old_version_stays(database: Database, me: Caller, settings: Settings) -> None:
    put(database, me, "ops.md", FIRST)
    drain(database, settings)
    put(database, me, "ops.md", "# Only\n## Headings\n")
    drain(database, settings)
    newest = documents.versions(database, "main", "ops")[0]
    assert (newest["state"], newest["in_use"]) == ("failed", 1)
    assert "no section with text" in newest["why"]
    assert search(database, "memory", k=1)[0].section_id == "ops#leak"


def test_a_document_that_kills_its_workers_is_given_up(database: Database, me: Caller, settings: Settings) -> None:
    put(database, me, "ops.md", FIRST)
    with database.connection() as connection:
        connection.execute(b"update document_versions set attempts = 3")
    drain(database, settings)
    assert state(database, "ops") == [(1, "failed")]


def test_a_document_removed_while_it_is_worked_on_stays_removed(database: Database, me: Caller, settings: Settings) -> None:
    put(database, me, "ops.md", FIRST)
    (held,) = database.fetch("take_upload", lease_s=300)
    documents.delete(database.of("main"), me, "ops")
    loop.work(database, held, settings.assistant)
    assert search(database, "memory", k=1) == []
    assert state(database, "ops") == [(1, "deleted")]
    with pytest.raises(UnknownDocument):
        documents.delete(database.of("main"), me, "ops")


def test_the_command_line_and_uploads_share_versions(database: Database, me: Caller, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "ops.md"
    path.write_text(FIRST)
    add_file(database, path)
    add_file(database, path)
    assert state(database, "ops") == [(1, "ready")], "an unchanged file is no version"
    put(database, me, "ops.md", FIRST + "\n# New\nwords\n")
    drain(database, settings)
    path.write_text(FIRST + "\n# Newer\nwords\n")
    add_file(database, path)
    assert state(database, "ops") == [(3, "ready"), (2, "ready"), (1, "ready")]


def test_limits(database: Database, me: Caller) -> None:
    with pytest.raises(DocumentTooLarge, match="13 bytes, more than 10"):
        put(database, me, "a.md", "# A\n\nlonger..", settings=Assistant(max_upload_bytes=10))
    with pytest.raises(BadName):
        put(database, me, "../...md", "x")


@given(st.text(max_size=60))
def test_a_name_never_keeps_a_folder(name: str) -> None:
    try:
        assert not set(documents.named(name)) & set("/\\\0\n")
    except BadName:
        assert not any(c.isalnum() for c in name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0])


def test_a_long_text_without_headings_becomes_sections_that_can_be_used(database: Database) -> None:
    body = "\n\n".join(f"Paragraph {n} " + "with many words " * 30 for n in range(60))
    add_text(database, Text("long", "Long", "long.md", body, 1, "x"), actor="key:x")
    second = section(database, "long#long~2")
    assert second is not None
    assert second.heading_path == ("long", "part 2")
    assert len(second.body) <= 6_000


def test_similar_cases_are_found_among_many_of_another_tenant(
    database: Database, seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vector index is shared by tenants: a few cases of one, apart from the many of another, must not be missed."""
    seeded(database)
    seeded(database, "north", "n-")
    target = embed(["One large payment at a new terminal."])[0]
    noise = np.random.default_rng(5).normal(0, 0.02, (1500, len(target))).astype(np.float32)
    with database.connection() as connection:
        for table, kept, key in (("episodes", "episode_id", EPISODE), ("cases", "case_id", CASE)):
            copied, each = f"(jsonb_populate_record(x, jsonb_build_object({key}))).*", "generate_series(0, 1499) i"
            many = f"insert into {table} select {copied} from {table} x, {each} where x.{kept} like '%n-night'"
            connection.execute(many.encode())
        rows = [(f"case-n{i}", "north", EMBEDDER, literal(target + one), NOW) for i, one in enumerate(noise)]
        connection.cursor().executemany(
            b"""insert into memories (case_id, tenant, summary, outcome, embedder, embedding, happened_at)
                values (%s, %s, 'payment', 'confirmed', %s, %s::vector, %s)""",
            rows,
        )
    for queries in (database, database.of("main")):
        found = similar_cases(queries, "Unusual amount (this account). One large payment at a new terminal.", k=3)
        assert [one.case_id for one in found] == ["case-night", "case-week"]
    monkeypatch.setattr("rag.search.EXACT", 0)
    assert len(similar_cases(database, "payment at a terminal", k=200, tenant="north")) == 200, "the index gives a whole pool"
    with database.connection() as connection:
        connection.execute(b"set local enable_seqscan = off")
        connection.execute(b"set local enable_bitmapscan = off")
        connection.execute(b"drop index memories_by_tenant")
        asked = {"tenant": "north", "embedder": EMBEDDER, "embedding": literal(target), "before": None, "exclude": [], "pool": 20}
        plan = connection.execute(f"explain {sql('near_memories')}".encode(), asked).fetchall()
        assert "memories_near" in str(plan)
