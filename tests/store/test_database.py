"""The pool, named queries and waiting, on a real server."""

import numpy as np

from store.database import Database


def test_a_transaction_commits_and_another_is_undone(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("insert into service_edges values ('main', 'a', 'b')")
    with database.connection() as connection:
        rows = connection.execute("select caller, callee from service_edges").fetchall()
    assert rows == [{"caller": "a", "callee": "b"}]


def test_dicts_are_jsonb_and_vectors_arrays(database: Database) -> None:
    with database.connection() as connection:
        row = connection.execute("select %s as doc, %s::vector as vec", [{"a": 1}, np.array([1.0, 2.0])]).fetchone()
    assert row is not None
    assert row["doc"] == {"a": 1}
    assert row["vec"].to_list() == [1.0, 2.0]
