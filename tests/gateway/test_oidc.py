"""OpenID tokens, against an issuer that runs here."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.testclient import TestClient

from store.settings import Settings, read
from trust.oidc import Expected, Provider
from trust.roles import Role

Api = Callable[..., TestClient]
NOW = datetime.now(UTC)


class Issuer:
    """An OpenID provider: discovery, keys, tokens. `asked` counts how often its keys were fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += self.path == "/keys"
                content = json.dumps(issuer.published() if self.path == "/keys" else {"jwks_uri": f"{issuer.address}/keys"})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def published(self) -> dict[str, Any]:
        kinds = {ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm, rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm}
        keys = []
        for kid, key in self.keys.items():
            maker = next(maker for kind, maker in kinds.items() if isinstance(key, kind))
            keys.append(json.loads(maker.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"})
        return {"keys": keys}

    def token(self, kid: str = "k1", algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
        usual = {
            "iss": self.address, "aud": "conclave", "sub": "u-1", "tenant": "main", "roles": ["analyst"], "name": "Ann",
            "exp": NOW + timedelta(hours=1),
        }  # fmt: skip
        told = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(told, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    started = Issuer()
    yield started
    started.server.shutdown()


@pytest.fixture
def gateway_settings(tmp_path: Path, issuer: Issuer) -> Settings:
    return read(home=tmp_path, gateway={"oidc_issuer": issuer.address, "oidc_audience": "conclave"})


def test_a_token_signs_in(api: Api, issuer: Issuer) -> None:
    client, admin = api(None), {"Authorization": f"Bearer {issuer.token(roles=['other', 'admin'])}"}
    made = client.post("/v1/keys", headers=admin, json={"name": "by token"})
    assert made.status_code == 201
    assert client.get("/v1/keys", headers=admin).json()["items"][0]["created_by"] == "oidc:u-1"
    analyst = {"Authorization": f"Bearer {issuer.token()}"}
    assert client.get("/v1/keys", headers=analyst).status_code == 403
    assert client.get("/v1/anomalies", headers=analyst).status_code == 200
    assert client.get("/v1/anomalies", headers={"Authorization": "Bearer a.b.c"}).status_code == 401


def confused(token: str, secret: str) -> str:
    """The token's claims signed by HMAC, with what is published as the secret: the classic confusion of algorithms."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "k1"}).encode()).rstrip(b"=").decode()
    signed = f"{head}.{token.split('.')[1]}"
    mark = hmac.new(secret.encode(), signed.encode(), "sha256").digest()
    return f"{signed}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


def test_what_does_not_hold_opens_nothing(issuer: Issuer) -> None:
    provider = Provider(Expected(issuer.address, "conclave"))
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = issuer.token()
    public = json.dumps(issuer.published()["keys"][0])
    bad = {
        "audience": issuer.token(aud="other"), "issuer": issuer.token(iss="https://elsewhere.example"),
        "signature": issuer.token(key=foreign), "expired": issuer.token(exp=NOW - timedelta(minutes=5)),
        "early": issuer.token(nbf=NOW + timedelta(minutes=5)), "endless": issuer.token(exp=None),
        "tenant": issuer.token(tenant=None),
        "tenants": issuer.token(tenant=["main"]), "role": issuer.token(roles=["king"]), "no role": issuer.token(roles=None),
        "shared secret": confused(good, public), "unsigned": good.rsplit(".", 1)[0] + ".",
        "none": jwt.encode({"sub": "u", "aud": "conclave"}, None, algorithm="none"), "subject": issuer.token(sub=None),
    }  # fmt: skip
    assert provider.verify(good, NOW) is not None
    assert {name for name, token in bad.items() if provider.verify(token, NOW) is not None} == set()


def test_a_new_key_is_fetched_and_an_invented_one_does_not_make_us_ask(issuer: Issuer) -> None:
    provider = Provider(Expected(issuer.address, "conclave", roles={"desk": "analyst"}))
    assert provider.verify(issuer.token(roles="desk other"), NOW) is not None
    issuer.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    rotated, asked = issuer.token(kid="k2", algorithm="ES256"), issuer.asked
    assert provider.verify(rotated, NOW + timedelta(seconds=5)) is None  # asked a moment ago
    assert issuer.asked == asked
    caller = provider.verify(rotated, NOW + timedelta(seconds=40))
    assert caller is not None
    assert (caller.role, caller.tenant, caller.actor, caller.name) == (Role.analyst, "main", "oidc:u-1", "Ann")
    assert issuer.asked == asked + 1


def test_an_issuer_that_is_away_is_said(api: Api, issuer: Issuer, gateway_settings: Settings) -> None:
    client, token = api(None), issuer.token()
    client.app.state.provider = Provider(Expected("http://127.0.0.1:1", "conclave"))  # type: ignore[attr-defined]
    answer = client.get("/v1/anomalies", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, "API keys still work" in answer.json()["detail"]) == (503, True)
