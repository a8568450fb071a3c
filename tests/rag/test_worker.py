import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from rag import worker as workers
from rag.council import reexecute
from rag.worker import Summary, Worker
from store.database import Database
from store.errors import DatabaseAway
from store.settings import Settings, read

DEADLINE_S = 60.0
RULINGS = "select * from rulings order by case_id, ruled_at"


@pytest.fixture
def settings(database_url: str) -> Settings:
    return read(database_url=database_url, model={"enabled": False}, council={"lease_s": 1, "backoff_s": 0.05, "max_attempts": 3})


def query(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(statement.encode()).fetchall()


def run_once(database: Database, settings: Settings, **given: Any) -> Summary:
    return Worker(database, settings, Event(), **given).run(once=True)


def until(condition: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    end, tick = time.monotonic() + DEADLINE_S, Event()
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        tick.wait(0.02)


def test_a_run_rules_every_case_once_and_proposes_what_follows(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    strong = {"severity": 0.9, "scores": {"amount_z": 1.35, "amount_robust_z": 1.9}}
    put_cases(
        make_case("1", [make_hit(**strong)]),
        make_case("2", [make_hit(severity=0.53, scores={"amount_z": 1.02})]),
        make_case("3", [make_hit(severity=0.4)]),
    )
    seen: list[tuple[int, int]] = []
    summary = run_once(database, settings, on_progress=lambda so_far, waiting: seen.append((so_far.cases, waiting)))
    assert (summary.cases, summary.councils["rules"], summary.failed) == (2, 2, 0)
    assert seen == [(1, 1), (2, 0)]
    strict, mild = query(database, RULINGS)
    assert (strict["case_id"], strict["outcome"], strict["council"], strict["in_force"]) == (
        "case-ep1",
        "confirmed",
        "rules",
        True,
    )
    assert "no model is wanted" in strict["why"]
    assert (mild["outcome"], "no majority" in mild["why"]) == ("unresolved", True)
    (command,) = query(database, "select * from commands")
    assert (command["action"], command["target"], command["state"]) == ("step_up_auth", "account:A12/EUR", "proposed")
    (alert,) = query(database, "select * from alerts")
    assert alert["root_cause"] == strict["root_cause"]
    assert {row["state"] for row in query(database, "select state from docket")} == {"done"}
    (memory,) = query(database, "select * from memories where case_id = 'case-ep1'")
    assert memory["outcome"] == "confirmed"
    assert "A12" not in memory["summary"]
    tools = {row["name"] for row in query(database, "select name from tool_audit")}
    assert tools == {"evidence", "runbook.search", "similar_cases"}


def test_stored_rulings_come_out_again_from_their_own_evidence(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(*(make_case(str(n), [make_hit(severity=0.55 + n / 20)]) for n in range(8)))
    run_once(database, settings)
    for row in query(database, RULINGS):
        again = reexecute(row)
        fields = (
            "outcome",
            "action",
            "confidence",
            "root_cause",
            "checks",
            "citations",
            "opinions",
            "brief_hash",
            "ruling_id",
            "next_steps",
        )
        assert {name: getattr(again, name) for name in fields} == {name: row[name] for name in fields}


def test_a_grown_case_is_ruled_anew_and_the_old_ruling_stays_readable(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1", [make_hit(severity=0.55)]))
    run_once(database, settings)
    put_cases(
        make_case("1", [make_hit(n, n * 9.0, severity=0.8, scores={"amount_z": 1.35, "amount_robust_z": 1.4}) for n in (1, 2, 3)])
    )
    run_once(database, settings)
    old, new = query(database, RULINGS)
    assert [(row["revision"], row["in_force"]) for row in (old, new)] == [(1, False), (3, True)]
    assert old["superseded_by"] == new["ruling_id"]
    run_once(database, settings)
    assert len(query(database, RULINGS)) == 2


def test_a_proposal_is_withdrawn_when_a_later_ruling_does_not_support_it(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1", [make_hit(severity=0.9, scores={"amount_z": 1.35, "amount_robust_z": 1.9})]))
    run_once(database, settings)
    with database.connection() as connection:
        connection.execute("update anomalies set value = 100")  # the evidence no longer holds
        connection.execute("update commands set state = 'approved' where action = 'nothing'")
    database.run("retry_case", case_id="case-ep1")
    run_once(database, settings)
    assert query(database, RULINGS)[-1]["outcome"] == "unresolved"
    (command,) = query(database, "select * from commands")
    assert (command["state"], command["action"]) == ("withdrawn", "step_up_auth")
    with database.connection() as connection:
        connection.execute("update anomalies set value = 1200")
    database.run("retry_case", case_id="case-ep1")
    run_once(database, settings)
    assert [row["state"] for row in query(database, "select state from commands")] == ["proposed"]


def test_what_a_person_decided_is_left_alone(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1", [make_hit(severity=0.9, scores={"amount_z": 1.35, "amount_robust_z": 1.9})]))
    run_once(database, settings)
    with database.connection() as connection:
        connection.execute("update commands set state = 'rejected'")
    for value in (100, 1200):
        with database.connection() as connection:
            connection.execute("update anomalies set value = %s", (value,))
        database.run("retry_case", case_id="case-ep1")
        run_once(database, settings)
    assert [row["state"] for row in query(database, "select state from commands")] == ["rejected"]


def test_a_bad_case_becomes_a_dead_letter_and_takes_no_other_with_it(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    put_cases(make_case("1"), make_case("2", [make_hit(event="broken")]), make_case("3"))
    summary = run_once(database, settings)
    assert (summary.cases, summary.failed) == (2, 3)
    assert [row["case_id"] for row in query(database, RULINGS)] == ["case-ep1", "case-ep3"]
    (letter,) = query(database, "select case_id, state, attempts, last_error from docket where state <> 'done'")
    assert (letter["case_id"], letter["state"], letter["attempts"]) == ("case-ep2", "dead", 3)
    assert letter["last_error"].startswith("AttributeError")


def test_a_lost_lease_rules_nothing(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker took the case over while this one was thinking."""
    put_cases(make_case())
    heard = workers.hear

    def slow(*given: Any) -> Any:
        with database.connection() as connection:
            connection.execute("update docket set leased_by = 'other', attempts = attempts + 1")
        monkeypatch.setattr(workers, "hear", heard)
        return heard(*given)

    monkeypatch.setattr(workers, "hear", slow)
    assert run_once(database, settings).cases == 1  # the second time, when the other's lease has run out
    assert len(query(database, RULINGS)) == 1


def test_a_database_that_goes_away_in_the_middle_costs_no_attempt(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_cases(make_case())
    heard, patient = workers.hear, settings.model_copy(update={"council": settings.council.model_copy(update={"lease_s": 600})})

    def away(*given: Any) -> Any:
        monkeypatch.setattr(workers, "hear", heard)
        raise DatabaseAway("(test)")

    monkeypatch.setattr(workers, "hear", away)
    assert run_once(database, patient).cases == 1
    assert query(database, "select state, attempts from docket") == [{"state": "done", "attempts": 1}]


def test_neighbours_history_and_topology_reach_the_brief(
    database: Database, settings: Settings, put_cases: Any, make_case: Any, make_hit: Any
) -> None:
    def failing(service: str, n: int = 1) -> Any:
        return make_hit(n, n * 5.0, unit="error rate", value=0.5, expected=0.01, low=0, high=0.2, detector="error_rate",
                        severity=0.8, scores={"error_rate": 2.3}, context={"n": 40, "errors": 20},
                        event={"service": service, "status": 502, "message": "no connection in pool"})  # fmt: skip

    with database.connection() as connection:
        for caller, callee in (("gateway", "checkout"), ("checkout", "payments")):
            connection.execute("insert into service_edges (caller, callee) values (%s, %s)", (caller, callee))
    put_cases(*(
        make_case(name, [failing(name, n) for n in (1, 2, 3)], kind="service", entity=f"service:{name}")
        for name in ("gateway", "checkout", "payments")
    ))  # fmt: skip
    put_cases(
        make_case("acc", [make_hit()]),
        make_case("term", [make_hit()], kind="counterparty", entity="counterparty:T9/EUR"),
    )
    run_once(database, settings)
    put_cases(make_case("far", [make_hit(after_s=7200)]))
    run_once(database, settings)
    rows = {row["case_id"]: row for row in query(database, RULINGS)}

    def items(case: str, kind: str) -> list[dict[str, Any]]:
        return [item["fields"] for item in rows[f"case-ep{case}"]["brief"]["items"] if item["kind"] == kind]

    assert (
        "payments, the deepest anomalous service beneath it (gateway → checkout → payments)"
        in rows["case-epgateway"]["root_cause"]
    )
    assert items("payments", "topology")[0]["anomalous_callers"] == ["checkout", "gateway"]
    targets = query(database, "select target from commands where action = 'open_incident'")
    assert {row["target"] for row in targets} == {"service:payments"}
    assert [field["relation"] for field in items("acc", "neighbour")] == ["where this account paid"]
    assert [field["relation"] for field in items("term", "neighbour")] == ["an account paying here"]
    assert items("far", "history")[0]["earlier_episodes"] == 1
    assert items("far", "history")[0]["rulings"] == 1


def test_workers_side_by_side_rule_each_case_once(database: Database, settings: Settings, put_cases: Any, make_case: Any) -> None:
    put_cases(*(make_case(str(n)) for n in range(60)))
    summaries: list[Summary] = []

    def work(name: str) -> None:
        worker = Worker(database, settings, Event())
        worker.name = name
        summaries.append(worker.run(once=True))

    threads = [Thread(target=work, args=(f"w{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert sum(summary.cases for summary in summaries) == 60
    assert query(database, "select count(*) as n, count(distinct case_id) as cases from rulings") == [{"n": 60, "cases": 60}]


def test_a_running_worker_hears_what_comes_and_stops_when_asked(
    database: Database, settings: Settings, put_cases: Any, make_case: Any
) -> None:
    stop = Event()
    thread = Thread(target=Worker(database, settings, stop).run, args=(False,))
    thread.start()
    try:
        until(lambda: bool(query(database, "select * from workers")))
        (row,) = query(database, "select * from workers")
        assert (row["job"], row["detail"]["council"], row["detail"]["breaker"]) == ("council", "rules", "closed")
        put_cases(make_case())
        with database.connection() as connection:
            connection.execute("notify docket, 'batch'")
        until(lambda: bool(query(database, RULINGS)))
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert query(database, "select * from workers") == []


@pytest.mark.parametrize("kill_after", [1, 3])
def test_a_killed_worker_loses_nothing_and_rules_nothing_twice(
    database: Database, database_url: str, settings: Settings, put_cases: Any, make_case: Any, tmp_path: Path, kill_after: int
) -> None:
    put_cases(*(make_case(str(n)) for n in range(150)))
    environment = {
        **os.environ,
        "CONCLAVE_DATABASE_URL": database_url,
        "CONCLAVE_MODEL__ENABLED": "false",
        "CONCLAVE_HOME": str(tmp_path),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", "from rag.worker import run; from store.settings import settings; run(settings(), once=True)"],
        env=environment,
    )
    counted = "select count(*) as n from rulings"
    until(lambda: query(database, counted)[0]["n"] >= kill_after or child.poll() is not None)
    child.send_signal(signal.SIGKILL)
    child.wait(DEADLINE_S)
    before = query(database, counted)[0]["n"]
    with database.connection() as connection:
        connection.execute("update docket set leased_until = now() where state = 'leased'")
    run_once(database, settings)
    assert before < 150
    assert query(database, "select count(*) as n, count(distinct case_id) as c from rulings where in_force") == [
        {"n": 150, "c": 150}
    ]
    assert query(database, counted)[0]["n"] == 150
    assert query(database, "select state, count(*) as n from docket group by 1") == [{"state": "done", "n": 150}]
    assert (
        query(database, "select count(*) as n from alerts")[0]["n"]
        == query(database, "select count(*) as n from commands")[0]["n"]
    )


def test_rules_start_without_the_model_libraries() -> None:
    heavy = "('langchain_core', 'langchain_ollama', 'langgraph', 'httpx')"
    code = f"import rag.worker, cli.council, sys, json; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout) == []
