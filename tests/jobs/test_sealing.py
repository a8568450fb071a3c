"""What leaves a worker when identifiers are tokenised: nothing in the clear, all of it to be opened with its subject's key."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from jobs import sealing
from jobs.check import CHECKED, checked
from jobs.events import Rules
from jobs.noted import noted
from jobs.sealing import Access, Book, book_of, sealed
from store.database import Database
from trust.master import Ring
from trust.vault import TOKEN, Vault, is_token

from .test_events import NOW, PAYMENT, REQUEST, raw
from .test_quick import batch_of

RING = Ring((b"k" * 32,))
RULES = Rules(NOW)
TEXT = "rent, card 4111111111111111"
OWNED = PAYMENT | {"counterparty_id": "T9", "message": TEXT, "attributes": {"iban": "DE89370400440532013000", "channel": "web"}}
LOG = REQUEST | {"message": "mail to ann@example.org bounced"}


@pytest.fixture
def access(database_url: str) -> Iterator[Access]:
    yield Access(database_url, RING, 1_000, 1.0)
    if (held := sealing._books.pop("book", None)) is not None:
        held[1].close()


def checked_of(*raws: bytes | None) -> pa.RecordBatch:
    return checked(batch_of([*raws]), RULES, private=True)


def test_identifiers_are_tokens_and_texts_open_with_their_owner_s_key(database: Database, access: Access) -> None:
    batch, shown = sealed(checked_of(raw(OWNED), raw(LOG), raw(OWNED, account_id="A2", geo=1)), Book(access, database))
    batch.validate(full=True)
    first, log, more = batch.to_pylist()
    vault = Vault("main", RING)
    assert shown == []
    assert vault.resolve(database, [first["account_id"], first["counterparty_id"], more["account_id"]]) == {
        first["account_id"]: "A1", first["counterparty_id"]: "T9", more["account_id"]: "A2"
    }  # fmt: skip
    assert vault.open(database, [first["message"]])[first["message"]] == TEXT
    held = dict(first["attributes"])
    assert held["channel"] == "web"
    assert TOKEN.search(held["iban"])[0] == first["account_id"]  # type: ignore[index]
    assert vault.open(database, [held["iban"]])[held["iban"]] == "DE89370400440532013000"
    assert log["message"] == "mail to [email] bounced"
    assert json.loads(vault.open_bytes(database, more["raw"].decode()) or b"")["geo"] == 1
    text = str(batch.to_pylist())
    assert not any(secret in text for secret in ("A1'", "T9", "4111", "DE89", "ann@"))


def test_a_refused_record_is_sealed_and_shown_with_tokens(database: Database, access: Access) -> None:
    bad, nameless = raw(OWNED, amount="much", message=None, attributes=None), b'{"event_id": 1}'
    rows = noted(checked_of(raw(OWNED), bad, nameless, None), replace(access, mark="other")).to_pylist()
    vault = Vault("main", RING)
    assert vault.open_bytes(database, rows[1]["raw"].decode()) == bad
    assert vault.open_bytes(database, rows[2]["raw"].decode()) == nameless
    assert vault.known(database, "account", ["A1"])["A1"] in rows[1]["excerpt"]
    assert "A1" not in rows[1]["excerpt"].replace(vault.known(database, "account", ["A1"])["A1"], "")
    assert [row["size"] for row in rows] == [None, len(bad), len(nameless), 0]


def test_several_tenants_in_a_batch_keep_their_order_and_have_tokens_of_their_own(database: Database, access: Access) -> None:
    raws = [raw(PAYMENT, event_id=f"e{i}", tenant=["main", "acme", "zoo"][i % 3]) for i in range(9)] + [raw(PAYMENT, amount="x")]
    batch, shown = sealed(checked_of(*raws), Book(access, database))
    assert batch.schema.equals(CHECKED)
    assert batch["event_id"].to_pylist() == [*[f"e{i}" for i in range(9)], None]
    assert batch["position"].to_pylist() == list(range(10))
    tokens = {row["tenant"]: row["account_id"] for row in batch.to_pylist()[:9]}
    assert len(set(tokens.values())) == 3
    assert [row["account_id"] for row in batch.to_pylist()[:9]] == [tokens[["main", "acme", "zoo"][i % 3]] for i in range(9)]
    assert tokens["main"].encode() in shown[0]


def test_a_token_given_as_an_identifier_stays_and_its_text_is_withheld(database: Database, access: Access) -> None:
    token = Vault("main", RING).tokens(database, "account", ["A1"])["A1"].token
    [row] = sealed(checked_of(raw(OWNED, account_id=token)), Book(access, database))[0].to_pylist()
    assert (row["account_id"], row["message"]) == (token, "[withheld]")


class Counted(Database):
    """Counts the queries that are asked."""

    asked = 0

    def fetch(self, name: str, /, **params: Any) -> list[dict[str, Any]]:
        self.asked += name == "subjects_by_lookup"
        return super().fetch(name, **params)


def test_known_subjects_are_not_asked_for_again_and_memory_is_bounded(database_url: str, access: Access) -> None:
    with contextlib.closing(Counted(database_url)) as database:
        book = Book(replace(access, remembered=10), database)
        first = book.tokens("main", "account", ["A1", "A2"])
        asked = database.asked
        assert book.tokens("main", "account", ["A2", "A1"]) == first[::-1]
        assert database.asked == asked
        many = [f"B{i}" for i in range(12)]
        assert all(is_token(token) for token in book.tokens("main", "account", many))
        assert book.tokens("main", "account", ["A1", "A2"]) == first
        assert len(book._held["main", "account"]) <= 12


def test_after_an_erasure_nothing_is_remembered(database: Database, access: Access) -> None:
    before = book_of(access).tokens("main", "account", ["A1"])
    with database.connection() as connection:
        Vault("main", RING).destroy(connection, before[0])
    assert book_of(access).tokens("main", "account", ["A1"]) == before, "remembered while the mark is the same"
    assert book_of(replace(access, mark="1 erased")).tokens("main", "account", ["A1"]) != before


def test_access_shows_no_secret() -> None:
    assert "kkk" not in repr(Access("postgresql://u:secret@h/d", RING, 1, 1.0))
    assert "secret" not in repr(Access("postgresql://u:secret@h/d", RING, 1, 1.0))
