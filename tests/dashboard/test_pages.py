"""The pages on a real database: empty, seeded with hostile text, and away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from caseload import HOSTILE, SECTIONS
from seed import seed
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import reading
from desk import loop
from store.database import Database
from store.settings import Settings, settings

VIEWS = Path(str(dashboard.__file__)).with_name("views")
NAMES = ("live", "entity", "health", "runbook")


@pytest.fixture
def here(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings name the test's database, and nothing of an earlier test is cached."""
    yield from _pointed(database_url, monkeypatch)


def _pointed(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CONCLAVE_DATABASE_URL", address)
    monkeypatch.setenv("CONCLAVE_DASHBOARD__SIGN_IN", "off")
    st.config.set_option("server.address", "127.0.0.1")
    _forget()
    yield
    if address.endswith("nowhere"):
        _forget()
        return
    reading.database().close()
    _forget()


def _forget() -> None:
    settings.cache_clear()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def seeded(here: None, database: Database) -> Database:
    seed(database)
    return database


def opened(which: str, /, **query: str) -> AppTest:
    page = AppTest.from_file(str(VIEWS / f"{which}.py"), default_timeout=30)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def html_of(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


EMPTY = {
    "inbox": "Nothing needs you",
    "case": "Which case?",
    "live": "conclave demo",
    "entity": "Nothing has been flagged yet",
    "council": "No such ruling",
    "chat": "Ask about an account",
    "runbook": "conclave runbook add",
    "traces": "POST /v1/traces",
    "trace": "Which trace?",
    "alerts": "No channel yet",
    "processing": "No processor yet",
    "health": "No streaming job has reported",
    "settings": "Nobody has changed anything yet",
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_database_is_a_sentence_with_what_to_do(name: str, here: None) -> None:
    assert EMPTY[name] in html_of(opened(name))


def test_another_tenant_sees_nothing_of_this_one_on_any_page(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(database)
    while loop.step(database, Settings()):
        pass
    assert database.fetch("desk_counts", tenant="main")[0]["open"] == 4
    monkeypatch.setenv("CONCLAVE_TENANT", "other")
    for _ in _pointed(database_url, monkeypatch):
        pages = [opened(name) for name in EMPTY] + [opened("case", case="case-ep01"), opened("entity", name="account:A13/EUR")]
        said = "".join(html_of(page) for page in pages)
        for absent in ("T137", "A13 ", "Card testing", "NaN is not a number", "payments"):
            assert absent not in said


def test_without_sign_in_beyond_this_machine_a_key_is_asked_for_and_nothing_is_shown(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(database)
    for _ in _pointed(database_url, monkeypatch):
        st.config.set_option("server.address", "0.0.0.0")
        said = html_of(opened("live"))
        assert "served beyond this machine" in said
        assert "T137" not in said


@pytest.mark.database
@pytest.mark.parametrize("name", NAMES)
def test_no_database_is_one_sentence_with_the_fix_and_no_traceback(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in _pointed("postgresql://127.0.0.1:9/nowhere", monkeypatch):
        said = html_of(opened(name))
        assert "No database." in said
        assert "CONCLAVE_DATABASE_URL" in said
        assert "Traceback" not in said


def test_a_wrong_setting_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCLAVE_DASHBOARD__PORT", "many")
    for _ in _pointed("postgresql://127.0.0.1:9/nowhere", monkeypatch):
        assert "settings cannot be used" in html_of(opened("live"))


def test_a_database_that_goes_away_later_is_said_in_its_place(seeded: Database) -> None:
    page = opened("live")
    reading.database().close()
    st.cache_data.clear()
    page.run()
    assert not page.exception
    assert "No database." in html_of(page)


def test_live_shows_confirmed_cases_to_act_on_first_then_worst_first(seeded: Database) -> None:
    said = html_of(opened("live"))
    needed = said[said.index("Needs you now") : said.index("Rulings")]
    places = [needed.index(name) for name in (">T137 ", ">A13 ", ">payments ")]
    assert places == sorted(places)
    assert ">checkout " not in needed


def test_a_settled_case_needs_nobody(seeded: Database) -> None:
    with seeded.connection() as connection:
        connection.execute("update commands set state = 'executed' where command_id = 'cmd-ep01'")
    said = html_of(opened("live"))
    needed = said[said.index("Needs you now") : said.index("Rulings")]
    assert ">T137 " not in needed
    assert "2 confirmed, 1 unresolved, 1 not heard yet" in said


def test_live_says_event_time_docket_and_council(seeded: Database) -> None:
    said = html_of(opened("live"))
    for expected in ("replayed data", "immediate 1, oldest", "no model answers", "45 kept in all"):
        assert expected in said


def test_hostile_text_stays_text_on_every_page(seeded: Database) -> None:
    pages = [
        opened("live"),
        opened("entity", name="account:A13/EUR"),
        opened("entity", name="account:<b>x</b>/EUR"),
        opened("health"),
    ]
    for page in pages:
        said = html_of(page)
        assert "&lt;script&gt;" in said
        assert "<script" not in said
        assert "<img" not in said
        assert "<b>x</b>" not in said
        assert not [element for element in page.markdown if HOSTILE[:8] in element.value]


def test_the_outcome_filter_keeps_only_its_rulings(seeded: Database) -> None:
    page = opened("live")
    page.get("button_group")[-1].set_value("Dismissed").run()
    said = html_of(page)
    ruled = said[said.index("Rulings") : said.index("Newest anomalies")]
    assert "&lt;b&gt;x&lt;/b&gt; <span" in ruled
    assert ">T137 " not in ruled


@pytest.mark.parametrize("kind", ["Services", "Accounts", "Counterparties", "Series"])
def test_metrics_of_each_kind_are_drawn(kind: str, seeded: Database) -> None:
    page = opened("live")
    page.get("button_group")[2].set_value(kind).run()
    assert not page.exception
    assert kind.lower() in str(page.get("plotly_chart")[0].proto)


@pytest.mark.parametrize("name", ["account:A13/EUR", "counterparty:T137/EUR", "service:payments", "series:catalog/cpu"])
def test_an_entity_has_chart_context_episodes(name: str, seeded: Database) -> None:
    page = opened("entity", name=name)
    said = html_of(page)
    assert len(page.get("plotly_chart")) == 1
    for expected in ("Judged against", "Episodes", "Anomalies"):
        assert expected in said


def test_an_entity_shows_the_ruling_in_force_before_the_superseded_one(seeded: Database) -> None:
    said = html_of(opened("entity", name="account:A13/EUR"))
    assert said.index("▲ Confirmed</span><span") < said.index("Superseded")


def test_an_unknown_entity_and_a_search_without_result_are_sentences(seeded: Database) -> None:
    assert "No entity is named" in html_of(opened("entity", name="account:nobody"))
    page = opened("entity")
    page.text_input[0].set_value("nobody % _ '").run()
    assert "No entity has this in its name" in html_of(page)


def test_a_search_finds_by_a_part_of_the_name(seeded: Database) -> None:
    page = opened("entity")
    page.text_input[0].set_value("CPU").run()
    assert "entity?name=series%3Acatalog%2Fcpu" in html_of(page)


def test_health_shows_streams_workers_ledger_quarantine_sizes(seeded: Database) -> None:
    said = html_of(opened("health"))
    (waiting,) = [row["waiting"] for row in seeded.fetch("stream_lags") if row["job"] == "detect"]
    assert waiting > 2_000
    for expected in (
        f"{waiting:,} rows wait, the oldest for",
        "1,234 events wait",
        "council@box/103",
        "silent",
        "amount: NaN is not a number",
        "metrics_minute",
        "30 days",
        "6,200",
    ):
        assert expected in said


def test_dead_letters_are_shown(seeded: Database) -> None:
    with seeded.connection() as connection:
        connection.execute(
            "update docket set state = 'dead', attempts = 5, last_error = '<i>gone</i>' where case_id = 'case-ep06'"
        )
    said = html_of(opened("health"))
    assert "&lt;i&gt;gone&lt;/i&gt;" in said
    assert "<i>" not in said


def test_a_citation_opens_its_section(seeded: Database) -> None:
    section_id, path, body = SECTIONS[1]
    page = opened("runbook", section=section_id)
    assert "Card testing" in html_of(page)
    assert path[-1] in html_of(page)
    assert page.markdown[0].value == body.replace("$", "\\$")
    assert "No section is named" in html_of(opened("runbook", section="gone#<b>"))


def test_every_query_of_the_pages_runs_and_reads_only_its_tenant(seeded: Database) -> None:
    with seeded.connection() as connection:
        for table in (
            "cases",
            "rulings",
            "anomalies",
            "episodes",
            "entities",
            "quarantined",
            "docket",
            "metrics_minute",
        ):
            connection.execute(f"update {table} set tenant = 'other'".encode())
        connection.execute(
            "insert into documents (tenant, doc_id, title, source, sha256) select 'other', doc_id, title, source, sha256 "
            "from documents"
        )
        connection.execute("update sections set tenant = 'other'")
        connection.execute("delete from documents where tenant = 'main'")
    said = html_of(opened("live")) + html_of(opened("health")) + html_of(opened("runbook")) + html_of(opened("entity"))
    for absent in ("T137", "A13", "Card testing", "NaN is not a number", "payments"):
        assert absent not in said


def test_the_app_itself_starts_on_the_inbox(seeded: Database) -> None:
    app = AppTest.from_file(str(VIEWS.parent / "app.py"), default_timeout=30).run()
    assert not app.exception
    assert "Need somebody" in html_of(app)
    assert "Sign-in is off" in html_of(app)


def rows_of(name: str, database: Database, **params: Any) -> list[dict[str, Any]]:
    return database.fetch(name, tenant="main", **params)


def test_buckets_add_up_to_the_minutes_they_hold(seeded: Database) -> None:
    found = rows_of("dashboard_minutes", seeded, kind="service", span_s=86_400, width_s=900, most=6)
    with seeded.connection() as connection:
        total = connection.execute(
            "select sum(count)::int as n from metrics_minute m join entities e using (entity_hash) where e.kind = 'service'"
        )
        assert sum(row["count"] for row in found) == total.fetchone()["n"]  # type: ignore[index]
    assert sum(row["anomalies"] for row in found if row["entity"] == "service:payments") == 10


def test_anomalies_of_the_last_hour_are_counted_in_stream_time(seeded: Database) -> None:
    assert rows_of("dashboard_pulse", seeded)[0]["anomalies_hour"] == 0
    with seeded.connection() as connection:
        connection.execute("update anomalies set event_time = event_time + interval '2 hours' where episode_id = 'ep03'")
    assert rows_of("dashboard_pulse", seeded)[0]["anomalies_hour"] == 10


def test_the_desk_chooses_whose_cases_it_sees_and_how_many(seeded: Database) -> None:
    page = opened("live")
    assert "3 confirmed, to act on first" in html_of(page)
    page.get("button_group")[0].set_value("Services").run()
    said = html_of(page)
    needed = said[said.index("Needs you now") : said.index("Rulings")]
    assert ">payments " in needed
    assert ">T137 " not in needed
