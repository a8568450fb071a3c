"""Secrets are read where they are allowed, kept apart by tenant, and struck out of what is kept."""

from pathlib import Path

import pytest

from notify.credentials import Vault, label, vault_of
from notify.errors import SecretForbidden, SecretMissing
from store.settings import read

ENVIRONMENT = {
    "NOTIFY_SLACK": "https://hooks.example/T0/B0/abcdefgh", "NOTIFY_ACME__KEY": "acme-key", "NOTIFY_ACME_EU__KEY": "eu-key",
    "CONCLAVE_DATABASE_URL": "postgresql://x:y@z", "AWS_SECRET": "no", "NOTIFY_EMPTY": " ",
}  # fmt: skip


def vault(tmp_path: Path, tenant: str = "main", **notify: object) -> Vault:
    return vault_of(tenant, read(home=tmp_path, notify=notify), ENVIRONMENT)


def test_a_variable_by_its_pattern(tmp_path: Path) -> None:
    assert vault(tmp_path).value("env:NOTIFY_SLACK").endswith("abcdefgh")
    for name in ("CONCLAVE_DATABASE_URL", "AWS_SECRET", "PATH"):
        with pytest.raises(SecretForbidden):
            vault(tmp_path).value(f"env:{name}")
    for name in ("NOTIFY_NOTHING", "NOTIFY_EMPTY"):
        with pytest.raises(SecretMissing, match=name):
            vault(tmp_path).value(f"env:{name}")
    assert vault(tmp_path, secret_variables=("AWS_*",)).value("env:AWS_SECRET") == "no"


def test_a_tenant_has_variables_of_its_own(tmp_path: Path) -> None:
    assert vault(tmp_path, "acme").value("env:NOTIFY_ACME__KEY") == "acme-key"
    assert vault(tmp_path, "acme-eu").value("env:NOTIFY_ACME_EU__KEY") == "eu-key"
    for tenant, name in (
        ("acme", "NOTIFY_ACME_EU__KEY"),
        ("acme", "NOTIFY_SLACK"),
        ("ACME", "NOTIFY_ACME__KEY"),
        ("acme_", "NOTIFY_ACME__KEY"),
    ):
        with pytest.raises(SecretForbidden):
            vault(tmp_path, tenant).value(f"env:{name}")


def test_labels_are_no_beginnings_of_others() -> None:
    names = ["a", "a-b", "a_b", "A", "a--b", "a-", "ab", "ü"]
    labels = [label(name) + "__" for name in names]
    assert len(set(labels)) == len(names)
    assert not any(one != other and other.startswith(one) for one in labels for other in labels)


def test_a_file_of_the_folder_and_of_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    (folder / "tenants" / "ACME").mkdir(parents=True)
    (folder / "hook").write_text("from-a-file\n")
    (folder / "tenants" / "ACME" / "hook").write_text("of-acme")
    (tmp_path / "outside").write_text("no")
    (folder / "link").symlink_to(tmp_path / "outside")
    assert vault(tmp_path).value("file:hook") == "from-a-file"
    assert vault(tmp_path, "acme").value("file:hook") == "of-acme"
    for tenant, name in (("main", "../outside"), ("main", "link"), ("main", "/etc/hostname"), ("acme", "../../hook")):
        with pytest.raises(SecretForbidden):
            vault(tmp_path, tenant).value(f"file:{name}")
    with pytest.raises(SecretMissing):
        vault(tmp_path).value("file:nothing")
    with pytest.raises(SecretForbidden):
        vault(tmp_path).value("literal")


def test_what_was_read_is_struck_out(tmp_path: Path) -> None:
    found = vault(tmp_path)
    found.value("env:NOTIFY_SLACK")
    said = found.without_secrets("POST https://hooks.example/T0/B0/abcdefgh failed; token abcdefgh\x00")
    assert said == "POST [env:NOTIFY_SLACK] failed; token [env:NOTIFY_SLACK]"
