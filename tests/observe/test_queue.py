"""The scoring queue on a real database: once each, by many workers, late spans, sampling, text modes, retention, deletion."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from observe_rows import BAD, CONTEXT, GOOD, NOW, span

from cli import erasing
from observe import alerts, judge, loop, projects, removal, reports, scoring
from observe.intake import Taken
from observe.judge import Judge
from observe.reports import Stretch
from store.database import Database
from store.settings import Settings
from trust import erase

Send = Callable[..., Taken]
Row = Callable[..., dict[str, Any]]
Work = Callable[..., None]
WEEK = Stretch("main", NOW - timedelta(days=1), NOW + timedelta(days=1))


def query(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.connection() as connection:
        return connection.execute(statement.encode()).fetchall()


def project(database: Database, settings: Settings, name: str = "shop", **values: Any) -> None:
    with database.connection() as connection:
        projects.create(connection, "main", name, values, settings.observe, "key:test")


def observing(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update={"observe": settings.observe.model_copy(update=values)})


def test_many_workers_score_each_trace_once(database: Database, settings: Settings, send: Send) -> None:
    send(*(span(f"t{n}") for n in range(60)), now=NOW)
    few = observing(settings, batch=7)

    def drain(_: int) -> int:
        done = 0
        while found := scoring.work(database, few, NOW):
            done += found
        return done

    with ThreadPoolExecutor(4) as workers:
        assert sum(workers.map(drain, range(4))) == 60
    assert query(database, "select count(*) as n from trace_scores")[0]["n"] == 60 * 7
    assert query(database, "select sum(seen) as seen, sum(kept) as kept from trace_hours")[0] == {"seen": 60, "kept": 60}


def test_a_trace_without_its_root_waits_for_it(database: Database, send: Send, work: Work, row: Row) -> None:
    child = span("t", span_id="child", parent_id="root", output="half", latency_ms=5.0)
    send(child, now=NOW)
    work(NOW)
    assert row("t")["state"] == "waiting"
    send(span("t", kind="chain", output=GOOD, contexts=(CONTEXT,)), now=NOW)
    work(NOW)
    assert (row("t")["state"], row("t")["response"], row("t")["spans"], row("t")["hallucination"]) == ("scored", GOOD, 2, False)
    send(span("t", span_id="late", parent_id="root", kind="tool"), now=NOW)
    assert (row("t")["state"], row("t")["spans"]) == ("waiting", 3)
    work(NOW)
    assert query(database, "select sum(seen) as seen from trace_hours")[0]["seen"] == 1  # scored again, counted once


def test_a_trace_whose_root_never_comes_is_scored_after_a_while(send: Send, work: Work, row: Row, settings: Settings) -> None:
    send(span("t", span_id="child", parent_id="gone"), now=NOW)
    work(NOW + timedelta(seconds=settings.observe.settle_s))
    assert (row("t")["state"], row("t")["complete"]) == ("scored", False)


def test_ordinary_traces_are_sampled_and_the_totals_still_hold(
    database: Database, settings: Settings, send: Send, work: Work
) -> None:
    sampled = observing(settings, full_per_hour=0, novel_per_hour=0)
    ids = [f"t{n}" for n in range(300)]
    send(*(span(one) for one in ids), *(span(f"e{n}", error="boom") for n in range(5)), span("bad", output=BAD), now=NOW)
    work(NOW, sampled)
    kept = {row["trace_id"]: row for row in query(database, "select trace_id, weight, kept_for from traces")}
    assert {f"e{n}" for n in range(5)} | {"bad"} <= set(kept)
    assert all(kept[one]["weight"] == 5 and kept[one]["kept_for"] == ["share"] for one in ids if one in kept)
    assert 30 <= sum(one in kept for one in ids) <= 95  # a fifth of 300, five deviations wide
    found = reports.overview(database.of("main"), WEEK)
    assert (found.seen, found.kept) == (306, len(kept))
    volume = found.measured["volume"].estimate
    assert volume.low is not None
    assert volume.high is not None
    assert volume.low - 60 <= 306 <= volume.high + 60
    again = send(span("t0"), *(span(one, span_id="late", parent_id="root") for one in ids if one not in kept), now=NOW)
    assert again.repeated + again.spans == 1 + 300 - sum(one in kept for one in ids)
    assert query(database, "select count(*) as n from traces")[0]["n"] == len(kept)  # no stump of a dropped one came back


def test_the_first_of_an_hour_and_the_novel_are_kept(database: Database, settings: Settings, send: Send, work: Work) -> None:
    project(database, settings, keep_share=1e-9)
    first = observing(settings, full_per_hour=3, novel_per_hour=0)
    send(*(span(f"t{n}") for n in range(10)), now=NOW)
    work(NOW, first)
    assert query(database, "select count(*) as n from traces where kept_for = '{first}'")[0]["n"] == 3
    fresh = observing(settings, full_per_hour=0, novel_per_hour=2)
    questions = ["Who owns the ledger?", "Where is Lisbon on the map?", "Which cards expire soon?"]
    send(*(span(f"n{n}", input=text, output="Cards.", contexts=()) for n, text in enumerate(questions)), now=NOW)
    work(NOW, fresh)
    assert query(database, "select count(*) as n from traces where kept_for = '{novel}'")[0]["n"] == 2


@pytest.mark.parametrize("mode", ["plain", "masked", "encrypted", "none"])
def test_text_is_kept_as_the_project_wants_it(
    database: Database, settings: Settings, send: Send, work: Work, row: Row, mode: str
) -> None:
    project(database, settings, text_mode=mode)
    secret = "Write to ann@example.org about card 4111 1111 1111 1111."
    send(span("t", input=secret, metadata={"note": secret}, user="u1"), now=NOW)
    work(NOW)
    stored = str(row("t")) + str(database.fetch("spans_of", tenant="main", trace_ids=["t"]))
    assert ("ann@example.org" in stored) is (mode == "plain")
    assert row("t")["pii"] == {"email": 1, "card": 1}
    assert row("t")["hallucination"] is (None if mode == "none" else False)
    shown = reports.trace(database.of("main"), settings, "main", "t")
    assert shown["query"] == {"masked": "Write to [email] about card [card].", "none": ""}.get(mode, secret)
    assert shown["metadata"].get("note", "") == shown["query"]
    assert shown["response"] == ("" if mode == "none" else GOOD)


def test_deleting_mentions_finds_them_in_sealed_text_too(database: Database, settings: Settings, send: Send) -> None:
    project(database, settings, "open", text_mode="plain")
    project(database, settings, "shut", text_mode="encrypted")
    for name in ("open", "shut"):
        send(span(f"{name} with", output="About account:A-17 only."), span(f"{name} without"), project=name, now=NOW)
    send(span("in a step", span_id="child", parent_id="x", input="ACCOUNT:a-17"), project="open", now=NOW)
    assert removal.delete_mentions(database.of("main"), settings, "main", ["account:A-17"], NOW) == 3
    left = {one["trace_id"] for one in query(database, "select trace_id from traces")}
    assert left == {"open without", "shut without"}


def test_an_erasure_finds_the_subject_in_sealed_text_too(database: Database, settings: Settings, send: Send) -> None:
    project(database, settings, "shut", text_mode="encrypted")
    send(span("with", output="About tour-customer-7 only."), span("without"), project="shut", now=NOW)
    with database.connection() as connection:
        asked = erase.ask(connection, "main", "key:1", "account:tour-customer-7", None)
    assert erasing.step(database, settings) == 1
    assert [one["trace_id"] for one in query(database, "select trace_id from traces")] == ["without"]
    report = database.fetch("erasure", tenant="main", erasure_id=asked.erasure_id)[0]["report"]
    assert {"sealed traces": 1}.items() <= {line["store"]: line["removed"] for line in report}.items()


def test_retention_is_each_projects_own(database: Database, settings: Settings, send: Send) -> None:
    project(database, settings, "short", retention_days=1)
    project(database, settings, "long", retention_days=30)
    send(span("a"), project="short", now=NOW)
    send(span("b"), project="long", now=NOW)
    assert removal.tidy(database, settings, NOW + timedelta(hours=23)) == 0
    later = NOW + timedelta(days=2)
    assert removal.tidy(database, settings, later) == 1
    assert [one["trace_id"] for one in query(database, "select trace_id from traces")] == ["b"]
    assert removal.tidy(database, settings, later) == 0  # not due again so soon


def test_one_project_does_not_write_into_anothers_trace(database: Database, send: Send) -> None:
    send(span("t"), project="bank", now=NOW)
    taken = send(span("t", span_id="x", parent_id="root"), project="shop", now=NOW, limits=frozenset({"shop"}))
    assert [one.why for one in taken.refused] == ["the key may not send to the project bank"]
    assert len(database.fetch("spans_of", tenant="main", trace_ids=["t"])) == 1


def test_hostile_text_is_stored(send: Send, work: Work, row: Row) -> None:
    odd = "nul \0, surrogate \ud800, " + "x" * 50_000
    taken = send(span("t", input=odd, output=odd, name=odd, metadata={"a\0": odd, "n": float("nan")}, error=odd), now=NOW)
    assert taken.refused == []
    work(NOW)
    assert row("t")["query"].startswith("nul \ufffd, surrogate ?, xxx")
    assert len(row("t")["query"]) == 32_000


def rule(database: Database, **values: Any) -> None:
    plain = {"project": "shop", "metric": "faithfulness", "comparison": "below", "threshold": 0.7, "window_s": 3600.0, "least": 4}
    with database.of("main").connection() as connection:
        alerts.create(connection, "main", "r", plain | values, "key:test")


def firings(database: Database) -> list[dict[str, Any]]:
    return alerts.listed(database.of("main"), "main")


def test_a_drop_against_last_week_is_raised_with_its_traces_and_ends_by_itself(
    database: Database, settings: Settings, send: Send, work: Work
) -> None:
    before = NOW - timedelta(days=3)
    send(*(span(f"old{n}", started_at=before) for n in range(6)), now=before)
    work(before)
    rule(database, comparison="drop", threshold=0.3)
    send(*(span(f"new{n}", output=BAD if n < 3 else GOOD) for n in range(6)), now=NOW)
    work(NOW)
    (found,) = firings(database)
    assert (found["value"], found["baseline"], found["state"]) == (0.5, 1.0, "open")
    whole = alerts.get(database.of("main"), "main", found["firing_id"])
    assert sorted(one["trace_id"] for one in whole["traces"]) == ["new0", "new1", "new2"]
    work(NOW + timedelta(minutes=1))
    assert len(firings(database)) == 1  # the same alert goes on
    mended = NOW + timedelta(hours=2)
    send(*(span(f"good{n}", started_at=mended) for n in range(6)), now=mended)
    work(mended)
    (found,) = firings(database)
    assert (found["state"], found["resolved_by"]) == ("resolved", "system:observe")
    told = query(database, "select dedupe_key, payload from messages order by message_id")
    assert [one["payload"]["state"] for one in told] == ["open", "resolved"]
    assert sorted(told[0]["payload"]["traces"]) == ["new0", "new1", "new2"]


def test_too_few_traces_say_nothing(database: Database, send: Send, work: Work) -> None:
    rule(database, least=4) if send(*(span(f"t{n}", output=BAD) for n in range(3)), now=NOW) else None
    work(NOW)
    assert firings(database) == []
    send(span("t3", output=BAD), now=NOW)
    work(NOW + timedelta(minutes=1))
    assert len(firings(database)) == 1


def test_each_model_has_its_own_alert_and_an_ended_one_stays_quiet_for_a_window(
    database: Database, settings: Settings, send: Send, work: Work
) -> None:
    send(*(span(f"a{n}", output=BAD, model="m1") for n in range(4)), *(span(f"b{n}", model="m2") for n in range(4)), now=NOW)
    rule(database)
    work(NOW)
    (found,) = firings(database)
    assert found["model"] == "m1"
    with database.of("main").connection() as connection:
        alerts.resolve(connection, "main", found["firing_id"], "key:ann", "known", NOW)
    work(NOW + timedelta(minutes=10))
    assert [one["state"] for one in firings(database)] == ["resolved"]
    send(*(span(f"c{n}", output=BAD, model="m1") for n in range(4)), now=NOW + timedelta(minutes=50))
    work(NOW + timedelta(minutes=70))
    assert [one["state"] for one in firings(database)] == ["open", "resolved"]


def test_a_judge_scores_beside_the_words(database: Database, settings: Settings, send: Send) -> None:
    project(database, settings, judged=True)
    send(span("t", output=f"{GOOD} The sky is green."), span("u"), now=NOW)
    asked: list[str] = []

    def ask(messages: Any, schema: Any) -> str:
        asked.append(messages[0]["content"])
        return (
            '{"unsupported": ["The sky is green.", "Never said."], "claims": 2, "answers": 2}' if len(asked) == 1 else "nonsense"
        )

    model = Judge("m", ask, lambda text, cap: f"«{text[:cap]}»")
    while loop.work(database, settings, NOW, model):
        pass
    scores = {(s["trace_id"], s["metric"]): s for s in query(database, "select * from trace_scores where scorer = 'judge:m'")}
    values = sorted((s["value"] is None, s["value"]) for s in scores.values() if s["metric"] == "faithfulness")
    assert values == [(False, 0.5), (True, None)]  # an invented quotation counts for nothing; nonsense is unknown
    assert {one["judging"] for one in query(database, "select judging from traces")} == {"done", "failed"}
    assert "«How long do refunds take?»" in asked[0]
    assert judge.PROMPT.name == "judge.md"
