"""Cases as the detect sink leaves them, for the council's tests."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import hypothesis
import pytest

from rag import docket
from rag.facts import Facts, Section
from rag.triage import lane
from store.database import Connection, Database
from store.sections.core import Council

hypothesis.settings.register_profile("unhurried", deadline=None)  # the machine is shared
hypothesis.settings.load_profile("unhurried")

START = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
Row = dict[str, Any]


def hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def hit(ordinal: int = 1, after_s: float = 0, **given: Any) -> Row:
    """A flagged payment of 1,200 where 40 is usual, with numbers that recompute."""
    event = {"event_id": f"t{ordinal}", "kind": "transaction", "account_id": "A12", "amount": 1200.0, "currency": "EUR",
             "counterparty_id": "T9", "message": None, "attributes": {"channel": "chip"}}  # fmt: skip
    context = {"n": 100, "log_mean": 3.68887945, "log_std": 0.5, "mean": 40.0, "median": 40.0, "mad": 8.0, "log_mad": 0.3,
               "recent": [38.0, 41.5], "burst": 10, "span_s": 9000.0, "usual_span_s": 9500.0}  # fmt: skip
    row = {
        "anomaly_id": f"x-{ordinal}", "ordinal": ordinal, "detector": "amount_z", "event_id": f"t{ordinal}",
        "event_time": START + timedelta(seconds=after_s), "value": 1200.0, "expected": 40.0, "low": 4.18262408,
        "high": 382.534846,
        "unit": "amount", "window_size": 100, "severity": 0.7, "scores": {"amount_z": 1.349706, "velocity": 0.1},
        "context": context, "event": event,
    }  # fmt: skip
    return {**row, **given}


def case(name: str = "1", hits: Iterable[Row] = (), **given: Any) -> Row:
    """A case and its episode; `hits` in order."""
    rows = list(hits) or [hit()]
    worst = max(rows, key=lambda row: (row["severity"], -row["ordinal"]))
    row = {
        "case_id": f"case-ep{name}", "tenant": "main", "episode_id": f"ep{name}", "entity": "account:A12/EUR", "kind": "account",
        "revision": len(rows), "severity": worst["severity"], "lane": lane(worst["severity"], Council()),
        "started_at": min(r["event_time"] for r in rows), "last_at": max(r["event_time"] for r in rows),
        "detectors": sorted({name for r in rows for name, score in r["scores"].items() if score >= 1}), "hits": rows,
    }  # fmt: skip
    return {**row, **given}


def store_case(connection: Connection, row: Row) -> None:
    """Write a case, its episode and its hits, and put it on the docket; it arrives now, or retention would remove it."""
    now = datetime.now(UTC)
    hits, whole = (
        row["hits"],
        {"tenant": row["tenant"], "entity": row["entity"], "entity_hash": hashed(row["tenant"] + row["entity"])},
    )
    whole |= {"episode_id": row["episode_id"], "arrived_at": now, "detected_at": now, "query_id": "q", "batch_id": 0}
    worst = max(hits, key=lambda one: (one["severity"], -one["ordinal"]))
    first, last = hits[0]["event_id"], hits[-1]["event_id"]
    episode = {**row, **whole, "first_event_id": first, "last_event_id": last, "worst": {**worst, **whole}, "settings_hash": "s"}
    connection.execute(
        """insert into episodes select * from jsonb_populate_record(null::episodes, %s)
           on conflict (episode_id) do update set revision = excluded.revision, last_at = excluded.last_at,
             worst = excluded.worst, severity = excluded.severity, detectors = excluded.detectors""",
        (json.dumps(episode, default=str),),
    )
    anomalies = [{**one, **whole, "anomaly_id": row["episode_id"] + one["anomaly_id"]} for one in hits]
    connection.execute(
        "insert into anomalies select * from jsonb_populate_recordset(null::anomalies, %s) on conflict do nothing",
        (json.dumps(anomalies, default=str),),
    )
    names = ("case_id", "tenant", "episode_id", "entity", "kind", "revision", "severity", "lane", "started_at", "last_at")
    docket.put(connection, [{name: row[name] for name in names}])


def facts(row: Row | None = None, **given: Any) -> Facts:
    """The facts of a case, as gather would find them."""
    whole = row or case()
    return Facts(whole, tuple(whole["hits"]), **given)


def section(name: str = "Single large amount", action: str = "step_up_auth", **given: Any) -> Section:
    found = {
        "section_id": f"runbook#{name.lower().replace(' ', '-')}",
        "heading_path": ("Card and account fraud", name),
        "relevance": 0.9,
        "steps": ("Call the customer.", "Require step-up authentication."),
        "cautions": ("The customer announced the purchase.",),
        "excerpt": "One payment far above the usual.",
        "action": action,
    }
    return Section(**{**found, **given})  # type: ignore[arg-type]


def neighbour(entity: str = "counterparty:T9/EUR", **given: Any) -> Row:
    kind = entity.partition(":")[0]
    row = {
        "episode_id": f"ep-{entity}", "entity": entity, "kind": kind, "severity": 0.8, "revision": 4, "detectors": ["velocity"],
        "started_at": START, "last_at": START, "counterparty_id": None, "account_id": None, "service": None,
    }  # fmt: skip
    return {**row, **given}


@pytest.fixture(scope="session")
def hash64() -> Callable[[str], int]:
    return hashed


@pytest.fixture
def make_facts() -> Callable[..., Facts]:
    return facts


@pytest.fixture
def make_section() -> Callable[..., Section]:
    return section


@pytest.fixture
def make_neighbour() -> Callable[..., Row]:
    return neighbour


@pytest.fixture
def make_hit() -> Callable[..., Row]:
    return hit


@pytest.fixture
def make_case() -> Callable[..., Row]:
    return case


@pytest.fixture
def put_cases(database: Database) -> Callable[..., None]:
    """Write cases into the test's database, as one transaction."""

    def put(*rows: Row) -> None:
        with database.connection() as connection:
            for row in rows:
                store_case(connection, row)

    return put


