"""The pool, named queries, errors in our words, notifications and waiting, on a real server."""

import re
import socket
import threading
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest

from store import database as databases
from store.away import wait_for
from store.database import Database, Jsonb, connect, fetch, open_database, place_of, run, url
from store.errors import (
    DatabaseAway,
    DatabaseConflict,
    DatabaseForbidden,
    DatabaseLogin,
    DatabaseOlder,
    DatabaseRow,
    UnknownQuery,
)
from store.named import FOLDER, parse, queries, sql
from store.settings import Settings

EDGE = "put_edge"


def add_edge(database: Database, caller: str) -> int:
    return database.run(EDGE, tenant="main", caller=caller, callee="z")


def callers(database: Database) -> list[str]:
    with database.connection() as connection:
        return [row["caller"] for row in connection.execute("select caller from service_edges order by 1")]


def test_a_transaction_commits_and_a_failed_one_is_undone(database: Database) -> None:
    with database.connection() as connection:
        assert run(connection, EDGE, tenant="main", caller="a", callee="b") == 1
    with pytest.raises(ZeroDivisionError), database.connection() as connection:  # noqa: PT012 - the block is the transaction
        run(connection, EDGE, tenant="main", caller="c", callee="d")
        raise ZeroDivisionError
    assert callers(database) == ["a"]


def test_rows_are_dictionaries_inside_the_callers_transaction(database: Database) -> None:
    with database.connection() as connection:
        assert fetch(connection, "status_counts")[0]["cases"] == 0


def test_dicts_are_jsonb_and_arrays_are_vectors(database: Database) -> None:
    with database.connection() as connection:
        row = connection.execute(
            "select %s as doc, %s as list, %s::vector as vec", [{"a": 1}, Jsonb([1]), np.array([1.0, 2.0])]
        ).fetchone()
    assert row is not None
    assert row["doc"] == {"a": 1}
    assert row["list"] == [1]
    assert row["vec"].to_list() == [1.0, 2.0]


def test_errors_are_in_our_words(database: Database) -> None:
    with pytest.raises(DatabaseOlder, match="conclave migrate"), database.connection() as connection:
        connection.execute("select * from no_such_table")
    with pytest.raises(DatabaseRow, match="undone"), database.connection() as connection:
        connection.execute("insert into service_edges values ('main', null, 'b')")
    with pytest.raises(DatabaseRow), database.connection() as connection:
        connection.execute("select 'x'::int")
    with pytest.raises(DatabaseConflict), database.connection() as connection:
        connection.execute("do $$ begin raise serialization_failure; end $$")
    with pytest.raises(DatabaseForbidden), database.connection() as connection:
        connection.execute("do $$ begin raise insufficient_privilege; end $$")


def test_the_drivers_error_stays_the_cause(database: Database) -> None:
    with pytest.raises(DatabaseOlder) as caught, database.connection() as connection:
        connection.execute("select * from no_such_table")
    assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedTable)


def test_a_wrong_password_is_not_a_server_that_is_away(server_url: str) -> None:
    start, _, rest = server_url.partition("@")
    wrong = start.rpartition(":")[0] + ":guess@" + rest
    with pytest.raises(DatabaseLogin), connect(wrong):
        pass
    with pytest.raises(DatabaseLogin), connect(server_url.rpartition("/")[0] + "/no_such_database"):
        pass


def test_a_closed_port_is_a_server_that_is_away() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"postgresql://x@127.0.0.1:{unused.getsockname()[1]}/x"
    with pytest.raises(DatabaseAway, match="CONCLAVE_DATABASE_URL"), connect(address):
        pass


def test_broken_connections_are_replaced(database: Database, server_url: str) -> None:
    add_edge(database, "a")
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'conclave'")
    wait_for(lambda: add_edge(database, "b"), 20)
    assert callers(database) == ["a", "b"]


def test_a_connection_that_breaks_in_use_is_away_and_nothing_of_it_stays(database: Database, server_url: str) -> None:
    with pytest.raises(DatabaseAway), database.connection() as connection:  # noqa: PT012 - the block is the transaction
        run(connection, EDGE, tenant="main", caller="a", callee="b")
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        run(connection, EDGE, tenant="main", caller="c", callee="d")
    assert wait_for(lambda: callers(database), 20) == []


