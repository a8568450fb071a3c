"""The proxy holds a commit exactly before or after it happened, on a real server; the stand-in fails as a model server does."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chaos.model import NAME, StandIn
from chaos.proxy import Proxy
from store.database import Database, run
from store.errors import DatabaseAway
from store.sections.core import Model

WAIT_S = 20.0
ENTRY = {"query_id": "q", "batch_id": 7, "offsets_hash": "o", "settings_hash": "s", "offsets": {}, "events": 1, "accepted": 1,
         "quarantined": 0, "newest_event": None, "detail": {}, "started_at": "2026-03-01T00:00:00Z"}  # fmt: skip


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy(int(conninfo_to_dict(database_url)["port"])) as opened:
        yield opened


@pytest.fixture
def through(proxy: Proxy, database_url: str) -> Iterator[Database]:
    with Database(make_conninfo(database_url, port=proxy.port, sslmode="disable", gssencmode="disable")) as opened:
        yield opened


def entries(database: Database) -> int:
    with database.connection() as connection:
        return len(connection.execute("select 1 from batches").fetchall())


def write(database: Database, number: int, errors: list[Exception]) -> None:
    try:
        with database.connection() as connection:
            run(connection, "put_ingest_batch", **{**ENTRY, "batch_id": number})
    except DatabaseAway as error:
        errors.append(error)


@pytest.mark.parametrize(("when", "there"), [("before", 0), ("after", 1)])
def test_a_commit_is_held_on_its_way_or_on_its_way_back(
    proxy: Proxy, through: Database, database: Database, when: Any, there: int
) -> None:
    for number in range(7):  # so often that the statement is prepared and goes by its name
        write(through, number, [])
    trap, errors = proxy.trap("ingest", when), list[Exception]()
    writer = Thread(target=write, args=(through, 99, errors))
    writer.start()
    assert trap.caught.wait(WAIT_S)
    assert writer.is_alive()
    assert entries(database) == 7 + there
    proxy.disarm(trap, passed=False)
    writer.join(WAIT_S)
    assert len(errors) == 1, "the writer does not know what became of it"
    assert entries(database) == 7 + there
    write(through, 100, errors)
    assert (len(errors), entries(database)) == (1, 8 + there)


def test_a_held_commit_can_go_its_way(proxy: Proxy, through: Database, database: Database) -> None:
    trap, errors = proxy.trap("ingest", "before"), list[Exception]()
    writer = Thread(target=write, args=(through, 1, errors))
    writer.start()
    assert trap.caught.wait(WAIT_S)
    proxy.disarm(trap, passed=True)
    writer.join(WAIT_S)
    assert (errors, entries(database)) == ([], 1)


def test_connections_break_and_are_refused_and_come_back(proxy: Proxy, through: Database) -> None:
    assert entries(through) == 0
    proxy.refusing = True
    proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"host=127.0.0.1 port={proxy.port} sslmode=disable gssencmode=disable connect_timeout=5")
    proxy.refusing = False
    assert entries(through) == 0


def test_silence_holds_what_is_said_until_it_ends(proxy: Proxy, through: Database) -> None:
    assert entries(through) == 0
    proxy.silence()
    found: list[int] = []
    asker = Thread(target=lambda: found.append(entries(through)))
    asker.start()
    asker.join(0.2)
    assert asker.is_alive()
    proxy.speak()
    asker.join(WAIT_S)
    assert found == [0]


@pytest.mark.process
@pytest.mark.parametrize(
    ("mode", "error"), [("hang", "ModelSlow"), ("busy", "ModelBusy"), ("garbage", "NoAnswer"), ("cut", "Truncated")]
)
def test_the_stand_in_fails_as_the_council_knows_it(mode: Any, error: str) -> None:
    from rag.errors import NoAnswer
    from rag.models import OllamaModel, probe

    with StandIn() as stand_in:
        settings = Model(base_url=stand_in.url, name=NAME, timeout_s=1)
        assert probe(settings).present
        model, asked = (
            OllamaModel(settings),
            [{"role": "user", "content": "You are the Analyst.\ncase case-1:\ne1 (episode): hits 3"}],
        )
        assert '"case_id": "case-1"' in model.ask(asked, {}).text
        stand_in.behave(mode)
        with pytest.raises(NoAnswer) as raised:
            model.ask(asked, {})
        assert type(raised.value).__name__ == error
        assert stand_in.called.is_set()