class FakeOllama:
    """A model server on the wire: /api/tags and /api/chat as Ollama speaks them, with answers that a test chooses.

    `answer(request, role, cases)` returns what to send: a text (a proper answer), or a tuple (kind, detail).
    """

    def __init__(self) -> None:
        self.requests: list[Row] = []
        self.models = [{"name": "judge:latest", "digest": "sha256abcdef0123456789"}]
        self.answer: Callable[[Row, str, dict[str, list[str]]], Any] = lambda request, role, cases: good_answer(role, cases)
        self.closing = Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                self.reply(200, json.dumps({"models": fake.models}).encode())

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.requests.append(request)
                fake.serve(self, request)

            def reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def serve(self, handler: Any, request: Row) -> None:
        said = "\n".join(message["content"] for message in request["messages"])
        role = re.search(r"You are the (\w+)", said)
        given = self.answer(request, role[1].lower() if role else "", cases_in(said))
        kind, detail = given if isinstance(given, tuple) else ("stop", given)
        if kind == "status":
            return handler.reply(detail, b'{"error": "no"}')
        if kind == "hang":
            self.closing.wait(30)
            return None
        if kind == "raw":
            return handler.reply(200, detail)
        lines = [{"model": "judge", "message": {"role": "assistant", "content": part}, "done": False} for part in pieces(detail)]
        if kind != "cut":
            end = {"model": "judge", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": kind}
            lines.append({**end, "prompt_eval_count": 321, "eval_count": 45})
        return handler.reply(200, b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def pieces(text: str) -> list[str]:
    return [text[at : at + 40] for at in range(0, len(text), 40)]


def cases_in(prompt: str) -> dict[str, list[str]]:
    """Case ids in a prompt, and the ids of the items offered for each."""
    found: dict[str, list[str]] = {}
    for line in prompt.splitlines():
        if match := re.match(r"case (case-\w+):", line):
            found[match[1]] = []
        elif found and (match := re.match(r"(e\d+) \(", line)):
            found[list(found)[-1]].append(match[1])
    return found


def one_opinion(case_id: str, items: list[str], role: str, **given: Any) -> Row:
    opinion = {"case_id": case_id, "vote": "confirm", "reasons": [f"Hits so far: {{{{{items[0]}.hits}}}}."]}
    opinion |= {"citations": items[:2], "action": "watch", "confidence": "high"}
    return {**opinion, **({"veto": False} if role == "auditor" else {}), **given}


def good_answer(role: str, cases: dict[str, list[str]], **given: Any) -> str:
    return json.dumps({"opinions": [one_opinion(case_id, items, role, **given) for case_id, items in cases.items()]})


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    fake = FakeOllama()
    yield fake
    fake.close()


@pytest.fixture
def answers() -> Callable[..., str]:
    return good_answer
