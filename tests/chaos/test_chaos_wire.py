"""Which transaction commits, read from a client's bytes however they are cut."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.wire import Client, Heard
from store.database import sql

STARTUP = struct.pack("!ii", 17, 196608) + b"user\0a\0\0\0"
TLS = struct.pack("!ii", 8, 80877103)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def query(text: str) -> bytes:
    return message(b"Q", text.encode() + b"\0")


def parse(text: str, name: str = "") -> bytes:
    return message(b"P", name.encode() + b"\0" + text.encode() + b"\0\0\0")


def bind(name: str = "") -> bytes:
    return message(b"B", b"\0" + name.encode() + b"\0\0\0\0\0\0\0")


DETECT = sql("put_detect_batch")


def meanings(*messages: bytes) -> list[str]:
    return [heard.means for heard in Client().hear(STARTUP + b"".join(messages))][1:]


@pytest.mark.parametrize(
    ("name", "label"),
    [("put_detect_batch", "detect"), ("put_ingest_batch", "ingest"), ("put_rulings", "council"), ("take_fence", "fence")],
)
def test_the_products_own_statements_are_known(name: str, label: str) -> None:
    assert meanings(query("BEGIN"), parse(sql(name)), bind(), query("COMMIT"))[-1] == f"commit:{label}"


def test_a_prepared_statement_is_known_by_its_name() -> None:
    asked = parse(DETECT, "_pg3_0")
    assert meanings(asked, query("BEGIN"), bind("_pg3_0"), query("COMMIT"))[-1] == "commit:detect"
    assert meanings(asked, query("BEGIN"), bind("_pg3_1"), query("COMMIT"))[-1] == ""


def test_what_was_rolled_back_is_no_commit() -> None:
    assert meanings(query("BEGIN"), parse(DETECT), query("ROLLBACK"), query("BEGIN"), query("COMMIT"))[-1] == ""
    assert meanings(query("BEGIN"), parse(DETECT), query("ROLLBACK"), query("COMMIT"))[-1] == ""
    assert meanings(query("BEGIN"), parse(DETECT), query("COMMIT"), query("BEGIN"), query("COMMIT"))[-1] == ""


def test_other_statements_mean_nothing() -> None:
    assert meanings(query("select 1"), parse("insert into batches_of_bread values (1)"), query("COMMIT")) == ["", "", ""]


SAID = TLS + STARTUP + query("BEGIN") + parse(DETECT) + bind() + message(b"d", bytes(range(256)) * 3) + query("COMMIT")


@given(st.lists(st.integers(0, len(SAID)), max_size=12))
def test_where_the_bytes_are_cut_changes_nothing(places: list[int]) -> None:
    client, ends = Client(), [0, *sorted(places), len(SAID)]
    heard = [one for a, b in pairwise(ends) for one in client.hear(SAID[a:b])]
    assert heard == list(Client().hear(SAID))
    assert b"".join(one.raw for one in heard) == SAID
    assert heard[-1] == Heard(query("COMMIT"), "commit:detect")
