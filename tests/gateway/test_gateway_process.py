"""`conclave gateway` as a person runs it: over TLS, with two workers, stopped by a signal."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gateway_keys import key_of

from gateway.serving import tls
from store.database import Database
from store.errors import BadSettings
from store.sections.gateway import Gateway


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address and its key, as files."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*encoding))
    return files


@pytest.mark.process
def test_a_real_server_with_tls_and_two_workers(database: Database, database_url: str, tmp_path: Path) -> None:
    key = key_of(database, "analyst")
    chain, private = certificate(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ, "CONCLAVE_DATABASE_URL": database_url, "CONCLAVE_HOME": str(tmp_path),
        "CONCLAVE_GATEWAY__TLS_CERTIFICATE": str(chain), "CONCLAVE_GATEWAY__TLS_KEY": str(private),
    }  # fmt: skip
    command = [sys.executable, "-m", "cli.app", "gateway", "--port", str(port), "--workers", "2"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            answers = talk(f"https://localhost:{port}", ssl.create_default_context(cafile=str(chain)), key)
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
    assert answers["health"].headers["Strict-Transport-Security"]
    assert (answers["events"].status_code, answers["events"].json()["accepted"]) == (202, 1)
    assert len(list((tmp_path / "landing").glob("gateway-*.jsonl"))) == 1
    assert f"https://127.0.0.1:{port}" in out
    lines = [json.loads(line) for line in err.splitlines() if '"answered"' in line]
    assert {line["route"] for line in lines} >= {"/health", "/v1/events"}
    assert key not in err + out


def test_half_a_pair_of_files_is_refused(tmp_path: Path) -> None:
    chain, private = certificate(tmp_path)
    assert set(tls(Gateway(tls_certificate=chain, tls_key=private))) == {"ssl_certfile", "ssl_keyfile", "ssl_keyfile_password"}
    with pytest.raises(BadSettings, match="give both"):
        tls(Gateway(tls_certificate=chain))
    with pytest.raises(BadSettings, match="there is no file"):
        tls(Gateway(tls_certificate=chain, tls_key=tmp_path / "none"))


def talk(address: str, context: ssl.SSLContext, key: str) -> dict[str, Any]:
    event = {"event_id": "e", "event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A", "amount": 1}
    with httpx.Client(base_url=address, verify=context, headers={"X-Api-Key": key}, timeout=30) as client:
        until = time.monotonic() + 180
        while True:
            try:
                health = client.get("/health")
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "the gateway did not start"
        return {"health": health, "events": client.post("/v1/events", json=[event])}
