"""Infer, chat, documents, search and proposals over HTTP, on a real database without a model."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF
from starlette.testclient import TestClient

from assistant.loop import step
from rag.runbook import add_file
from store.database import Connection, Database, Jsonb
from store.settings import Settings, read

Api = Callable[..., TestClient]
RUNBOOK = Path(__file__).parents[2] / "data" / "runbook.md"
NOTE = "# Zeppelin leaks\n\nHydrogen escapes from the envelope.\n\n### Actions\n- Vent the hangar.\n"


@pytest.fixture
def gateway_settings(tmp_path: Path) -> Settings:
    """No model, so that nothing waits for one."""
    return read(home=tmp_path, model={"enabled": False})


def drain(database: Database, settings: Settings) -> None:
    while step(database, settings):
        pass


def events(answer: Any) -> list[tuple[str, dict[str, Any]]]:
    """The server-sent events of a whole answer, without pings."""
    found = []
    for block in answer.text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def put_case(database: Database, tenant: str = "main") -> str:
    """A confirmed case as the council leaves it."""
    name, entity = f"{tenant}-night", "account:A12/EUR"
    case = {"case_id": f"case-{name}", "tenant": tenant, "entity": entity, "kind": "account", "revision": 1, "severity": 0.9,
            "lane": "batch"}  # fmt: skip
    hits = {"detectors": ["amount_z"], "hits": 3, "span_s": 120}
    worst = {"value": 1200.0, "expected": 40.0, "unit": "amount", "currency": "EUR", "ratio": 30.0}
    items = [{"id": "e1", "kind": "episode", "title": "", "fields": hits, "text": ""},
             {"id": "e2", "kind": "anomaly", "title": "", "fields": worst, "text": ""}]  # fmt: skip
    now = datetime.now(UTC)
    seen = {"started_at": now, "last_at": now, "episode_id": name}
    shared = {key: case[key] for key in ("tenant", "entity", "kind", "revision", "severity")}
    with database.connection() as connection:
        insert(connection, "episodes", **shared, **seen, entity_hash=1, first_event_id="a", last_event_id="a", worst={},
               detectors=["amount_z"], settings_hash="", arrived_at=now, detected_at=now)  # fmt: skip
        insert(connection, "cases", **case, **seen)
        insert(connection, "rulings", ruling_id=f"ruling-{name}", tenant=tenant, case_id=case["case_id"], revision=1,
               council="rules",
               outcome="confirmed", action="step_up_auth", confidence=0.8, latency_ms=1, in_force=True, brief_hash="h",
               root_cause="Account A12 paid 1,200.00 EUR where 40.00 EUR is usual.", citations=Jsonb([]), opinions=Jsonb([]),
               next_steps=Jsonb([{"text": "Call the customer.", "section_id": None}]), checks=Jsonb([]),
               brief=Jsonb(case | {"omitted": {}, "items": items}))  # fmt: skip
    return str(case["case_id"])


def insert(connection: Connection, table: str, **row: Any) -> None:
    marks = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})".encode(), row)


def pdf(password: str = "") -> bytes:
    page = FPDF()
    if password:
        page.set_encryption(owner_password="owner", user_password=password)
    page.add_page()
    page.set_font("Helvetica", size=20)
    page.cell(0, 12, "Hangar rules", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=10)
    page.multi_cell(0, 6, "Nobody smokes in the hangar while the zeppelin is filled.")
    return bytes(page.output())


def test_a_question_is_answered_event_by_event_in_order(api: Api, database: Database) -> None:
    add_file(database, RUNBOOK)
    answer = api().post("/v1/chat", json={"question": "How do I recognise card testing?"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer)
    names = [name for name, _ in told]
    assert names[:2] == ["conversation", "reading"]
    assert names[-1] == "done"
    assert set(names[2:-1]) == {"citation", "sentence"}
    cited: set[int] = set()
    for name, data in told:
        if name == "citation":
            cited.add(data["n"])
        if name == "sentence":
            assert set(data["cites"]) <= cited, "a citation comes before the first sentence that uses it"
    done = told[-1][1]
    assert done["spoken_by"] == "extractive"
    assert "model.enabled is false" in done["why"]


def test_a_conversation_is_kept_renamed_and_deleted_and_is_nobody_elses(api: Api, database: Database) -> None:
    mine, others = api(), api()
    begun = mine.post("/v1/chat", json={"question": "What needs me now?", "stream": False}).json()
    place = f"/v1/chat/conversations/{begun['conversation_id']}"
    again = {"question": "And yesterday?", "stream": False, "conversation_id": begun["conversation_id"]}
    assert mine.post("/v1/chat", json=again).json()["message"] == 4
    assert [one["title"] for one in mine.get("/v1/chat/conversations").json()["items"]] == ["What needs me now?"]
    first = mine.get(place, params={"limit": 3}).json()
    rest = mine.get(place, params={"after": first["next"]}).json()
    assert [one["role"] for one in first["items"] + rest["items"]] == ["user", "assistant"] * 2
    assert rest["items"][0]["answer"]["spoken_by"] == "templates" or rest["items"][0]["answer"]["sentences"]
    assert mine.patch(place, json={"title": "Mine"}).json()["title"] == "Mine"
    for method in ("get", "delete"):
        assert getattr(others, method)(place).status_code == 404
    assert others.post("/v1/chat", json=again).status_code == 404
    assert others.get("/v1/chat/conversations").json()["items"] == []
    assert mine.delete(place).status_code == 204
    assert mine.get(place).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [({"question": "  ?! "}, "question"), ({"question": "yesterday", "zone": "Mars/Base"}, "zone"), ({}, "question")],
)
def test_a_bad_question_is_refused_by_its_field(api: Api, body: dict[str, Any], field: str) -> None:
    answer = api().post("/v1/chat", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_infer_without_a_model_lets_the_evidence_speak(api: Api, database: Database) -> None:
    body = {"prompt": "What does the note say of hydrogen?", "texts": ["Hydrogen leaks at 5 percent a day."], "search": False}
    answer = api().post("/v1/infer", json=body).json()
    assert answer["spoken_by"] == "extractive"
    assert answer["sentences"][0]["text"] == "Hydrogen leaks at 5 percent a day."
    assert answer["citations"][0] == {"n": 1, "kind": "text", "id": "text:1", "title": "given text › 1",
                                      "excerpt": "Hydrogen leaks at 5 percent a day."}  # fmt: skip
    assert "No model spoke" in answer["why"]
    assert answer["tokens_in"] is None


def test_a_document_goes_from_queued_to_found(api: Api, database: Database, gateway_settings: Settings) -> None:
    client = api()
    taken = client.post("/v1/documents", json={"name": "zeppelin.md", "text": NOTE})
    assert taken.status_code == 202
    assert (taken.json()["state"], taken.json()["in_use"], taken.json()["sections"]) == ("queued", None, None)
    drain(database, gateway_settings)
    ready = client.get("/v1/documents/zeppelin/versions/1").json()
    assert (ready["state"], ready["in_use"], ready["sections"], ready["done"]) == ("ready", 1, 1, 1)
    hit = client.get("/v1/search", params={"q": "hydrogen escapes"}).json()["items"][0]
    assert (hit["kind"], hit["id"]) == ("section", "zeppelin#zeppelin-leaks")
    assert set(hit["words"]) == {"hydrogen", "escapes"}
    assert "It contains: " in hit["why"]
    assert client.get("/v1/sections/zeppelin%23zeppelin-leaks").json()["current"] is True


def test_a_pdf_comes_as_a_form(api: Api, database: Database, gateway_settings: Settings) -> None:
    client = api()
    files = {"file": ("hangar.pdf", pdf(), "application/pdf")}
    assert client.post("/v1/documents", files=files).json()["format"] == "pdf"
    drain(database, gateway_settings)
    assert client.get("/v1/documents/hangar/versions/1/text").json()["text"].startswith("# Hangar rules")
    assert (
        client.get("/v1/search", params={"q": "who smokes", "only": "sections"}).json()["items"][0]["id"] == "hangar#hangar-rules"
    )
    locked = client.post("/v1/documents", files={"file": ("locked.pdf", pdf("secret"), "application/pdf")})
    assert locked.status_code == 422
    assert "locked with a password" in locked.json()["detail"]


def test_what_is_not_taken_is_said(api: Api, gateway_settings: Settings) -> None:
    client = api()
    assert client.post("/v1/documents", files={"file": ("x.exe", b"MZ", "application/x-msdownload")}).status_code == 415
    assert client.post("/v1/documents", content=b"x", headers={"content-type": "text/csv"}).status_code == 415
    assert client.post("/v1/documents", files={"other": ("x.md", b"# x")}).json()["field"] == "file"
    assert client.post("/v1/documents", json={"name": "???", "text": "x", "format": "text"}).json()["field"] == "name"
    assert client.post("/v1/documents", json={"name": "x.md"}).json()["field"] == "text"
    large = b"a" * (gateway_settings.assistant.max_upload_bytes + 1)
    assert client.post("/v1/documents", files={"file": ("large.txt", large)}).status_code == 413
    assert client.get("/v1/documents/none").status_code == 404
    assert client.get("/v1/sections/none%23x").status_code == 404


def test_removal_is_the_admins_and_what_a_ruling_cites_stays_readable(
    api: Api, database: Database, gateway_settings: Settings
) -> None:
    client, admin = api(), api("admin")
    client.post("/v1/documents", json={"name": "zeppelin.md", "text": NOTE + "\n# Other\nwords\n"})
    drain(database, gateway_settings)
    put_case(database)
    cited = [{"id": "e1", "kind": "section", "title": "", "text": "", "fields": {"section_id": "zeppelin#zeppelin-leaks"}}]
    with database.connection() as connection:
        connection.execute(b"update rulings set brief = jsonb_set(brief, '{items}', %s)", [Jsonb(cited)])
    assert client.delete("/v1/documents/zeppelin").status_code == 403
    gone = admin.delete("/v1/documents/zeppelin").json()
    assert gone == {"versions": 1, "sections_forgotten": 1, "sections_kept_for_citations": 1}
    assert client.get("/v1/search", params={"q": "hydrogen"}).json()["items"] == []
    kept = client.get("/v1/sections/zeppelin%23zeppelin-leaks").json()
    assert (kept["current"], kept["body"].startswith("Hydrogen")) == (False, True)
    assert client.get("/v1/documents").json()["items"] == []


def test_tenants_may_hold_the_same_document(api: Api, database: Database, gateway_settings: Settings) -> None:
    ours, theirs = api(), api(tenant="north")
    for client, word in ((ours, "hydrogen"), (theirs, "helium")):
        client.post("/v1/documents", json={"name": "gas.md", "text": f"# Gas\nFilled with {word}.\n"})
    drain(database, gateway_settings)
    assert [hit["excerpt"] for hit in ours.get("/v1/search", params={"q": "gas"}).json()["items"]] == ["Filled with hydrogen."]
    assert theirs.get("/v1/sections/gas%23gas").json()["body"] == "Filled with helium."


def test_a_section_is_proposed_edited_and_used_only_once_accepted(api: Api, database: Database) -> None:
    client, viewer, case_id = api(), api("viewer"), put_case(database)
    made = client.post("/v1/proposals", json={"case_id": case_id}).json()
    assert (made["state"], made["drafted_by"], made["version"]) == ("proposed", "rules", 1)
    assert "A12" not in made["title"] + made["body"]
    assert "1,200.00 EUR where 40.00 EUR" in made["body"]
    place = f"/v1/proposals/{made['proposal_id']}"
    assert client.get("/v1/search", params={"q": "customer call"}).json()["items"] == [], "not before a person accepted it"
    assert viewer.post(f"{place}/accept", json={"version": 1}).status_code == 403
    edited = client.patch(place, json={"version": 1, "title": "Large payment at night"}).json()
    stale = client.post(f"{place}/accept", json={"version": 1})
    assert (stale.status_code, stale.json()["newest"]["version"]) == (409, 2)
    done = client.post(f"{place}/accept", json={"version": edited["version"]}).json()
    assert (done["state"], done["doc_id"].startswith("case-note-large-payment")) == ("accepted", True)
    assert client.get("/v1/search", params={"q": "customer call"}).json()["items"][0]["title"] == "Large payment at night"
    assert client.post(f"{place}/reject", json={"version": 3, "reason": "no"}).status_code == 409
    assert client.post("/v1/proposals", json={"case_id": "case-none"}).status_code == 409
    assert [one["state"] for one in viewer.get("/v1/proposals").json()["items"]] == ["accepted"]