def test_waiting_ends_with_success_or_with_the_last_error() -> None:
    tries, waits = [], []

    def second_time() -> str:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise DatabaseAway
        return "there"

    assert wait_for(second_time, 30, lambda error, so_far: waits.append((type(error), so_far))) == "there"
    assert [kind for kind, _ in waits] == [DatabaseAway, DatabaseAway]
    assert waits[0][1] < waits[1][1]
    with pytest.raises(DatabaseAway):
        wait_for(lambda: (_ for _ in ()).throw(DatabaseAway()), 0.3)


def test_waiting_is_for_nothing_but_a_database_that_is_away() -> None:
    tries = []

    def refused() -> None:
        tries.append(1)
        raise DatabaseRow

    with pytest.raises(DatabaseRow):
        wait_for(refused, 30)
    assert len(tries) == 1


def test_a_notification_wakes_the_listener(database: Database) -> None:
    assert database.listen("docket", 0.01)  # the first call only begins to listen
    assert not database.listen("docket", 0.01)

    def notify() -> None:
        with database.connection() as connection:
            connection.execute("select pg_notify('docket', 'batch')")

    teller = threading.Timer(0.2, notify)
    teller.start()
    started = time.monotonic()
    assert database.listen("docket", 20)
    assert time.monotonic() - started < 10
    teller.join()


def test_a_notification_between_two_calls_is_not_lost_and_other_channels_do_not_wake(database: Database) -> None:
    database.listen("docket", 0.01)
    with database.connection() as connection:
        connection.execute("select pg_notify('other', '')")
    assert not database.listen("docket", 0.05)
    with database.connection() as connection:
        connection.execute("select pg_notify('docket', 'batch')")
    assert database.listen("docket", 5)
    assert not database.listen("docket", 0.01)


def test_a_listener_that_lost_its_connection_listens_again(database: Database, server_url: str) -> None:
    database.listen("docket", 0.01)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'")
    with pytest.raises(DatabaseAway):
        database.listen("docket", 5)
    assert database.listen("docket", 0.01)


def test_closing_ends_every_connection(database_url: str, server_url: str) -> None:
    with Database(database_url) as opened:
        opened.fetch("status_counts")
        opened.listen("docket", 0.01)
    opened.close()
    name = database_url.rpartition("/")[2]
    with psycopg.connect(server_url) as server:
        server.execute("select pg_sleep(0)")
        left = server.execute("select count(*) from pg_stat_activity where datname = %s and state is not null", [name])
        assert left.fetchone() == (0,)


def test_settings_come_before_libpqs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    assert url(Settings.model_validate({"database_url": "postgresql://here/x"})) == "postgresql://here/x"
    assert url(Settings()) == "postgresql://"
    assert not databases.is_embedded(Settings())
    assert place_of("postgresql://u:secret@h:1/d") == "u@h:1/d"


def test_opening_migrates_an_empty_database(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        connection.execute("drop schema public cascade; create schema public")
    with open_database(Settings.model_validate({"database_url": database_url, "home": tmp_path})) as opened:
        assert opened.fetch("status_counts")[0]["cases"] == 0


def test_every_query_is_accepted_by_the_server(database: Database, subtests: pytest.Subtests) -> None:
    """PREPARE checks names and types without running anything; those on TimescaleDB's own views are left out."""
    incoming = [statement for statement in queries().values() if statement.lower().startswith("create temp")]
    own = set(parse((FOLDER / "timescale.sql").read_text()))
    for name, statement in queries().items():
        if name not in own and statement.lower().startswith(("select", "insert", "update", "delete", "with")):
            with subtests.test(name), database.connection() as connection:
                for create in incoming:
                    connection.execute(create.encode())
                connection.execute(f"prepare checked as {numbered(statement)}".encode())
                connection.execute("deallocate checked")


def numbered(statement: str) -> str:
    """Named parameters as $1, $2 …

    >>> numbered("select %(a)s, %(b)s::int, %(a)s, '%%'")
    "select $1, $2::int, $1, '%'"
    """
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found.group(1)) + 1}", statement).replace("%%", "%")


def test_an_unknown_query_is_named() -> None:
    with pytest.raises(UnknownQuery, match="no_such_query"):
        sql("no_such_query")


def test_comments_are_no_part_of_a_statement() -> None:
    text = "-- of the file\n-- name: one\n-- Purpose.\nselect 1 -- stays\n  -- goes\n;\n-- name: two\n-- P.\nselect 2;\n"
    assert parse(text) == {"one": "select 1 -- stays", "two": "select 2"}


def test_every_query_says_its_purpose() -> None:
    for file in FOLDER.glob("*.sql"):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("-- name:"):
                assert lines[number + 1].startswith("-- "), f"{file.name}: {line}"
