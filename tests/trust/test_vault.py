"""The vault: stable random tokens, two tenants apart, keys in layers, rotation, destruction."""

import base64
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from store.database import Database, connect
from store.settings import read
from trust import master
from trust.errors import MasterKeyBad, MasterKeyMissing, MasterKeyWrong, NoSubject
from trust.master import Ring
from trust.vault import Vault, is_token, sealed_text, split

RING = Ring((b"k" * 32,))


def vault(tenant: str = "main", masters: Ring = RING) -> Vault:
    return Vault(tenant, masters)


def test_the_same_identifier_keeps_its_token_in_every_batch_and_process(database: Database) -> None:
    first = vault().tokens(database, "account", ["A1", "A2", "A1"])
    again = vault().tokens(database, "account", ["A2", "A3", "A1"])
    assert {name: first[name] for name in ("A1", "A2")} == {name: again[name] for name in ("A1", "A2")}
    assert len({one.token for one in again.values()}) == 3
    assert all(is_token(one.token) and "A" not in one.token for one in again.values())


def test_many_at_once_agree(database: Database) -> None:
    names, got = [f"A{n}" for n in range(300)], list[dict[str, Any]]()
    threads = [threading.Thread(target=lambda: got.append(vault().tokens(database, "account", names))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 3
    assert got[0] == got[1] == got[2]
    assert len(got[0]) == 300


def test_a_token_of_ours_stands_for_itself_and_a_foreign_one_is_an_identifier(database: Database) -> None:
    token = vault().tokens(database, "account", ["A1"])["A1"].token
    foreign = "tok_" + "a" * 26
    assert set(vault().tokens(database, "account", [token, foreign])) == {foreign}


def test_kinds_and_tenants_have_tokens_of_their_own(database: Database) -> None:
    account = vault().tokens(database, "account", ["X"])["X"].token
    other = vault().tokens(database, "counterparty", ["X"])["X"].token
    abroad = vault("other").tokens(database, "account", ["X"])["X"].token
    assert len({account, other, abroad}) == 3
    assert vault("other").resolve(database.of("other"), [account]) == {}
    assert vault().resolve(database.of("other"), [account]) == {}, "row-level security holds whatever the vault was told"


def test_there_and_back(database: Database) -> None:
    token = vault().tokens(database, "account", ["Ä-1"])["Ä-1"].token
    assert vault().resolve(database, [token, "tok_" + "b" * 26, "nonsense"]) == {token: "Ä-1"}
    assert vault().find(database, "Ä-1") == token
    assert vault().find(database, "account:Ä-1/EUR") == f"account:{token}/EUR"
    assert vault().find(database, "A9") is None
    assert vault().find(database, "service:x") is None
    assert vault().real(database, [f"case of account:{token}/EUR"]) == {f"case of account:{token}/EUR": "case of account:Ä-1/EUR"}


def test_neither_identifier_nor_key_is_in_the_database(database: Database, database_url: str) -> None:
    one = vault().tokens(database, "account", ["DE-4711-secret"])["DE-4711-secret"]
    with connect(database_url) as connection:
        rows = [str(list(row.values())) for table in ("vault_keys", "vault_subjects")
                for row in connection.execute(f"select * from {table}".encode())]  # fmt: skip
    assert len(rows) == 3
    assert not any("DE-4711-secret" in row or repr(one.key)[2:-1] in row for row in rows)


def test_a_destroyed_key_leaves_nothing_and_a_newcomer_gets_another_token(database: Database) -> None:
    one = vault().tokens(database, "account", ["A1"])["A1"]
    kept = vault().tokens(database, "account", ["A2"])["A2"]
    texts = [sealed_text(one, "rent to Ann"), sealed_text(kept, "hello")]
    assert list(vault().open(database, texts).values()) == ["rent to Ann", "hello"]
    with database.connection() as connection:
        assert vault().destroy(connection, one.token)
        assert not vault().destroy(connection, one.token)
    assert list(vault().open(database, texts).values()) == ["[erased]", "hello"]
    assert vault().resolve(database, [one.token]) == {}
    assert vault().find(database, "A1") is None
    assert vault().tokens(database, "account", ["A1"])["A1"].token != one.token


def test_cut_or_altered_ciphertext_is_not_shown(database: Database) -> None:
    text = sealed_text(vault().tokens(database, "account", ["A1"])["A1"], "some longer message")
    assert vault().open(database, [text[:-9]])[text[:-9]] == "[sealed]"
    mended = text[:50] + ("A" if text[50] != "A" else "B") + text[51:]
    assert "message" not in vault().open(database, [mended])[mended]


def test_a_wrapped_key_opens_only_in_its_own_place(database: Database) -> None:
    vault().tokens(database, "account", ["A1"])
    with database.connection() as connection:
        connection.execute("update vault_keys set wrapped = (select wrapped from vault_keys where purpose = 'data') "
                           "where purpose = 'lookup'")  # fmt: skip
    with pytest.raises(MasterKeyWrong):
        vault().find(database, "A1")


def test_another_master_key_opens_nothing(database: Database) -> None:
    vault().tokens(database, "account", ["A1"])
    with pytest.raises(MasterKeyWrong):
        vault(masters=Ring((b"x" * 32,))).find(database, "A1")


def test_the_master_key_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "master.key"
    master.create(file)
    text = file.read_text()
    master.create(file)
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["master.key"]


def test_rotating_the_master_key_keeps_every_token(database: Database, database_url: str, tmp_path: Path) -> None:
    settings = read(home=tmp_path, database_url=database_url)
    with pytest.raises(MasterKeyMissing):
        master.ring(settings)  # a database of somebody else's: no key is made behind their back
    master.create(master.place(settings))
    before = master.ring(settings)
    token = Vault.of(settings).tokens(database, "account", ["A1"])["A1"].token
    assert master.rotate(settings, database) == 2
    after = master.ring(settings)
    assert len(after.keys) == 1
    assert after != before
    assert Vault.of(settings).resolve(database, [token]) == {token: "A1"}
    with pytest.raises(MasterKeyWrong):
        Vault("main", before).resolve(database, [token])


def test_a_master_key_from_the_environment(database: Database, database_url: str, tmp_path: Path) -> None:
    def given(*keys: bytes) -> Any:
        text = ",".join(base64.b64encode(key).decode() for key in keys)
        return read(home=tmp_path, database_url=database_url, privacy={"master_key": text})

    old, new = b"o" * 32, b"n" * 32
    token = Vault.of(given(old)).tokens(database, "account", ["A1"])["A1"].token
    assert master.rotate(given(new, old), database) == 2
    assert Vault.of(given(new)).resolve(database, [token]) == {token: "A1"}
    with pytest.raises(MasterKeyBad):
        master.ring(read(home=tmp_path, database_url=database_url, privacy={"master_key": "c2hvcnQ="}))


def test_a_new_data_key_rewraps_every_subject(database: Database) -> None:
    mine = vault()
    before = mine.tokens(database, "account", [f"A{n}" for n in range(5)])
    assert mine.renew(database) == 5
    assert vault().tokens(database, "account", list(before)) == before
    with database.connection() as connection:
        connection.execute("delete from vault_keys where purpose = 'data' and generation = 1")
    assert vault().resolve(database, [before["A3"].token]) == {before["A3"].token: "A3"}


def test_sealing_is_bound_to_key_and_context() -> None:
    sealed = master.seal(b"k" * 32, b"words", "here")
    assert master.unseal(b"k" * 32, sealed, "here") == b"words"
    for key, context in ((b"j" * 32, "here"), (b"k" * 32, "there")):
        with pytest.raises(InvalidTag):
            master.unseal(key, sealed, context)


@pytest.mark.parametrize("wrong", ["A12", "account:", ":A"[1:]])
def test_a_subject_needs_its_kind(wrong: str) -> None:
    with pytest.raises(NoSubject):
        split(wrong)
