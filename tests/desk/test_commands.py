"""Commands: decided by people or policies, sent signed to a real receiver, never carried out twice, undone."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from desk import cases, commands, executing, intake, passing, timeline
from desk.errors import BadDetail, CommandChanged, UnknownCommand
from notify.signing import verify
from store.database import Database
from store.sections.desk import Approval, Desk
from trust import audit
from trust.roles import Caller

Ruled = Callable[..., str]
ROW = dict[str, Any]
SECRET = "between us"


class Receiver:
    """A webhook that carries a command out once per Idempotency-Key, as it is asked to; `script` says what it answers, in turn.

    A status; 0: it acts, then dies before it answers; 299: it acts, and dies in the middle of its answer.
    """

    def __init__(self) -> None:
        self.script: list[int] = []
        self.requests: list[ROW] = []
        self.acted: dict[str, int] = {}
        self.url = ""

    def take(self, headers: Any, body: bytes) -> int:
        key, stamp = headers["Idempotency-Key"], int(headers["X-Conclave-Timestamp"])
        signed = verify(SECRET, stamp, body, headers["X-Conclave-Signature"], now=stamp)
        self.requests.append({"key": key, "signed": signed, "body": json.loads(body)})
        status = self.script.pop(0) if self.script else 200
        if signed and status in (0, 200, 299):
            self.acted.setdefault(key, len(self.requests))
        return status


@contextmanager
def serving(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = receiver.take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "4" if status != 299 else "400")
            self.end_headers()
            self.wfile.write(b"o\x00k!")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        receiver.url = f"http://127.0.0.1:{server.server_port}/commands"
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as one:
        yield one


def sending(receiver: Receiver, **given: Any) -> Desk:
    return Desk(webhook_url=receiver.url, webhook_secret=SECRET, webhook_attempts=3, **given)


def proposed(database: Database, ruled: Ruled, name: str = "one", action: str = "block_account", **given: Any) -> str:
    case_id = ruled(name, action=action, **given)
    intake.take(database, Desk())
    return str(commands.commands(database.of("main"), "main", case_id=case_id)[0]["command_id"])


def decide(database: Database, caller: Caller, step: str, command_id: str, desk: Desk, **more: Any) -> ROW:
    with database.of("main").connection() as connection:
        row: ROW = getattr(commands, step)(connection, caller, command_id, desk=desk, **more)
        return row


def state(database: Database, command_id: str) -> str:
    return str(commands.command(database.of("main"), "main", command_id)["state"])


def test_an_approved_command_is_sent_signed_once_and_its_answer_kept(
    database: Database, ruled: Ruled, ana: Caller, receiver: Receiver, messages: Callable[[], list[ROW]]
) -> None:
    command_id, desk = proposed(database, ruled), sending(receiver)
    assert executing.execute(database, desk) == 0  # a proposal is not sent
    decide(database, ana, "approve", command_id, desk, reason="clear")
    assert executing.execute(database, desk) == 1
    assert executing.execute(database, desk) == 0
    sent = receiver.requests[0]
    assert (sent["key"], sent["signed"]) == (command_id, True)
    assert {key: sent["body"][key] for key in ("action", "target", "purpose", "approved_by", "tenant")} == {
        "action": "block_account", "target": "account:A12/EUR", "purpose": "do", "approved_by": "key:ana", "tenant": "main",
    }  # fmt: skip
    found = commands.command(database.of("main"), "main", command_id)
    assert (found["state"], found["possible"]) == ("executed", ["undo"])
    assert [(one["status"], one["body"]) for one in found["runs"][0]["answers"]] == [(200, "o\ufffdk!")]
    story = timeline.read(database.of("main"), "main", "case-one")
    assert [f"{row['source']} {row['kind']}" for row in story] == [
        "command proposed", "ruling confirmed", "entry opened", "entry approved", "entry executed", "run do",
    ]  # fmt: skip
    assert [m["kind"] for m in messages() if m["kind"].startswith("command")] == ["command.executed"]
    assert audit.verify(database, "main").entries == 1


def test_a_crash_between_sending_and_recording_is_sent_again_with_the_same_key(
    database: Database, ruled: Ruled, ana: Caller, receiver: Receiver
) -> None:
    command_id, desk, now = proposed(database, ruled), sending(receiver), datetime.now(UTC)
    decide(database, ana, "approve", command_id, desk)
    taken = executing.take(database, desk, "first", now + timedelta(seconds=1))
    assert taken is not None
    with executing.httpx.Client() as client:  # it sends, and ends before it records
        first = executing.webhook.send(client, receiver.url, SECRET, taken["run_id"], taken["body"], now)
    assert first.status == 200
    assert executing.execute(database, desk, worker="second", now=now + timedelta(seconds=5)) == 0  # the lease stands
    assert executing.execute(database, desk, worker="second", now=now + timedelta(seconds=90)) == 1
    assert [one["key"] for one in receiver.requests] == [command_id] * 2
    assert receiver.requests[0]["body"] == receiver.requests[1]["body"]
    assert len(receiver.acted) == 1
    assert state(database, command_id) == "executed"
    late = executing.record(database, taken, first, desk, "first", now + timedelta(seconds=95), 1.0)
    assert late is False  # the one thought dead wakes up: its lease is gone, so it writes nothing
    assert len(commands.command(database.of("main"), "main", command_id)["runs"][0]["answers"]) == 1


def test_a_receiver_that_dies_after_acting_acts_once(database: Database, ruled: Ruled, ana: Caller, receiver: Receiver) -> None:
    command_id, desk, now = proposed(database, ruled), sending(receiver), datetime.now(UTC)
    receiver.script = [0, 503, 200]
    decide(database, ana, "approve", command_id, desk)
    for minutes in (1, 2, 3, 4):
        executing.execute(database, desk, now=now + timedelta(minutes=minutes))
    assert (state(database, command_id), len(receiver.requests), len(receiver.acted)) == ("executed", 3, 1)
    answers = commands.command(database.of("main"), "main", command_id)["runs"][0]["answers"]
    assert [one["status"] for one in answers] == [None, 503, 200]
    other = proposed(database, ruled, "two", entity="account:B/EUR")
    receiver.script = [299]
    decide(database, ana, "approve", other, desk)
    executing.execute(database, desk, now=now + timedelta(minutes=5))
    assert (state(database, other), len(receiver.requests)) == ("executed", 4)  # the status had arrived: that is an answer
    assert "Disconnected" in answers[0]["error"] or "Protocol" in answers[0]["error"] or "Read" in answers[0]["error"]


def test_many_workers_carry_each_command_out_once(
    database: Database, database_url: str, ruled: Ruled, ana: Caller, receiver: Receiver
) -> None:
    desk = sending(receiver)
    ids = [proposed(database, ruled, f"c{place}", entity=f"account:C{place}/EUR") for place in range(12)]
    for command_id in ids:
        decide(database, ana, "approve", command_id, desk)
    barrier = threading.Barrier(3)

    def work(name: str) -> None:
        with Database(database_url, pool_size=1) as own:
            barrier.wait()
            while executing.execute(own, desk, worker=name):
                pass

    workers = [threading.Thread(target=work, args=(f"w{place}",)) for place in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert sorted(one["key"] for one in receiver.requests) == sorted(ids)
    assert {state(database, command_id) for command_id in ids} == {"executed"}


def test_failures_are_final_or_tried_again_by_a_person_under_the_same_key(
    database: Database, ruled: Ruled, ana: Caller, receiver: Receiver, messages: Callable[[], list[ROW]]
) -> None:
    desk, now = sending(receiver), datetime.now(UTC)
    refused = proposed(database, ruled)
    receiver.script = [400]
    decide(database, ana, "approve", refused, desk)
    executing.execute(database, desk, now=now + timedelta(minutes=1))
    assert (state(database, refused), len(receiver.requests)) == ("failed", 1)
    receiver.script = [500, 500, 500]
    decide(database, ana, "approve", refused, desk)
    for minutes in range(2, 60, 10):
        executing.execute(database, desk, now=now + timedelta(minutes=minutes))
    assert (state(database, refused), len(receiver.requests)) == ("failed", 4)  # three tries, then given up
    decide(database, ana, "approve", refused, desk)
    executing.execute(database, desk, now=now + timedelta(hours=2))
    assert state(database, refused) == "executed"
    assert {one["key"] for one in receiver.requests} == {refused}
    assert [m["kind"] for m in messages() if m["kind"].startswith("command")] == [
        "command.failed",
        "command.failed",
        "command.executed",
    ]


def test_an_approval_too_old_is_given_up(database: Database, ruled: Ruled, ana: Caller, receiver: Receiver) -> None:
    command_id, desk = proposed(database, ruled), sending(receiver)
    decide(database, ana, "approve", command_id, desk)
    executing.execute(database, desk, now=datetime.now(UTC) + timedelta(days=2))
    assert (state(database, command_id), receiver.requests) == ("failed", [])


def test_an_executed_command_is_undone_within_its_time_where_it_can_be(
    database: Database, ruled: Ruled, ana: Caller, receiver: Receiver
) -> None:
    desk, now = sending(receiver), datetime.now(UTC)
    command_id = proposed(database, ruled)
    incident = proposed(database, ruled, "svc", "open_incident", entity="service:x")
    for one in (command_id, incident):
        decide(database, ana, "approve", one, desk)
    executing.execute(database, desk)
    with pytest.raises(CommandChanged, match="cannot be undone"):
        decide(database, ana, "undo", incident, desk)
    with pytest.raises(CommandChanged, match="over"):
        decide(database, ana, "undo", command_id, desk, now=now + timedelta(days=2))
    receiver.script = [400]
    decide(database, ana, "undo", command_id, desk)
    executing.execute(database, desk)
    assert state(database, command_id) == "executed"  # the undoing failed
    decide(database, ana, "undo", command_id, desk)
    executing.execute(database, desk)
    assert state(database, command_id) == "undone"
    assert (receiver.requests[-1]["key"], receiver.requests[-1]["body"]["action"]) == (f"{command_id}-undo", "unblock_account")
    with pytest.raises(CommandChanged):
        decide(database, ana, "approve", command_id, desk)


def test_a_policy_approves_only_what_it_names_and_says_so(database: Database, ruled: Ruled, receiver: Receiver) -> None:
    policy = Approval(action="block_account", min_confidence=0.9)
    desk = sending(receiver, approve=(policy,))
    sure = proposed(database, ruled, "sure", confidence=0.95)
    unsure = proposed(database, ruled, "unsure", entity="account:B/EUR", confidence=0.8)
    other = proposed(database, ruled, "other", "step_up_auth", entity="account:C/EUR", confidence=0.95)
    assert passing.proposals(database, desk) == 3
    assert passing.proposals(database, desk) == 0
    executing.execute(database, desk)
    assert [state(database, one) for one in (sure, unsure, other)] == ["executed", "proposed", "proposed"]
    found = commands.command(database.of("main"), "main", sure)
    assert (found["decided_by"], found["decision"]) == ("policy:block_account", "confidence 0.95")


def test_decisions_rest_on_what_was_seen(database: Database, ruled: Ruled, ana: Caller, bo: Caller) -> None:
    command_id, desk = proposed(database, ruled), Desk()
    before = commands.command(database.of("main"), "main", command_id)
    ruled("one", action="block_account", hits=2)  # ruled again: the proposal rests on the later ruling
    intake.take(database, desk)
    with pytest.raises(CommandChanged, match="later ruling"):
        decide(database, ana, "approve", command_id, desk, ruling_id=before["ruling_id"])
    with pytest.raises(BadDetail):
        decide(database, ana, "reject", command_id, desk, reason=" ")
    decide(database, ana, "reject", command_id, desk, reason="the customer called")
    for step in ("approve", "undo", "done"):
        with pytest.raises(CommandChanged, match="It is rejected"):
            decide(database, bo, step, command_id, desk)
    with pytest.raises(UnknownCommand):
        decide(database, bo, "approve", "command-none", desk)
    case = cases.case(database.of("main"), "main", "case-one")
    assert [(row["state"], row["decision"]) for row in case["commands"]] == [("rejected", "the customer called")]
